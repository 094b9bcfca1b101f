"""`launch`: bring a study of any kind to its end, or as far as time and limits allow.

Without torch: a finished study is recognised by its files, and workers start only for what is
missing.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from audiocls.errors import MachineFault, UsageError
from audiocls.execution.blocks import Blocks
from audiocls.execution.executors import Executor
from audiocls.execution.messages import Watch
from audiocls.execution.scheduler import UNLIMITED, Launch, Limits, StoppedBy
from audiocls.stop_signals import stop_on_signal
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
from audiocls.store.submissions import Submission
from audiocls.studies.growth import check_can_extend
from audiocls.studies.joining import Membership, joining
from audiocls.studies.options import Display, OpenExecutor
from audiocls.studies.request import relaunch_line
from audiocls.studies.sources import StudySource
from audiocls.studies.sources.unchanged import WhileUnchanged

Reason = StoppedBy | Literal["program", "tasks"]
EXIT_CODES: dict[Reason, int] = {
    "signal": 75,
    "devices": 75,
    "program": 75,
    "tasks": 75,
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
    is_native: bool = True
    """Whether our own code trains, and not a program of the user's."""
    is_single: bool = False
    """Whether it is one cell alone, which leaves the plan of other launches aside."""
    blocked: tuple[Choice, ...] = ()
    """Arms and folds without trials, because their tuning chose no values."""
    is_outdated: Callable[[], bool] = lambda: False
    """Whether the code that its trials run has changed since it was prepared."""


@dataclass(frozen=True)
class Outcome:
    """How a launch ended."""

    study: Study
    counts: dict[State, int]
    """Over the trials of this launch; of a search, all that were ever proposed."""
    num_trained: int
    stopped_by: Reason | None
    is_replaced: bool = False
    """Whether the study's folder held another plan before."""
    notes: tuple[str, ...] = ()
    """What went wrong without harm to results, such as tracking that stopped."""
    blocked: tuple[Choice, ...] = ()
    """Arms and folds without trials, because their tuning chose no values."""
    fault: str = ""
    """The fault of the machine that stopped the launch; empty where none did."""
    num_elsewhere: int = 0
    """Trials that other launches finished while this one ran."""
    submitted: Submission | None = None
    """The job array that was submitted, or that a dry run would submit."""

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some failed, 75 stopped, 124 out of time."""
        return exit_code_of(self.stopped_by, self.counts) or (3 if self.blocked else 0)


def launch(prepared: Prepared, display: Display) -> Outcome:
    """Run every trial that the study's source offers; return how that ended.

    Other launches of the study share its trials. Raises `UsageError` if one of them runs it with
    other code or settings, or if its folder holds trials of something else.
    """
    folder = prepared.folder
    with (
        display.watching() as watch,
        stop_on_signal() as stop,
        joining(folder, stop) as membership,
    ):
        if prepared.is_native:
            membership.require_same_code()
        kept, is_replaced = _plan(prepared, membership)
        source = WhileUnchanged(prepared.open_source(kept), prepared.is_outdated)
        scheduler = Launch(source, _naming(folder, watch), prepared.limits)
        if source.has_next():
            executor = prepared.open_executor(source.max_parallel, stop)
            if prepared.is_native:
                membership.describe_code()
            for text in _run(scheduler, executor, source, folder, stop):
                display.note(text)
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
            notes=scheduler.notes.sentences(),
            blocked=prepared.blocked,
            fault=scheduler.fault,
            num_elsewhere=scheduler.num_elsewhere,
        )


def _naming(folder: StudyFolder, watch: Watch) -> Watch:
    """Return a watch that passes each status on with the study's folder."""
    return lambda status: watch(replace(status, study=folder.path))


def keep_plan(prepared: Prepared) -> tuple[Study, bool]:
    """Store the plan of a study that other launches will run; raises what `launch` does.

    Returns it, and whether the folder held another plan before.
    """
    with joining(prepared.folder, threading.Event()) as membership:
        if prepared.is_native:
            membership.require_same_code()
        return _plan(prepared, membership)


def _run(
    scheduler: Launch,
    executor: Executor[Any],
    source: StudySource,
    folder: StudyFolder,
    stop: threading.Event,
) -> Iterator[str]:
    """Run trials, each block of an ablation on one kind of device; yield why some were left."""
    blocks = Blocks(folder, lambda: source.study, executor.kind)

    def admits(trial_id: str) -> bool:
        blocks.kind = executor.kind  # of a cluster it is known once a worker has begun
        return blocks.admits(trial_id)

    if source.study.kind != "search":
        scheduler.claims.admits = admits
    scheduler.drive(executor, stop)
    if scheduler.stopped_by == "devices":
        yield blocks.sentence()


def _plan(prepared: Prepared, membership: Membership) -> tuple[Study, bool]:
    """Store the plan; a single cell leaves other launches alone, whatever they run."""

    def check(before: Study, kept: Study) -> None:
        if not prepared.is_single:
            membership.require_same_plan(before, kept)

    with prepared.folder.planning():
        prepared.folder.remove_leftovers()
        return write_plan(prepared.folder, prepared.study, check)


def exit_code_of(stopped_by: Reason | None, counts: Mapping[State, int]) -> int:
    """Return 0 all done, 3 some failed, 75 stopped, 124 out of time."""
    if stopped_by in EXIT_CODES:
        return EXIT_CODES[stopped_by]
    return 0 if counts["done"] == sum(counts.values()) else 3


def write_plan(
    folder: StudyFolder, study: Study, check: Callable[[Study, Study], None] = lambda *_: None
) -> tuple[Study, bool]:
    """Store the plan with what was launched before under the same question.

    Returns it, and whether the folder held another plan before. Raises `UsageError` where the two
    cannot share a folder, and what `check` does with the plan before and the one to be kept.
    """
    if not folder.exists():
        folder.write_study(study)
        return study, False
    before = folder.study()
    check_same_trials(before, study, folder.path.parent)
    if study.kind != "search":
        check_can_extend(before, study, folder.path.parent)
    kept = study if study.kind == "search" else extended(before, study)
    check(before, kept)
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
    request = replace(study.request, study=f"{study.name}-2")
    return relaunch_line(replace(study, command=request.line(), request=request), runs)


def _is_elsewhere(before: SearchPlan, now: SearchPlan) -> bool:
    """Whether the study is another file's: one that is still there, and so was not moved here."""
    if not before.file or not now.file or before.file == now.file:
        return False
    return before.file.startswith(BUILT_IN) or Path(before.file).exists()
