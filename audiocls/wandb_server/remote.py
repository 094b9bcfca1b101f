"""Which cell of a study each run of a W&B project is: pure, from runs to arms and blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audiocls.dotted import flatten
from audiocls.errors import UsageError, did_you_mean
from audiocls.formatting import format_json, join_names
from audiocls.tracking.project import RemoteRun

OWN = ("study", "arm", "seed", "fold", "trial")
"""Keys by which a run that audiocls logged says what it is."""
ORIGIN = ("code", "audiocls", "python", "torch", "device", "host")
"""Keys by which it says where it comes from."""
BESIDE = ("group", "job_type", "name", "attempt", "data_fingerprint")
"""Keys of a run that are no part of its configuration."""
NAMED_MOST = 10
"""Runs or keys that one message names."""
UNSET = "unset"

Fields = dict[str, Any]
"""What a run says of itself, by dotted name."""


@dataclass(frozen=True)
class ImportOptions:
    """How the runs are to be read."""

    study: str
    """The study's name here; of several studies in one project, the one so called."""
    arm: tuple[str, ...] = ()
    """Keys that differ between arms; none where audiocls logged the runs."""
    baseline: str | None = None
    seed: str | None = None
    fold: str | None = None
    metric: str | None = None
    goal: str | None = None


@dataclass(frozen=True)
class Placed:
    """A run in its cell."""

    run: RemoteRun
    arm: str
    seed: int
    fold: int
    trial: str
    """The id that its trial has; empty if it was not ours."""

    @property
    def place(self) -> tuple[str, int, int]:
        return self.arm, self.seed, self.fold


def fields_of(run: RemoteRun) -> Fields:
    """The configuration's leaves, and what W&B knows of a run beside it."""
    return {"group": run.group, "job_type": run.job_type, "name": run.name, **flatten(run.config)}


def assign_cells(runs: Sequence[RemoteRun], asked: ImportOptions) -> tuple[list[Placed], list[str]]:
    """Every run that belongs to the study, and what a reader must know of the others.

    Raises `UsageError` where the runs do not say what they are and `asked` does not either.
    """
    return _by_keys(runs, asked) if asked.arm else _own(runs, asked)


def _own(runs: Sequence[RemoteRun], asked: ImportOptions) -> tuple[list[Placed], list[str]]:
    own = [run for run in runs if all(key in run.config for key in OWN)]
    if not own:
        raise UsageError(
            f"none of the {len(runs)} runs was logged by audiocls, so name what differs between "
            f"the arms: --arm KEY[,KEY]. {_differing(runs)}"
        )
    studies = sorted({str(run.config["study"]) for run in own})
    if len(studies) > 1 and asked.study not in studies:
        raise UsageError(
            f"the runs are of several studies: {', '.join(studies)}. Choose one with --group, or "
            f"call it by its name with --study.{did_you_mean(asked.study, studies)}"
        )
    chosen = [r for r in own if len(studies) == 1 or r.config["study"] == asked.study]
    others = [run for run in runs if not all(key in run.config for key in OWN)]
    notes = _named("not logged by audiocls and left out", others)
    return [_placed_by_itself(run) for run in chosen], notes


def _placed_by_itself(run: RemoteRun) -> Placed:
    said = run.config
    place = str(said["arm"]), int(said["seed"]), int(said["fold"])
    return Placed(run, *place, trial=str(said["trial"]))


def _by_keys(runs: Sequence[RemoteRun], asked: ImportOptions) -> tuple[list[Placed], list[str]]:
    fields = [fields_of(run) for run in runs]
    _require_known(fields, asked)
    seeds, seed_notes = _numbers("seed", asked.seed, fields, first=0)
    folds, fold_notes = _numbers("fold", asked.fold, fields, first=1)
    found = [
        Placed(run, _arm(said, asked.arm), seed, fold, trial="")
        for run, said, seed, fold in zip(runs, fields, seeds, folds, strict=True)
    ]
    _require_told_apart(found, asked)
    return found, [*seed_notes, *fold_notes]


