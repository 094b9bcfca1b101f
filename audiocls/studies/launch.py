"""`launch`: bring a study of any kind to its end, or as far as time and limits allow.

Without torch: a finished study is recognised by its files, and workers start only for what is
missing.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from audiocls.errors import MachineFault, UsageError
from audiocls.execution.scheduler import UNLIMITED, Launch, Limits, StoppedBy, stop_on_signal
from audiocls.formatting import plural, with_runs
from audiocls.machine.disk import in_mib
from audiocls.store import (
    Choice,
    SearchPlan,
    State,
    Study,
    StudyFolder,
    count_states,
    extended,
)
from audiocls.store.proposals import BUILT_IN
from audiocls.studies.growth import check_can_extend
from audiocls.studies.options import Display, OpenExecutor
from audiocls.studies.sources import StudySource
from audiocls.studies.sources.unchanged import WhileUnchanged
from audiocls.studies.status import failure_notes, launch_command, over_budget_lines

Reason = StoppedBy | Literal["program"]
WHY: dict[Reason, str] = {
    "signal": "stopped",
    "budget": "out of time",
    "failures": "given up: every trial failed",
    "machine": "stopped by this machine",
    "program": "stopped, for the program was changed while its trials were run",
}
EXIT_CODES: dict[Reason, int] = {
    "signal": 75,
    "program": 75,
    "machine": MachineFault.exit_code,
    "budget": 124,
}


@dataclass(frozen=True)
class Prepared:
    """A study that can be launched."""

    folder: StudyFolder
    study: Study
    open_source: Callable[[Study], StudySource]
    """From the plan that is kept, to the trials to run; called while the study is held."""
    open_executor: OpenExecutor
    limits: Limits = UNLIMITED
    is_exclusive: bool = True
    """Whether no other process may launch the study meanwhile."""
    blocked: tuple[Choice, ...] = ()
    """Arms and folds without trials, for they could not choose their values."""
    is_outdated: Callable[[], bool] = lambda: False
    """Whether what its trials run was changed since it was prepared."""


@dataclass(frozen=True)
class Outcome:
    """What a launch ended with."""

    study: Study
    counts: dict[State, int]
    """Over the trials of this launch; of a search, all that were ever proposed."""
    num_trained: int
    stopped_by: Reason | None
    is_replaced: bool = False
    """Whether the study's folder held another plan before."""
    notes: tuple[str, ...] = ()
    """What went wrong without harm, such as tracking that stopped."""
    blocked: tuple[Choice, ...] = ()
    """Arms and folds without trials, for they could not choose their values."""
    fault: str = ""
    """What of the machine failed, where that stopped the launch."""

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some failed, 75 stopped, 124 out of time."""
        return exit_code_of(self.stopped_by, self.counts) or (3 if self.blocked else 0)


def launch(prepared: Prepared, display: Display) -> Outcome:
    """Run every trial that the study's source offers; return how that ended.

    Raises `UsageError` if the study is to be exclusive and another process is launching it, or if
    its folder holds trials of something else.
    """
    folder = prepared.folder
    alone = folder.launching() if prepared.is_exclusive else nullcontext()
    with display.watching() as watch, alone, stop_on_signal() as stop:
        with folder.planning():
            folder.remove_leftovers()
            kept, is_replaced = write_plan(folder, prepared.study)
        source = WhileUnchanged(prepared.open_source(kept), prepared.is_outdated)
        scheduler = Launch(source, watch, prepared.limits)
        if source.has_next():
            scheduler.drive(prepared.open_executor(source.max_parallel, stop), stop)
        counts = count_states(source.states())
        is_outdated = prepared.is_outdated()
        is_whole = source.is_over() and not counts["pending"] and not counts["running"]
        is_whole = is_whole and not is_outdated
        reason: Reason | None = scheduler.stopped_by or ("program" if is_outdated else None)
        return Outcome(
            source.study,
            counts,
            scheduler.num_done,
            None if is_whole else reason,
            is_replaced,
            notes=tuple(scheduler.notes),
            blocked=prepared.blocked,
            fault=scheduler.fault,
        )


def exit_code_of(stopped_by: Reason | None, counts: Mapping[State, int]) -> int:
    """Return 0 all done, 3 some failed, 75 stopped, 124 out of time."""
    if stopped_by in EXIT_CODES:
        return EXIT_CODES[stopped_by]
    return 0 if counts["done"] == sum(counts.values()) else 3


def write_plan(folder: StudyFolder, study: Study) -> tuple[Study, bool]:
    """Store the plan with what was launched before under the same question.

    Returns it, and whether the folder held another plan before. Raises `UsageError` where the two
    cannot share a folder.
    """
    if not folder.exists():
        folder.write_study(study)
        return study, False
    before = folder.study()
    check_same_trials(before, study, folder.path.parent)
    if study.kind != "search":
        check_can_extend(before, study, folder.path.parent)
    kept = study if study.kind == "search" else extended(before, study)
    if kept != before:
        folder.write_study(kept)
    return kept, not set(before.cells) <= set(kept.cells)


def check_same_trials(before: Study, study: Study, runs: Path) -> None:
    """Raise `UsageError` if the two, of one name in `runs`, cannot be the same study.

    One is a search and the other is not, they run something else, or they are of two files.
    """
    if before.search is None and study.search is None:
        return
    if study.search is None:
        raise UsageError(f"study {before.name!r} is a sweep: it has no arms to compare")
    if before.search is None:
        raise UsageError(f"study {before.name!r} is an ablation's; choose another with --study")
    if before.search.runs != study.search.runs:
        raise UsageError(
            f"study {before.name!r} holds trials of {before.search.runs!r}, not of "
            f"{study.search.runs!r}: their results would be mixed. Keep both with --study NAME"
        )
    if _is_elsewhere(before.search, study.search):
        is_same = before.search.code == study.search.code
        differs = "" if is_same else ", which runs another program"
        raise UsageError(
            f"study {before.name!r} is that of {before.search.file}; got: {study.search.file}"
            f"{differs}. A study belongs to one file: keep both with --study NAME, such as: "
            f"{_as_another(study, runs)}"
        )


def _as_another(study: Study, runs: Path) -> str:
    assert study.request is not None
    return with_runs(replace(study.request, study=f"{study.name}-2").line(), runs)


def _is_elsewhere(before: SearchPlan, now: SearchPlan) -> bool:
    """Whether the study is another file's: one that is still there, and so was not moved here."""
    if not before.file or not now.file or before.file == now.file:
        return False
    return before.file.startswith(BUILT_IN) or Path(before.file).exists()


