"""A pack: trials of one shape that are trained at once, each with its own ends and snapshots.

Which trials these are says `packing`. A trial that fails, stops or ends leaves the pack, and the
others go on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from audiocls.training.determinism import determinism
from audiocls.training.fit import EpochEnd, RunningTrial, Signal, train_epoch
from audiocls.training.fused import FusedStep
from audiocls.training.memory import free_memory
from audiocls.training.progress import Progress
from audiocls.training.state import TrainingState
from audiocls.training.step import StepForm

Outcome = Progress | Exception
"""What `fit` would have returned or raised."""


@dataclass(frozen=True)
class Member:
    """One trial of a pack."""

    state: TrainingState
    on_epoch: Callable[[EpochEnd], Signal]
    resume: bytes | None = None


def fit_pack(members: Sequence[Member], form: StepForm = FusedStep) -> list[Outcome]:
    """Train each as `fit` does, at once; return what `fit` would have returned or raised."""
    outcomes = dict(fit_pack_as_completed(members, form))
    return [outcomes[index] for index in range(len(members))]


def fit_pack_as_completed(
    members: Sequence[Member], form: StepForm = FusedStep
) -> Iterator[tuple[int, Outcome]]:
    """Train each as `fit` does, at once; yield each one's number and outcome as it leaves.

    The others stand still meanwhile, between two epochs. The members have one `shape_key`, no
    `obstacle`, and as many clips to train on.
    """
    running: dict[int, RunningTrial] = {}
    for index, member in enumerate(members):
        try:
            running[index] = RunningTrial(member.state, member.on_epoch, member.resume)
        except Exception as error:
            yield index, error
    first, leaving = members[0].state, list[tuple[int, Outcome]]()
    while running:
        leaving += [(index, each.progress) for index, each in running.items() if each.is_over]
        while leaving:
            del running[leaving[0][0]]
            yield leaving.pop(0)
        if running:
            free_memory()  # of the step with those that have left, and of their errors
            with determinism(first.config.train.deterministic, first.device):
                leaving += _train_until_one_leaves(running, form)


def _train_until_one_leaves(
    running: dict[int, RunningTrial], form: StepForm
) -> list[tuple[int, Exception]]:
    """Train epochs of all; return the errors of those that fail in what follows its steps."""
    trials, failed = list(running.values()), list[tuple[int, Exception]]()
    step = form([trial.state for trial in trials])
    while not any(trial.is_over for trial in trials) and not failed:
        for trial in trials:
            trial.begin_epoch(step.execution, len(trials))
        for (index, trial), row in zip(running.items(), train_epoch(step, trials), strict=True):
            try:
                trial.end_epoch(row, share=1 / len(trials))
            except Exception as error:
                failed.append((index, error))
    return failed
