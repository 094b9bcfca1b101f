"""One optimiser step of one trial, as `fit` takes it."""

from audiocls.audio.batches import Batch
from audiocls.training.state import TrainingState
from audiocls.training.step import EagerStep, StepResult


def train_step(state: TrainingState, group: list[Batch], is_measured: bool = False) -> StepResult:
    """Update once by a group's clips, and count the step."""
    [result] = EagerStep([state])([group], is_measured)
    return result
