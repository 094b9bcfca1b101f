"""Assign runs to the cells of a study; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audiocls.dotted import flatten
from audiocls.errors import UsageError, did_you_mean
from audiocls.formatting import format_json, join_names
from audiocls.importing.results import Results
from audiocls.importing.tables import number_of
from audiocls.store import Objective
from audiocls.tracking.project import RemoteRun

IDENTITY = ("study", "arm", "seed", "fold", "trial")
"""Keys that identify the trial of a run that audiocls logged."""
ORIGIN = ("code", "audiocls", "python", "torch", "device", "host")
"""Keys of its provenance."""
BESIDE = ("group", "job_type", "name", "attempt", "data_fingerprint")
"""Keys of a run that are no part of its configuration."""
NAMED_MOST = 10
"""Runs or keys that one message names."""
UNSET = "unset"

CellKey = tuple[str, int, int]
"""Arm, seed, fold."""
Fields = dict[str, Any]
"""Configuration of a run by dotted name, with its group, job type and name."""


@dataclass(frozen=True)
class ImportOptions:
    """Which keys of a run hold its arm, seed, fold and metric."""

    study: str
    """The study's name here; it also selects one of several studies in a project."""
    arm: tuple[str, ...] = ()
    """Keys that differ between arms; empty if audiocls logged the runs."""
    baseline: str | None = None
    seed: str | None = None
    fold: str | None = None
    metric: str | None = None
    goal: str | None = None
    margin: float | None = None
    """Half-width of the zone of equivalence, in units of the metric; default: 0.01."""
    secondary: tuple[Objective, ...] = ()
    match: str = "epochs"
    """What must be equal for arms to be comparable, where it was recorded."""


@dataclass(frozen=True)
class AssignedRun:
    """A run with its cell."""

    run: RemoteRun
    arm: str
    seed: int
    fold: int
    trial: str
    """The id of its trial; empty if another program logged it."""

    @property
    def cell_key(self) -> CellKey:
        return self.arm, self.seed, self.fold


def fields_of(run: RemoteRun) -> Fields:
    """Return the leaves of the configuration, with group, job type and name of the run."""
    return {"group": run.group, "job_type": run.job_type, "name": run.name, **flatten(run.config)}


def assign_cells(results: Results, options: ImportOptions) -> tuple[list[AssignedRun], list[str]]:
    """Return every run of the study with its cell, and notes on the others.

    Its keys are among those of the runs. Raises `UsageError` if the runs do not identify the cells.
    """
    if options.arm:
        return _by_keys(results.runs, options)
    return _by_identity(results, options)


def _by_identity(results: Results, options: ImportOptions) -> tuple[list[AssignedRun], list[str]]:
    runs = results.runs
    native = [run for run in runs if all(key in run.config for key in IDENTITY)]
    if not native:
        raise UsageError(
            f"none of the {len(runs)} {results.noun}s was logged by audiocls, so name what differs "
            f"between the arms: --arm KEY[,KEY]. {_differing(runs)}"
        )
    studies = sorted({str(run.config["study"]) for run in native})
    if len(studies) > 1 and options.study not in studies:
        raise UsageError(
            f"the runs are of several studies: {', '.join(studies)}. Choose one with --group, or "
            f"call it by its name with --study.{did_you_mean(options.study, studies)}"
        )
    selected = [r for r in native if len(studies) == 1 or r.config["study"] == options.study]
    others = [run for run in runs if not all(key in run.config for key in IDENTITY)]
    notes = _named("not logged by audiocls and left out", others)
    return [_identified(run) for run in selected], notes


def _identified(run: RemoteRun) -> AssignedRun:
    config = run.config
    cell = str(config["arm"]), int(config["seed"]), int(config["fold"])
    return AssignedRun(run, *cell, trial=str(config["trial"]))


def _by_keys(
    runs: Sequence[RemoteRun], options: ImportOptions
) -> tuple[list[AssignedRun], list[str]]:
    fields = [fields_of(run) for run in runs]
    seeds, seed_notes = _numbers("seed", options.seed, fields, first=0)
    folds, fold_notes = _numbers("fold", options.fold, fields, first=1)
    assigned = [
        AssignedRun(run, arm, seed, fold, trial="")
        for run, arm, seed, fold in zip(runs, _arms(fields, options.arm), seeds, folds, strict=True)
    ]
    return assigned, [*seed_notes, *fold_notes]


def missing_keys(results: Results, options: ImportOptions) -> list[str]:
    """Return a fault for each key that no run has, with the nearest that one has."""
    known = sorted({key for run in results.runs for key in fields_of(run)} - _blank(results))
    wanted = dict.fromkeys((*options.arm, options.seed, options.fold))
    return [
        unknown_key(results, key, known) for key in wanted if key is not None and key not in known
    ]


def unknown_key(results: Results, key: str, known: Sequence[str]) -> str:
    """Return the fault that no run has the key, or the table no such column."""
    hint, names = did_you_mean(key, known), ", ".join(known)
    if results.is_table:
        return f"there is no column {key!r}.{hint} Columns: {names}"
    return f"no {results.noun} has the key {key!r}.{hint} Keys: {names}"


