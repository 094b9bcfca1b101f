"""`launch`: bring a study to its end, or as far as time and patience allow.

Without torch: a finished study is recognised by its files, and workers start only for what is
missing.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from audiocls.errors import UsageError
from audiocls.execution.executors import Executor
from audiocls.execution.interrupt import stop_on_signal
from audiocls.execution.job import NativeJob
from audiocls.execution.scheduler import UNLIMITED, Launch, Limits, StoppedBy, Watch
from audiocls.execution.trial_source import FixedSource
from audiocls.store import Cell, State, Study, StudyFolder, SweepStudy, count_states, extended
from audiocls.store.reuse import copy_finished
from audiocls.studies.growth import check_can_extend
from audiocls.studies.sources.search import SearchSource

OpenExecutor = Callable[[int, threading.Event], Executor[Any]]
"""From the number of missing trials and the wish to stop."""


@dataclass(frozen=True)
class Outcome:
    """What a launch ended with."""

    study: Study
    counts: dict[State, int]
    """Over the trials that this launch was asked for."""
    num_trained: int
    stopped_by: StoppedBy | None
    is_replaced: bool
    """Whether the study's folder held another plan before."""
    notes: tuple[str, ...] = ()
    """What went wrong without harm."""

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some failed, 75 stopped, 124 out of time."""
        return exit_code_of(self.stopped_by, self.counts)


def launch(
    folder: StudyFolder,
    study: Study,
    job_of: Callable[[Cell], NativeJob],
    open_executor: OpenExecutor,
    watch: Watch,
    limits: Limits = UNLIMITED,
    is_exclusive: bool = True,
    lender: StudyFolder | None = None,
) -> Outcome:
    """Train every trial of `study` that is neither finished nor failed, once.

    What `lender` has finished is copied. Raises `UsageError` if it is to be exclusive and another
    process is launching this study.
    """
    alone = folder.launching() if is_exclusive else nullcontext()
    with alone, stop_on_signal() as stop:
        asked = study.cells
        with folder.planning():
            study, is_replaced = write_plan(folder, study)
        if lender is not None:
            copy_finished(asked, lender, folder)
        states = folder.states(asked)
        missing = _missing([job_of(cell) for cell in asked], states)
        num_reused = sum(states[cell.id] == "done" for cell in asked)
        num_reused -= sum(states[task.id] == "done" for task in missing)
        passed = Launch(FixedSource(missing), num_reused + len(missing), num_reused, watch, limits)
        if missing:
            passed.drive(open_executor(len(missing), stop), stop)
        counts = count_states(folder.states(asked) if missing else states)
        is_whole = not counts["pending"] and not counts["running"]
        stopped_by = None if is_whole else passed.stopped_by
        notes = tuple(passed.notes)
        return Outcome(study, counts, passed.num_done, stopped_by, is_replaced, notes)


@dataclass(frozen=True)
class SweepOutcome:
    """What the launch of a sweep ended with."""

    counts: dict[State, int]
    """Over all that was ever proposed for it."""
    num_trained: int
    stopped_by: StoppedBy | None
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some failed, 75 stopped, 124 out of time."""
        return exit_code_of(self.stopped_by, self.counts)


def launch_sweep(
    folder: StudyFolder,
    study: SweepStudy,
    search: Callable[[], SearchSource],
    open_executor: Callable[[threading.Event], Executor[Any]],
    watch: Watch,
    limits: Limits = UNLIMITED,
) -> SweepOutcome:
    """Run what `search` proposes until it is over; `search` is made once the study is ours.

    Raises `UsageError` if another process is launching it, or if its folder holds another's trials.
    """
    with folder.launching(), stop_on_signal() as stop:
        require_same(folder, study)
        folder.write_study(study)
        supply = search()
        num_done = count_states(folder.states(supply.proposals))["done"]
        passed = Launch(supply, supply.num_trials, num_done, watch, limits)
        if supply.has_next():
            passed.drive(open_executor(stop), stop)
        counts = count_states(folder.states(supply.proposals))
        return SweepOutcome(counts, passed.num_done, passed.stopped_by, tuple(passed.notes))


def require_same(folder: StudyFolder, study: SweepStudy) -> None:
    """Raises `UsageError` if the folder holds trials of something else."""
    if not folder.exists():
        return
    if not folder.is_sweep():
        raise UsageError(f"study {folder.name!r} is an ablation's; choose another with --study")
    before = folder.sweep_study()
    if before.runs != study.runs:
        raise UsageError(
            f"study {folder.name!r} holds trials of {before.runs!r}, not of {study.runs!r}: their "
            "results would be mixed. Keep both with --study NAME"
        )


def exit_code_of(stopped_by: StoppedBy | None, counts: Mapping[State, int]) -> int:
    """0 all done, 3 some failed, 75 stopped, 124 out of time."""
    if stopped_by in ("signal", "budget"):
        return {"signal": 75, "budget": 124}[stopped_by]
    return 0 if counts["done"] == sum(counts.values()) else 3


def _missing(jobs: Sequence[NativeJob], states: Mapping[str, State]) -> list[NativeJob]:
    """What is to be trained; a finished trial too, where a W&B run waits to be told of it."""
    open_states = ("pending", "running")
    return [
        job
        for job in jobs
        if states[job.id] in open_states or (job.tracking.run_id and states[job.id] == "done")
    ]


def write_plan(folder: StudyFolder, study: Study) -> tuple[Study, bool]:
    """The plan to keep: what was launched before under this question stays in it.

    Raises `UsageError` where the one launched before grows by looks, and this would not be one.
    """
    if not folder.exists():
        folder.write_study(study)
        return study, False
    before = folder.study()
    check_can_extend(before, study)
    grown = extended(before, study)
    if grown != before:
        folder.write_study(grown)
    return grown, not set(before.cells) <= set(grown.cells)