def _require_known(fields: Sequence[Fields], asked: ImportOptions) -> None:
    known = sorted({key for said in fields for key in said})
    for key in (*asked.arm, asked.seed, asked.fold):
        if key is not None and key not in known:
            raise UsageError(
                f"no run has the key {key!r}.{did_you_mean(key, known)} Keys: {', '.join(known)}"
            )


def _require_told_apart(found: Sequence[Placed], asked: ImportOptions) -> None:
    """Without a seed's key several runs of one cell may be repeats, and none may be dropped."""
    if asked.seed is not None:
        return
    cells: dict[tuple[str, int, int], list[RemoteRun]] = {}
    for each in found:
        if each.run.state == "finished":
            cells.setdefault(each.place, []).append(each.run)
    for (arm, _, fold), runs in cells.items():
        if len(runs) > 1:
            where = f"{arm}{f', fold {fold}' if asked.fold else ''}"
            raise UsageError(
                f"{len(runs)} finished runs are all of {where}: name the key that tells repeats "
                f"apart with --seed KEY. {_differing(runs)}"
            )


def _arm(said: Fields, keys: Sequence[str]) -> str:
    return ",".join(f"{key}={text_of(said.get(key))}" for key in keys)


def text_of(value: Any) -> str:
    """Write a value as it stands in an arm's name; a missing one is `unset`."""
    return UNSET if value is None else format_json(value)


def _numbers(
    what: str, key: str | None, fields: Sequence[Fields], first: int
) -> tuple[list[int], list[str]]:
    """The runs' numbers under a key; values that are none are numbered in their order."""
    if key is None:
        return [first] * len(fields), []
    values = [said.get(key) for said in fields]
    if all(_is_integer(value) for value in values):
        return [int(value) for value in values if value is not None], []
    order = sorted({text_of(value) for value in values})
    told = ", ".join(f"{number}: {text}" for number, text in enumerate(order, first))
    note = f"The values of {key} are no whole numbers; as {what}s they are numbered ({told})."
    return [first + order.index(text_of(value)) for value in values], [note]


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def chosen(found: Sequence[Placed]) -> tuple[dict[tuple[str, int, int], Placed], list[str]]:
    """One run a cell, the newest finished one, or else the newest; and which were left out."""
    best: dict[tuple[str, int, int], Placed] = {}
    for each in sorted(found, key=lambda each: (each.run.state == "finished", each.run.created)):
        best[each.place] = each
    kept = {each.run.id for each in best.values()}
    older = [each.run for each in found if each.run.state == "finished" and each.run.id not in kept]
    return best, _named("older than another finished run of their cell and left out", older)


def changes_of(
    found: Sequence[Placed], baseline: str, keys: Sequence[str] = ()
) -> dict[str, Fields]:
    """Arm → what is the same in all its runs and another value in all of the baseline's.

    Beside the `keys` that make the arms, so that a reader sees what else was changed with them.
    """
    common: dict[str, Fields] = {}
    for each in found:
        said = fields_of(each.run)
        before = common.setdefault(each.arm, said)
        common[each.arm] = {key: before[key] for key in before if said.get(key) == before[key]}
    own = common[baseline]
    others = [key for key in own if key not in {*keys, *OWN, *ORIGIN, *BESIDE}]
    return {
        arm: {key: said.get(key) for key in keys if said.get(key) != own.get(key)}
        | {key: said[key] for key in others if key in said and said[key] != own[key]}
        for arm, said in common.items()
    }


def _differing(runs: Sequence[RemoteRun]) -> str:
    """The keys that could be meant."""
    values: dict[str, set[str]] = {}
    for run in runs:
        for key, value in flatten(run.config).items():
            values.setdefault(key, set()).add(text_of(value))
    keys = sorted(key for key, texts in values.items() if len(texts) > 1)
    named = join_names(keys, NAMED_MOST, before_rest=", ")
    return f"Keys that differ among them: {named or 'none'}."


def _named(what: str, runs: Sequence[RemoteRun]) -> list[str]:
    names = join_names([run.id for run in runs], NAMED_MOST, before_rest=", ")
    verb = "was" if len(runs) == 1 else "were"
    return [f"{len(runs)} run{'s' * (len(runs) > 1)} {verb} {what}: {names}."] if runs else []
