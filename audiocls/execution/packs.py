"""Several trials of one worker at once: those of one shape, in the form that its device gets.

To the scheduler they are trials like any others: each has its events, its failure, its stop and its
snapshot, from which it also resumes alone. Out of memory, a pack is halved; a trial left alone goes
on as `train_trial` would have it.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from audiocls.config import Config
from audiocls.errors import AudioclsError
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Ended, Event, Notice
from audiocls.execution.trial import closing, concluded, dataset_of, ended_by, train_trial
from audiocls.execution.trial_run import Meanwhile, TrialRun
from audiocls.execution.worker_cache import WorkerCache
from audiocls.parts import KEPT
from audiocls.tracking import Ending
from audiocls.training.device import resolve_device
from audiocls.training.fit import Signal, fit
from audiocls.training.fused import FusedStep
from audiocls.training.graphed import GraphedStep
from audiocls.training.memory import free_memory, is_out_of_memory
from audiocls.training.pack import Member, Outcome, fit_pack_as_completed
from audiocls.training.packing import form_on, graph_obstacle, obstacle, shape_key
from audiocls.training.state import TrainingState, build
from audiocls.training.step import EagerStep, StepForm

FILLED = 0.85
"""Share of a device's memory that a pack may take."""
PollTrial = Callable[[str], Signal]
"""From a trial's id to what the scheduler wants of it."""
Opened = tuple[TrialRun, TrainingState]


def train_jobs(
    jobs: Sequence[NativeJob],
    worker_cache: WorkerCache,
    emit: Callable[[Event], None],
    poll_signal: PollTrial,
    meanwhile: Meanwhile | None = None,
) -> int:
    """Train trials, those of one shape at once; emit for each what `train_trial` emits.

    Return how many were trained at once last, which is what the peak of memory since is of.
    """
    num_at_once = 1
    for group in groups_of_one_shape(jobs) if len(jobs) > 1 else [list(jobs)]:
        free_memory()  # of the group before: its steps, and errors, may be part of cycles
        if len(group) == 1:
            [job] = group
            polling = _polling(poll_signal, job.id)
            train_trial(job, worker_cache, emit, polling, meanwhile, lone_form)
            num_at_once = 1
        else:
            num_at_once = _train_group(group, worker_cache, emit, poll_signal, meanwhile)
    return num_at_once


def groups_of_one_shape(jobs: Sequence[NativeJob]) -> list[list[NativeJob]]:
    """Return the jobs in packs; one that cannot be packed is alone, and one that is finished."""
    groups: dict[object, list[NativeJob]] = {}
    for job in jobs:
        try:
            config = Config.model_validate(job.spec.config, context=KEPT)
            form = form_on(resolve_device(config.device).type)
            is_alone = job.trial.record() is not None or bool(obstacle(config, form))
        except (ValueError, AudioclsError):  # the trial itself says what is wrong with it
            is_alone = True
        key = job.id if is_alone else (shape_key(job.spec.config), job.spec.data_fingerprint)
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def lone_form(state: TrainingState) -> StepForm:
    """Return how a worker that takes packs computes the steps of a trial alone.

    In the form of packs where one trial can have it, so that it goes with those in packs.
    """
    is_graph = form_on(state.device.type) == "graph" and not graph_obstacle(state.config)
    return GraphedStep if is_graph else EagerStep


def measured_room(num_trials: int) -> int | None:
    """Return how many trials like the last ones the accelerator has memory for; none on a CPU.

    After ABLATOR (Fostiropoulos and Itti, 2023): one trial is trained alone, and measured.
    """
    if not torch.cuda.is_available():
        return None
    peak = torch.cuda.max_memory_allocated() / num_trials
    gc.collect()
    # Others may hold some; what this process keeps for later allocations is its own to fill.
    free, _ = torch.cuda.mem_get_info()
    kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return room_of(free + kept, peak)


def room_of(free_bytes: float, peak_bytes: float) -> int:
    """Return how many peaks fit, with a margin of 15 %, one at least.

    >>> room_of(1000, 200), room_of(1000, 2000)
    (4, 1)
    """
    return max(1, int(FILLED * free_bytes / max(1.0, peak_bytes)))


def _polling(poll_signal: PollTrial, trial_id: str) -> Callable[[], Signal]:
    return lambda: poll_signal(trial_id)


def _train_group(
    jobs: Sequence[NativeJob],
    worker_cache: WorkerCache,
    emit: Callable[[Event], None],
    poll_signal: PollTrial,
    meanwhile: Meanwhile | None,
) -> int:
    """Train trials of one shape; return how many were begun at once last."""
    by_size: dict[int, list[TrialRun]] = {}  # folds may differ in clips to train on
    for job in jobs:
        run = TrialRun(job, worker_cache, emit, _polling(poll_signal, job.id), meanwhile)
        try:
            run.open()
            by_size.setdefault(_num_clips(run), []).append(run)
        except Exception as error:
            _end(run, error)
    for runs in by_size.values():
        _train_pack(runs)
    return max(map(len, by_size.values()), default=1)


