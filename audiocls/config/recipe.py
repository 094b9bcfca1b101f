"""`Config`: everything that decides a trial, each part declared beside the code it configures."""

from typing import Literal

from pydantic import Field, model_validator

from audiocls.audio.augment import Augment
from audiocls.audio.datasets import DataSet
from audiocls.audio.features import Features
from audiocls.models import Model
from audiocls.optim import Optim, Sam, Schedule
from audiocls.part import Part


class Training(Part):
    """How long, in what portions, and by which validation metric the epoch is chosen."""

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=32, ge=1)
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    clip_norm: float = Field(default=0.0, ge=0.0)
    """Largest norm of the gradient; 0 clips nothing."""
    precision: Literal["fp32", "bf16"] = "fp32"
    select: Literal["val/accuracy", "val/loss", "last"] = "val/accuracy"
    """The epoch whose weights are tested: the best by this, ties to the lower `val/loss`."""


class Config(Part):
    """One trial, fully resolved. `audiocls.config.resolve` makes one out of layers."""

    data: DataSet
    augment: Augment = Augment()
    features: Features
    model: Model
    optim: Optim
    schedule: Schedule
    sam: Sam = Sam()
    train: Training = Training()
    seed: int = Field(default=0, ge=0)
    fold: int = Field(default=1, ge=1)
    """The test fold, counted from 1; data with one official split has fold 1 only."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "Config":
        if self.augment.masks_bands and self.features.name == "raw":
            raise ValueError(
                "augment.freq_mask and augment.time_mask mask mel bands and frames and have no "
                "effect on features 'raw': set both to 0, or use features.name=logmel"
            )
        return self