def _blank(results: Results) -> set[str]:
    """Return the keys that only W&B's runs have."""
    return {"group", "job_type", "name"} if results.is_table else set()


def repeats(assigned: Sequence[AssignedRun], results: Results, options: ImportOptions) -> list[str]:
    """Return a fault for each cell with several finished runs of which none may be dropped.

    Without the key of the seed they may be repeats; and in a table every row was meant.
    """
    if options.seed is not None and not results.is_table and results.trial_of is None:
        return []
    cells: dict[CellKey, list[RemoteRun]] = {}
    for each in assigned:
        if each.run.state == "finished" and not each.trial:
            cells.setdefault(each.cell_key, []).append(each.run)
    return [
        _repeated(cell, runs, results, options) for cell, runs in cells.items() if len(runs) > 1
    ]


def _repeated(
    cell: CellKey, runs: Sequence[RemoteRun], results: Results, options: ImportOptions
) -> str:
    arm, seed, fold = cell
    parts = [arm, options.seed and f"seed {seed}", options.fold and f"fold {fold}"]
    where = ", ".join(filter(None, parts))
    if results.trial_of is not None:
        arm_of = ",".join(options.arm)
        return (
            f"{len(runs)} trials are all of {where}: name every parameter that makes an arm, such "
            f"as --arm {arm_of},KEY, and the seed and fold. {_differing(runs)}"
        )
    if options.seed is not None:
        ids = join_names([run.id for run in runs], NAMED_MOST, before_rest=", ")
        return f"{len(runs)} {results.noun}s are all of {where}: {ids}; leave one of them"
    or_fold = " or --fold KEY" if options.fold is None else ""
    return (
        f"{len(runs)} finished {results.noun}s are all of {where}: name the key that tells repeats "
        f"apart with --seed KEY{or_fold}. {_differing(runs)}"
    )


def _arms(fields: Sequence[Fields], keys: Sequence[str]) -> list[str]:
    """Return the arm of each run: the value of the only key if values are names, or `key=value`."""
    if len(keys) == 1:
        values = [each.get(keys[0]) for each in fields]
        if all(_is_name(value) for value in values):
            return [text_of(value) for value in values]
    return [",".join(f"{key}={text_of(each.get(key))}" for key in keys) for each in fields]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and isinstance(number_of(value), str)


def text_of(value: Any) -> str:
    """Return a value as it stands in an arm's name; a missing one is `unset`."""
    return UNSET if value is None else format_json(value)


def _numbers(
    what: str, key: str | None, fields: Sequence[Fields], first: int
) -> tuple[list[int], list[str]]:
    """Return the runs' integers under a key; number other values in their order, with a note."""
    if key is None:
        return [first] * len(fields), []
    values = [each.get(key) for each in fields]
    if all(_is_integer(value) for value in values):
        return [int(value) for value in values if value is not None], []
    order = sorted({text_of(value) for value in values})
    numbering = ", ".join(f"{number}: {text}" for number, text in enumerate(order, first))
    note = f"The values of {key} are no whole numbers; as {what}s they are numbered ({numbering})."
    return [first + order.index(text_of(value)) for value in values], [note]


def _is_integer(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def newest_runs(
    assigned: Sequence[AssignedRun],
) -> tuple[dict[CellKey, AssignedRun], list[str]]:
    """Return one run a cell, the newest finished or else the newest, and a note on the others."""
    newest: dict[CellKey, AssignedRun] = {}
    for each in sorted(assigned, key=lambda each: (each.run.state == "finished", each.run.created)):
        newest[each.cell_key] = each
    kept = {each.run.id for each in newest.values()}
    finished = [each.run for each in assigned if each.run.state == "finished"]
    older = [run for run in finished if run.id not in kept]
    return newest, _named("older than another finished run of their cell and left out", older)


def changes_of(
    assigned: Sequence[AssignedRun], baseline: str, keys: Sequence[str] = ()
) -> dict[str, Fields]:
    """Return each arm's values that all its runs share and that the baseline's runs do not have.

    Also of keys other than the `keys` that make the arms: a reader sees what changed with them.
    """
    common: dict[str, Fields] = {}
    for each in assigned:
        fields = fields_of(each.run)
        before = common.setdefault(each.arm, fields)
        common[each.arm] = {key: before[key] for key in before if fields.get(key) == before[key]}
    reference = common[baseline]
    others = [key for key in reference if key not in {*keys, *IDENTITY, *ORIGIN, *BESIDE}]
    return {
        arm: {key: fields.get(key) for key in keys if fields.get(key) != reference.get(key)}
        | {key: fields[key] for key in others if key in fields and fields[key] != reference[key]}
        for arm, fields in common.items()
    }


def _differing(runs: Sequence[RemoteRun]) -> str:
    """Return a sentence on the keys whose values differ among the runs."""
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
