"""Counters, cost and best epoch of a trial in training, and snapshots to resume from."""

import io
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from audiocls.training.state import TrainingState


@dataclass(frozen=True)
class Spent:
    """The cost of a training."""

    steps: int = 0
    """Updates of the weights."""
    samples: int = 0
    """Clips trained on, counted once per epoch."""
    gradient_passes: int = 0
    """Forward-backward passes, two per step under SAM."""
    wall_s: float = 0.0
    process_s: float = 0.0
    """CPU seconds of the process."""

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.steps + other.steps,
            self.samples + other.samples,
            self.gradient_passes + other.gradient_passes,
            self.wall_s + other.wall_s,
            self.process_s + other.process_s,
        )


@dataclass
class Progress:
    """Counters and the best epoch; mutable, and updated by `fit` after each step and epoch.

    The field names are keys of stored snapshots.
    """

    epoch: int = 0
    """Epochs finished."""
    steps: int = 0
    """Updates of the weights."""
    samples: int = 0
    """Clips trained on, counted once per epoch."""
    gradient_passes: int = 0
    """Forward-backward passes, two per step under SAM."""
    wall_s: float = 0.0
    process_s: float = 0.0
    """CPU seconds of this process."""
    best_row: dict[str, float] = field(default_factory=dict)
    """Metrics of the best epoch."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    """State dict of the best epoch's classifier, averaged weights if there are any."""
    ranked: list[dict[str, Any]] = field(default_factory=list)
    """With `train.keep_best` above 1: `row` and `weights` of the best epochs, the best first."""
    last: list[dict[str, Any]] = field(default_factory=list)
    """With `train.keep_last`: `row` and `weights` of the last epochs, the last first."""
    first_losses: list[float] = field(default_factory=list)
    """Losses of the first steps: equal to the bit in trials that began alike."""
    is_best_provisional: bool = False
    """Whether weight averaging is configured, and the best epoch is one before it began."""
    executions: list[str] = field(default_factory=list)
    """How epochs were computed: `eager`, `fused`, or both where a trial left or joined a pack."""
    largest_pack: int = 1
    """Trials at once in the epoch with the most."""
    is_complete: bool = False
    """Whether training has ended and was not merely stopped."""

    @property
    def spent(self) -> Spent:
        return Spent(self.steps, self.samples, self.gradient_passes, self.wall_s, self.process_s)

    def note_execution(self, name: str, num_trials: int) -> None:
        """Note how the next epoch is computed."""
        self.executions = sorted({*self.executions, name})
        self.largest_pack = max(self.largest_pack, num_trials)

    def keep_if_best(self, state: TrainingState, row: dict[str, float]) -> None:
        """Copy this epoch's weights if it is better than all before by `train.select`.

        Once weight averaging has begun, epochs before it no longer count.
        """
        select, is_waiting = state.config.train.select, state.averaging.is_waiting
        is_first = not self.best_row or (self.is_best_provisional and not is_waiting)
        if is_first or selection_key(row, select) > selection_key(self.best_row, select):
            self.best_row, self.is_best_provisional = dict(row), is_waiting
            self.best_weights = _copied(state)
        if state.config.train.keep_best > 1:
            self._rank(state, row, is_first)
        if num_last := state.config.train.keep_last:
            kept = {"row": dict(row), "weights": _copied(state)}
            self.last = [kept, *self.last][:num_last]

    def _rank(self, state: TrainingState, row: dict[str, float], is_first: bool) -> None:
        """Keep this epoch's weights if it is among the `train.keep_best` best ones."""
        train, before = state.config.train, [] if is_first else self.ranked
        key = selection_key(row, train.select)
        place = sum(selection_key(each["row"], train.select) >= key for each in before)
        if place < train.keep_best:
            kept = {"row": dict(row), "weights": _copied(state)}
            before = [*before[:place], kept, *before[place:]]
        self.ranked = before[: train.keep_best]

    def is_out_of_patience(self, patience: int) -> bool:
        """Whether `patience` epochs have passed without a better one; 0 is unlimited.

        False as long as configured weight averaging has not begun.
        """
        is_counting = patience > 0 and not self.is_best_provisional
        return is_counting and self.epoch - self.best_row.get("epoch", 0.0) >= patience

    def snapshot(self, state: TrainingState) -> bytes:
        """Return everything needed to resume with the next epoch, as bytes."""
        buffer = io.BytesIO()
        progress = {item.name: getattr(self, item.name) for item in fields(self)}
        torch.save(_on_cpu({"progress": progress, **_stateful(state)}), buffer)
        return buffer.getvalue()

    @classmethod
    def restored(cls, state: TrainingState, snapshot: bytes) -> "Progress":
        """Return the progress of a snapshot, and load its other contents into `state`."""
        saved = torch.load(io.BytesIO(snapshot), map_location="cpu", weights_only=True)
        state.classifier.load_state_dict(saved["classifier"])
        state.optimizer.load_state_dict(saved["optimizer"])
        state.schedule.load_state_dict(saved["schedule"])
        state.averaging.load_state_dict(saved["averaging"])
        state.scaling.load_state_dict(saved.get("scaling", {}))
        return cls(**saved["progress"])

    @staticmethod
    def num_epochs_of(snapshot: bytes) -> int:
        """Return the number of epochs finished at a snapshot."""
        saved = torch.load(io.BytesIO(snapshot), map_location="cpu", weights_only=True)
        return int(saved["progress"]["epoch"])


def _on_cpu(value: Any) -> Any:
    """Return nested values with tensors on the CPU: not every device can be written as it is."""
    if isinstance(value, Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return type(value)((key, _on_cpu(each)) for key, each in value.items())
    return [_on_cpu(each) for each in value] if isinstance(value, list) else value


def _copied(state: TrainingState) -> dict[str, Tensor]:
    weights = state.evaluated().state_dict()
    return {name: value.clone() for name, value in weights.items()}


def _stateful(state: TrainingState) -> dict[str, Any]:
    scaling = state.scaling.state_dict()
    return {
        "classifier": state.classifier.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "schedule": state.schedule.state_dict(),
        "averaging": state.averaging.state_dict(),
        **({"scaling": scaling} if scaling else {}),
    }


def selection_key(row: dict[str, float], select: str) -> tuple[float, ...]:
    """Return a tuple by which epochs compare: the greater, the better.

    Args:
        row: an epoch's metrics.
        select: the option `train.select`.
    """
    if select == "last":
        return (row["epoch"],)
    # Equal scores, which few validation clips often give, are decided by the lower loss.
    return (-row["val/loss"],) if select == "val/loss" else (row[select], -row["val/loss"])
