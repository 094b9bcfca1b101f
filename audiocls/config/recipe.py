"""`Config`: everything that decides a trial, each part declared beside the code it configures."""

from pydantic import Field, model_validator

from audiocls.audio.augment import Augment
from audiocls.audio.datasets import DataSet
from audiocls.audio.features import Features
from audiocls.config.conflicts import conflicts
from audiocls.config.training import (
    Budget,
    Distil,
    Pretraining,
    SelfSupervision,
    Training,
)
from audiocls.models import Model
from audiocls.optim import Averaging, NoAveraging, Optim, Sam, Schedule
from audiocls.options import Options


class Config(Options):
    """One trial, fully resolved. `audiocls.config.resolve` makes one out of layers."""

    data: DataSet
    augment: Augment = Augment()
    features: Features
    model: Model
    ssl: SelfSupervision = SelfSupervision()
    pretraining: Pretraining = Pretraining()
    init_from: str | None = None
    """A checkpoint whose weights are taken where name and shape fit; trained on other data, say."""
    freeze: bool = False
    """Train only the last layer and what `init_from` or pre-training did not give. BatchNorm's
    statistics go on adapting."""
    optim: Optim
    schedule: Schedule
    sam: Sam = Sam()
    averaging: Averaging = NoAveraging()
    train: Training = Training()
    distil: Distil = Distil()
    budget: Budget = Budget()
    seed: int = Field(default=0, ge=0)
    fold: int = Field(default=1, ge=1)
    """The test fold, counted from 1; data with one official split has fold 1 only."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?|mps)$")

    @property
    def has_stage(self) -> bool:
        """Whether a pre-training stage comes first."""
        return self.ssl.mode == "pretrain" or self.pretraining.data is not None

    @property
    def num_samples(self) -> int:
        """Samples of a clip at the data set's rate."""
        return round(self.data.duration_s * self.data.sample_rate)

    @property
    def in_shape(self) -> tuple[int, int]:
        """(channels, frames) that the model hears."""
        return self.features.shape(self.num_samples)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Config":
        if faults := list(conflicts(self)):
            raise ValueError("; ".join(faults))
        return self
