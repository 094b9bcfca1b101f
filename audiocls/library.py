"""Ablations, sweeps and recipes by path or by name: the project's own, plugins', and built-in ones.

A name is looked up in `./ablations` (or `./sweeps`, `./recipes`) first, then in the folders of
installed plugins, then among the built-in files, so that a project's own file replaces a built-in
one of the same name.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from audiocls import yaml_file
from audiocls.design import Ablation, load_ablation
from audiocls.errors import ConfigError, UsageError, did_you_mean
from audiocls.formatting import join_names
from audiocls.library_files import Kind, files_in
from audiocls.library_files import available as available
from audiocls.library_files import shipped as shipped
from audiocls.named_paths import is_file
from audiocls.parts.modules import add_places
from audiocls.search import Sweep, check_sweep, load_sweep
from audiocls.validation_errors import literals_at

SEARCHED = ("parameters", "early_terminate", "run_cap", "command")
COMPARED = ("overrides", "factors", "arms", "exclude", "when", "blocks", "tune")
"""Keys of sweeps, and of ablations, whose values reach a trial."""


def find(kind: Kind, name: str) -> Path:
    """Return the file of a name or a path; raise `UsageError` with the nearest known name."""
    if name.endswith((".yaml", ".yml")):
        if not is_file(Path(name)):
            raise _no_file(kind, Path(name))
        return Path(name)
    known = files_in(Path(kind))
    if name not in known:
        known = available(kind)
    if name not in known:
        raise unknown(kind.removesuffix("s"), name, known)
    return known[name]


def _no_file(kind: Kind, path: Path) -> UsageError:
    """Return the error of a path without a file: what is beside it, and the nearest."""
    beside = sorted(map(str, path.parent.glob("*.y*ml")))
    there = join_names(beside) or f"none in {path.parent.absolute()}"
    hint = did_you_mean(str(path), [*beside, *available(kind)])
    return UsageError(f"{path}: no such file; YAML files there: {there}.{hint}")


def unknown(noun: str, name: str, known: Collection[str]) -> UsageError:
    """Return the error of a name that nothing has: a file that was meant comes first."""
    start, names = f"no {noun} is called {name!r}", f"{', '.join(known) or 'none'}."
    file = next((each for each in (f"{name}.yaml", f"{name}.yml") if is_file(Path(each))), None)
    if file is not None:
        return UsageError(f"{start}, and {file} is here: give that path. Known: {names}")
    hint = f"{did_you_mean(name, known)} A path ends in .yaml or .yml"
    return UsageError(f"{start}; known: {names}{hint}")


def ablation(name: str, recipe: str | None = None, is_place: bool = True) -> Ablation:
    """Return an ablation by path or name, on another recipe if one is given.

    `is_place` as of `recipe`.
    """
    file = find("ablations", name)
    if is_place:
        _add_place("ablations", file)
    document = yaml_file.read(file)
    is_program = "program" in document or "command" in document
    other = {} if recipe is None or is_program else {"recipe": recipe}
    return load_ablation({**document, **other}, str(file))


def recipe(name: str, is_place: bool = True) -> dict[str, Any]:
    """Return the mapping of a recipe; it is validated when it becomes a configuration.

    `is_place`: whether modules of own parts are looked for beside it, as beside all files that the
    user names.
    """
    file = find("recipes", name)
    if is_place:
        _add_place("recipes", file)
    return yaml_file.read(file)


def _add_place(kind: Kind, file: Path) -> None:
    if file.parent.resolve() != shipped(kind).resolve():
        add_places([file.parent], beside_files=True)


def sweep(name: str) -> dict[str, Any]:
    """Return a W&B sweep configuration, verbatim."""
    return yaml_file.read(find("sweeps", name))


def checked_sweep(file: Path) -> tuple[dict[str, Any], Sweep, tuple[str, ...]]:
    """Return a sweep's document, the sweep, and warnings.

    Raises `ConfigError` with every error and its line.
    """
    _add_place("sweeps", file)
    document, lines = yaml_file.read_with_lines(file)
    sweep = load_sweep(document, str(file), lines)
    odd = misreadings(file, SEARCHED)
    return document, sweep, (*check_sweep(document, lines).notes, *odd)


def misreadings(file: Path, parts: Collection[str]) -> tuple[str, ...]:
    """Return a sentence for each word that YAML reads otherwise than people mean, with its line.

    `parts` are the keys of the document that hold no prose.
    """
    document, lines = yaml_file.read_with_lines(file)
    reasons = yaml_file.misreadings(file.read_text(encoding="utf-8")).items()
    return tuple(
        f"{'.'.join(map(str, key))} (line {lines[key]}): {why}"
        for key, why in reasons
        if key[0] in parts and not _is_listed(document, key)
    )


def _is_listed(document: Mapping[str, Any], place: Sequence[Any]) -> bool:
    """Whether a recipe's option lists the word at a place as a value: `none` of `ssl.mode`."""
    from audiocls.config import Config  # most documents have no such word

    word = reduce(getitem, place, document)
    steps = [step for key in place if isinstance(key, str) for step in key.split(".")]
    return any(word in literals_at(Config, steps[start:]) for start in range(len(steps)))


def notebook(name: str) -> Path:
    """Return a built-in notebook."""
    return shipped("notebooks") / f"{name}.ipynb"


def overrides(assignments: list[str]) -> dict[str, Any]:
    """Return `["optim.lr=1e-3", …]` as values by dotted key; the values are YAML.

    Raises `ConfigError` with every text that is no assignment.
    """
    faults = [
        f"got {item!r}; wanted: key=value, such as optim.lr=1e-3"
        for item in assignments
        if not item.partition("=")[0] or "=" not in item
    ]
    if faults:
        raise ConfigError("overrides", faults)
    pairs = (item.partition("=") for item in assignments)
    return {key: yaml_file.parse(value, key) if value else None for key, _, value in pairs}


def registered_ablation(document: Mapping[str, Any]) -> str | None:
    """Return the ablation in the command of a registered sweep, or None for another sweep."""
    given = document.get("command")
    command = [str(word) for word in given] if isinstance(given, list) else []
    is_ours = "audiocls" in command and "--ablation" in command[:-1]
    return command[command.index("--ablation") + 1] if is_ours else None
