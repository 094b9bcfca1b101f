"""`Progress`: how far a trial has come, its best epoch so far, and both as bytes to resume from."""

import io
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from audiocls.training.cost import Spent
from audiocls.training.state import TrainingState


@dataclass
class Progress:
    """Counters and the best epoch. The one value that changes while a trial trains."""

    epoch: int = 0
    steps: int = 0
    samples: int = 0
    gradient_passes: int = 0
    wall_s: float = 0.0
    process_s: float = 0.0
    best_row: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    first_losses: list[float] = field(default_factory=list)
    """Of the first steps: trials that agree in them to the last bit were trained alike so far."""
    is_best_provisional: bool = False
    """Whether an average of weights was asked for, and the best epoch lies before it began."""
    is_complete: bool = False

    @property
    def spent(self) -> Spent:
        return Spent(self.steps, self.samples, self.gradient_passes, self.wall_s, self.process_s)

    def keep_if_best(self, parts: TrainingState, row: dict[str, float]) -> None:
        """Remember this epoch's weights if `train.select` prefers it to all before it.

        Once an average has begun, only averaged weights compete: they are what was asked for.
        """
        select, is_waiting = parts.config.train.select, parts.averaging.is_waiting
        is_first = not self.best_row or (self.is_best_provisional and not is_waiting)
        if is_first or selection_key(row, select) > selection_key(self.best_row, select):
            self.best_row, self.is_best_provisional = dict(row), is_waiting
            weights = parts.evaluated().state_dict()
            self.best_weights = {name: value.clone() for name, value in weights.items()}

    def is_out_of(self, patience: int) -> bool:
        """Whether `patience` epochs have passed without a better one; 0 is endless.

        Never before an average that was asked for has begun.
        """
        is_counting = patience > 0 and not self.is_best_provisional
        return is_counting and self.epoch - self.best_row.get("epoch", 0.0) >= patience

    def snapshot(self, parts: TrainingState) -> bytes:
        """Everything needed to go on with the next epoch."""
        buffer = io.BytesIO()
        progress = {item.name: getattr(self, item.name) for item in fields(self)}
        torch.save({"progress": progress, **_stateful(parts)}, buffer)
        return buffer.getvalue()

    @classmethod
    def restored(cls, parts: TrainingState, snapshot: bytes) -> "Progress":
        """The progress of a snapshot, whose weights and optimiser state go into `parts`."""
        state = torch.load(io.BytesIO(snapshot), map_location=parts.device, weights_only=True)
        parts.classifier.load_state_dict(state["classifier"])
        parts.optimizer.load_state_dict(state["optimizer"])
        parts.schedule.load_state_dict(state["schedule"])
        parts.averaging.load_state_dict(state["averaging"])
        return cls(**state["progress"])

    @staticmethod
    def num_epochs_of(snapshot: bytes) -> int:
        """How many epochs a snapshot has behind it."""
        state = torch.load(io.BytesIO(snapshot), map_location="cpu", weights_only=True)
        return int(state["progress"]["epoch"])


def _stateful(parts: TrainingState) -> dict[str, Any]:
    return {
        "classifier": parts.classifier.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "schedule": parts.schedule.state_dict(),
        "averaging": parts.averaging.state_dict(),
    }


def selection_key(row: dict[str, float], select: str) -> tuple[float, ...]:
    """Greater is better."""
    if select == "last":
        return (row["epoch"],)
    return (-row["val/loss"],) if select == "val/loss" else (row[select], -row["val/loss"])
