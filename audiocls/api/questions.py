"""Before anything is launched: ablations and sweeps to choose from, and whether the machine can."""

from typing import TYPE_CHECKING, Any

from audiocls import library
from audiocls.api.arguments import Folder, known_options, runs_folder
from audiocls.api.catalogue import Catalogue
from audiocls.design import Ablation, arms_of
from audiocls.studies.program_ablation import command_of

if TYPE_CHECKING:
    from audiocls.execution.health import Health


@known_options
def list_ablations() -> Catalogue:
    """Return every ablation that can be named: the project's own, and the built-in ones.

    >>> import audiocls
    >>> audiocls.list_ablations().rows()[0]["question"]  # doctest: +SKIP
    'Does …?'
    """
    known = {name: library.ablation(name) for name in library.available("ablations")}
    rows = (
        {
            "name": name,
            "question": a.question,
            "arms": len(arms_of(a)),
            "recipe": a.recipe or command_of(a),
        }
        for name, a in known.items()
    )
    return Catalogue("Ablations", tuple(rows))


@known_options
def list_sweeps() -> Catalogue:
    """Return every sweep that can be named: registered ablations and searches.

    >>> import audiocls
    >>> "tune_logmel_cnn" in audiocls.list_sweeps().names
    True
    """
    known = {name: library.sweep(name) for name in library.available("sweeps")}
    rows = ({"name": name, **sweep} for name, sweep in known.items())
    return Catalogue("Sweeps", tuple(rows), ("name", "method", "description"))


def read_ablation(name: str) -> Ablation:
    """Return an ablation by its name or its file, every default written down.

    >>> import audiocls
    >>> audiocls.read_ablation("dropout").factors
    {'model.dropout': [0.05, 0.1, 0.5]}
    """
    return library.ablation(name)


def read_sweep(name: str) -> dict[str, Any]:
    """Return a sweep by its name or its file, in W&B's grammar.

    >>> import audiocls
    >>> audiocls.read_sweep("dropout")["method"]
    'grid'
    """
    return library.sweep(name)


@known_options
def doctor(*, runs: Folder | None = None) -> "Health":
    """Return what this machine has, and what is wrong with it.

    >>> import audiocls
    >>> audiocls.doctor().problems  # doctest: +SKIP
    ()
    """
    from audiocls.execution.health import examine
    from audiocls.studies.options import cache_folder

    return examine(runs_folder(runs), cache_folder())
