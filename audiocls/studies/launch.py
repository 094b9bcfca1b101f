"""`launch`: bring a study of any kind to its end, or as far as time and limits allow.

Without torch: a finished study is recognised by its files, and workers start only for what is
missing.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from audiocls.errors import MachineFault, UsageError
from audiocls.execution.scheduler import UNLIMITED, Launch, Limits, StoppedBy, stop_on_signal
from audiocls.machine.disk import in_mib
from audiocls.store import Choice, State, Study, StudyFolder, count_states, extended
from audiocls.studies.growth import check_can_extend
from audiocls.studies.options import Display, OpenExecutor
from audiocls.studies.sources import StudySource
from audiocls.studies.status import failure_notes, launch_command

WHY = {
    "signal": "stopped",
    "budget": "out of time",
    "failures": "given up: every trial failed",
    "machine": "stopped by this machine",
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


@dataclass(frozen=True)
class Outcome:
    """What a launch ended with."""

    study: Study
    counts: dict[State, int]
    """Over the trials of this launch; of a search, all that were ever proposed."""
    num_trained: int
    stopped_by: StoppedBy | None
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
            kept, is_replaced = write_plan(folder, prepared.study)
        source = prepared.open_source(kept)
        scheduler = Launch(source, watch, prepared.limits)
        if source.has_next():
            scheduler.drive(prepared.open_executor(source.max_parallel, stop), stop)
        counts = count_states(source.states())
        is_whole = source.is_over() and not counts["pending"] and not counts["running"]
        stopped_by = None if is_whole else scheduler.stopped_by
        return Outcome(
            source.study,
            counts,
            scheduler.num_done,
            stopped_by,
            is_replaced,
            notes=tuple(scheduler.notes),
            blocked=prepared.blocked,
            fault=scheduler.fault,
        )


def exit_code_of(stopped_by: StoppedBy | None, counts: Mapping[State, int]) -> int:
    """Return 0 all done, 3 some failed, 75 stopped, 124 out of time."""
    if stopped_by in ("signal", "budget", "machine"):
        return {"signal": 75, "budget": 124, "machine": MachineFault.exit_code}[stopped_by]
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
    check_same_trials(before, study)
    if study.kind != "search":
        check_can_extend(before, study)
    kept = study if study.kind == "search" else extended(before, study)
    if kept != before:
        folder.write_study(kept)
    return kept, not set(before.cells) <= set(kept.cells)


def check_same_trials(before: Study, study: Study) -> None:
    """Raise `UsageError` if one of the two is a search, and the other something else."""
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


def summary_of(outcome: Outcome, runs: Path) -> list[str]:
    """Return what was done, what failed, and what to do next, as sentences."""
    counts, folder = outcome.counts, StudyFolder(runs / outcome.study.name)
    reused = counts["done"] - outcome.num_trained
    lines = [f"{outcome.num_trained} trained, {reused} reused, {counts['failed']} failed"]
    if num := len(outcome.notes):
        trials = f"{num} trial{'s' * (num > 1)}"
        lines.append(f"tracking incomplete for {trials}: {outcome.notes[-1]}")
    if outcome.fault:
        lines.append(outcome.fault + _needed(outcome, folder))
    if counts["failed"]:
        lines += failure_notes(folder)
    if outcome.stopped_by:
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