def summary_of(outcome: Outcome, runs: Path) -> list[str]:
    """Return what was done, what failed, and what to do next, as sentences."""
    counts, folder = outcome.counts, StudyFolder(runs / outcome.study.name)
    reused = counts["done"] - outcome.num_trained
    lines = [f"{outcome.num_trained} trained, {reused} reused, {counts['failed']} failed"]
    if reused > 0:
        lines.append(f"reused: {_origin(outcome, folder)}")
    if num := len(outcome.notes):
        lines.append(f"{plural(num, 'trial')} with a note, the last: {outcome.notes[-1]}")
    if outcome.fault:
        lines.append(outcome.fault + _needed(outcome, folder))
    if outcome.study.kind == "search":
        lines += over_budget_lines(folder)
    if counts["failed"]:
        lines += failure_notes(folder)
    if outcome.stopped_by is not None:
        left = counts["pending"] + counts["running"]
        cells = f": {left} cell{'s' * (left > 1)} to go" if left else ""
        again = launch_command(folder)
        lines.append(f"{WHY[outcome.stopped_by]}{cells}. Resume with: {again}")
    return lines


def _needed(outcome: Outcome, folder: StudyFolder) -> str:
    """Return about how much the cells to go will write, if finished ones tell."""
    counts = outcome.counts
    done = (file for file in folder.path.glob("trials/*/record.json"))
    sizes = [sum(each.stat().st_size for each in file.parent.iterdir()) for file in done]
    num_left = counts["pending"] + counts["running"]
    if not sizes or not num_left:
        return ""
    total = in_mib(num_left * sum(sizes) // len(sizes))
    return f". The cells to go write about {total} into {folder.path}"


def _origin(outcome: Outcome, folder: StudyFolder) -> str:
    """Return where the reused trials lie, and when they were trained, by which code."""
    search = outcome.study.search
    cells = folder.proposals() if search else outcome.study.cells
    finished = sorted(r.provenance.finished for r in folder.records(cells).values())
    early = finished[: len(finished) - outcome.num_trained]
    when = f", finished {early[0]} to {early[-1]}" if early and early[0] else ""
    code = f", by a program of digest {search.code}" if search and search.code else ""
    return f"{folder.path}/trials{when}{code}"
