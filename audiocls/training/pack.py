"""A pack: trials of one shape that are trained at once, each with its own ends and snapshots.

Which trials these are says `packing`. A trial that fails, stops or ends leaves the pack, and the
others go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from audiocls.training.determinism import determinism
from audiocls.training.fit import EpochEnd, RunningTrial, Signal, train_epoch
from audiocls.training.fused import FusedStep
from audiocls.training.progress import Progress
from audiocls.training.state import TrainingState
from audiocls.training.step import StepForm


@dataclass(frozen=True)
class Member:
    """One trial of a pack."""

    state: TrainingState
    on_epoch: Callable[[EpochEnd], Signal]
    resume: bytes | None = None


def fit_pack(members: Sequence[Member], form: StepForm = FusedStep) -> list[Progress | Exception]:
    """Train each as `fit` does, at once; return what `fit` would have returned or raised.

    The members have one `shape_key`, no `obstacle`, and as many clips to train on.
    """
    outcomes: dict[int, Progress | Exception] = {}
    running: dict[int, RunningTrial] = {}
    for index, member in enumerate(members):
        try:
            running[index] = RunningTrial(member.state, member.on_epoch, member.resume)
        except Exception as error:
            outcomes[index] = error
    first = members[0].state
    with determinism(first.config.train.deterministic, first.device):
        while running := _still(running, outcomes):
            _train_until_one_leaves(running, outcomes, form)
    return [outcomes[index] for index in range(len(members))]


def _still(
    running: dict[int, RunningTrial], outcomes: dict[int, Progress | Exception]
) -> dict[int, RunningTrial]:
    """Return the trials that have epochs left; note how the others ended."""
    ended = {index: trial.progress for index, trial in running.items() if trial.is_over}
    outcomes |= {index: progress for index, progress in ended.items() if index not in outcomes}
    return {index: trial for index, trial in running.items() if index not in outcomes}


def _train_until_one_leaves(
    running: dict[int, RunningTrial], outcomes: dict[int, Progress | Exception], form: StepForm
) -> None:
    """Train epochs of all; a trial that fails in what follows its steps fails alone."""
    trials = list(running.values())
    step = form([trial.state for trial in trials])
    while not any(trial.is_over for trial in trials) and not outcomes.keys() & running.keys():
        for trial in trials:
            trial.begin_epoch(step.execution, len(trials))
        for (index, trial), row in zip(running.items(), train_epoch(step, trials), strict=True):
            try:
                trial.end_epoch(row, share=1 / len(trials))
            except Exception as error:
                outcomes[index] = error