def _num_clips(run: TrialRun) -> int:
    """Return how many clips a trial that was opened has to train on."""
    split = dataset_of(run).table.split(run.config.fold, run.config.data.validation)
    return len(split.train)


def _train_pack(runs: Sequence[TrialRun], is_again: bool = False) -> None:
    """Train trials at once; what cannot be, in smaller packs from their stored snapshots."""
    left = _train_together(runs, is_again)
    if not left.runs:
        return
    free_memory()
    parts = left.parts()
    left.runs[0].emit(Notice(left.runs[0].job.id, left.sentence(len(runs), parts)))
    for part in parts:
        _train_pack(part, is_again=True)


@dataclass
class _Unfinished:
    """Trials of a pack that have yet to be trained, since they could not be at once."""

    runs: list[TrialRun] = field(default_factory=list)
    why: str = ""
    """Empty if memory was short."""

    def add(self, run: TrialRun, error: Exception, is_fused: bool) -> bool:
        """Add a trial if its error is one of being trained at once; return whether it is."""
        is_of_memory = is_out_of_memory(error)
        if not is_of_memory and not (is_fused and isinstance(error, RuntimeError)):
            return False
        self.runs.append(run)
        self.why = self.why if is_of_memory else f"{type(error).__name__}: {error}"
        return True

    def parts(self) -> list[list[TrialRun]]:
        """Return the packs that they go on in: each alone, or else halves."""
        if self.why:
            return [[run] for run in self.runs]
        middle = len(self.runs) // 2
        return [part for part in (self.runs[:middle], self.runs[middle:]) if part]

    def sentence(self, num: int, parts: Sequence[Sequence[TrialRun]]) -> str:
        """Return what becomes of them, for people."""
        if self.why:
            return f"cannot be trained at once with others ({self.why}): goes on one by one"
        numbers = " and ".join(str(len(part)) for part in parts)
        return f"out of memory with {num} trials at once: goes on with {numbers}"


def _train_together(runs: Sequence[TrialRun], is_again: bool) -> _Unfinished:
    """Train trials, each to its end; return those that could not be trained beside the others."""
    left, opened = _Unfinished(), list[Opened]()

    def end(
        run: TrialRun,
        outcome: Outcome,
        state: TrainingState | None = None,
        is_fused: bool = False,
    ) -> None:
        is_crowded = len(runs) > 1
        if isinstance(outcome, Exception) and is_crowded and left.add(run, outcome, is_fused):
            return
        _end(run, outcome, state)

    for run in runs:
        try:
            opened.append((run, _state_of(run, is_again)))
        except Exception as error:
            end(run, error)
    for (run, state), outcome, is_of_all in _leaving(opened):
        end(run, outcome, state, is_of_all and form_on(state.device.type) == "fused")
        del outcome  # an error refers to the frames in which it was raised, and to their tensors
    return left


def _state_of(run: TrialRun, is_again: bool) -> TrainingState:
    """Return a trial that was opened, ready for its first step, or for one that it resumes at."""
    if is_again:
        run.read_snapshot()
    return build(run.config, dataset_of(run))


def _leaving(pack: Sequence[Opened]) -> Iterator[tuple[Opened, Outcome, bool]]:
    """Train trials at once; yield each as it leaves, and whether that is by an error of all."""
    running, outcomes = dict(enumerate(pack)), _outcomes(pack)
    while running:
        try:
            leaving, is_of_all = [next(outcomes)], False
        except Exception as error:
            leaving, is_of_all = [(index, error) for index in running], True
        while leaving:
            index = leaving[0][0]
            yield running.pop(index), leaving.pop(0)[1], is_of_all


def _outcomes(pack: Sequence[Opened]) -> Iterator[tuple[int, Outcome]]:
    """Train trials at once; yield each one's number and outcome as it leaves."""
    if len(pack) == 1:
        [(run, state)] = pack
        yield 0, fit(state, run.end_epoch, run.snapshot, lone_form(state))
        return
    form: StepForm = FusedStep if form_on(pack[0][1].device.type) == "fused" else GraphedStep
    members = [Member(state, run.end_epoch, run.snapshot) for run, state in pack]
    yield from fit_pack_as_completed(members, form)


def _end(run: TrialRun, outcome: Outcome, state: TrainingState | None = None) -> None:
    """Record a trial, or its failure, and emit its last event."""
    run.end(run.without_fault(partial(_conclude, run, outcome, state)))


def _conclude(run: TrialRun, outcome: Outcome, state: TrainingState | None) -> Callable[[], Ended]:
    """Record a trial, or its failure; return what finishes its trackers."""
    try:
        if isinstance(outcome, Exception):
            raise outcome
        assert state is not None
        ended, ending = concluded(run, state, outcome)
    except Exception as error:
        ended, ending = ended_by(error, run), Ending(exit_code=1)
    return closing(run, ended, ending)
