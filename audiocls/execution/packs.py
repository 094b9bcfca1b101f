"""Several trials of one worker at once: those of one shape are trained as one network.

To the scheduler they are trials like any others: each has its events, its failure, its stop and its
snapshot, from which it also resumes alone. Out of memory, a pack is halved; a trial left alone goes
on as `train_trial` would have it.
"""

from collections.abc import Callable, Sequence

import torch

from audiocls.config import Config
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Ended, Event, Interrupted
from audiocls.execution.trial import concluded, dataset_of, failed, train_trial
from audiocls.execution.trial_run import TrialRun
from audiocls.execution.worker_cache import WorkerCache
from audiocls.parts import KEPT
from audiocls.store.lease import LeaseLost
from audiocls.tracking import Ending
from audiocls.training.fit import Signal, fit
from audiocls.training.micro_batches import is_out_of_memory
from audiocls.training.pack import Member, fit_pack, obstacle, shape_key
from audiocls.training.progress import Progress
from audiocls.training.state import TrainingState, build

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
) -> None:
    """Train trials, those of one shape at once; emit for each what `train_trial` emits."""
    for group in groups_of_one_shape(jobs) if len(jobs) > 1 else [list(jobs)]:
        if len(group) == 1 or any(job.trial.record() is not None for job in group):
            for job in group:
                train_trial(job, worker_cache, emit, _polling(poll_signal, job.id))
        else:
            _train_group(group, worker_cache, emit, poll_signal)


def groups_of_one_shape(jobs: Sequence[NativeJob]) -> list[list[NativeJob]]:
    """Return the jobs in packs; one that cannot be packed is alone."""
    groups: dict[object, list[NativeJob]] = {}
    for job in jobs:
        try:
            is_alone = bool(obstacle(Config.model_validate(job.spec.config, context=KEPT)))
        except ValueError:  # the trial itself says what is wrong with it
            is_alone = True
        key = job.id if is_alone else (shape_key(job.spec.config), job.spec.data_fingerprint)
        groups.setdefault(key, []).append(job)
    return list(groups.values())


def measured_room(num_trials: int) -> int | None:
    """Return how many trials like the last ones the accelerator has memory for; none on a CPU.

    After ABLATOR (Fostiropoulos and Itti, 2023): one trial is trained alone, and measured.
    """
    if not torch.cuda.is_available():
        return None
    peak = torch.cuda.max_memory_allocated() / num_trials
    return room_of(torch.cuda.mem_get_info()[1], peak)


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
) -> None:
    opened: list[Opened] = []
    for job in jobs:
        run = TrialRun(job, worker_cache, emit, _polling(poll_signal, job.id))
        try:
            run.open()
            opened.append((run, _state_of(run)))
        except Exception as error:
            _end(run, error)
    for pack in _of_equal_size(opened):
        _train_pack(pack)


def _state_of(run: TrialRun) -> TrainingState:
    """Return a trial that was opened, ready for its first step."""
    return build(run.config, dataset_of(run))


def _of_equal_size(opened: Sequence[Opened]) -> list[list[Opened]]:
    """Return trials together that have as many clips to train on: folds may differ in that."""
    sizes: dict[int, list[Opened]] = {}
    for run, state in opened:
        sizes.setdefault(len(state.split.train), []).append((run, state))
    return list(sizes.values())


def _train_pack(pack: Sequence[Opened]) -> None:
    """Train trials at once; out of memory, each half of them from its stored snapshots."""
    try:
        outcomes = _outcomes(pack)
    except Exception as error:
        if is_out_of_memory(error) and len(pack) > 1:
            middle = len(pack) // 2
            for half in (pack[:middle], pack[middle:]):
                _train_pack([_begun_again(run) for run, _ in half])
            return
        outcomes = [error for _ in pack]
    for (run, state), outcome in zip(pack, outcomes, strict=True):
        _end(run, outcome, state)


def _outcomes(pack: Sequence[Opened]) -> list[Progress | Exception]:
    if len(pack) == 1:
        [(run, state)] = pack
        return [fit(state, run.end_epoch, run.snapshot)]
    return fit_pack([Member(state, run.end_epoch, run.snapshot) for run, state in pack])


def _begun_again(run: TrialRun) -> Opened:
    run.read_snapshot()
    return run, _state_of(run)


def _end(run: TrialRun, outcome: Progress | Exception, state: TrainingState | None = None) -> None:
    """Record a trial, or its failure, and emit its last event."""
    run.emit(run.without_fault(lambda: run.close(*_ended(run, outcome, state))))


def _ended(
    run: TrialRun, outcome: Progress | Exception, state: TrainingState | None
) -> tuple[Ended, Ending]:
    try:
        if isinstance(outcome, Exception):
            raise outcome
        assert state is not None
        return concluded(run, state, outcome)
    except LeaseLost:
        return Interrupted(run.job.id, is_taken=True), Ending(exit_code=1)
    except Exception as error:
        return failed(run, error), Ending(exit_code=1)
