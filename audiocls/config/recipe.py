"""`Config`: everything that decides a trial, each part declared beside the code it configures."""

from collections.abc import Iterator

from pydantic import Field, model_validator

from audiocls.audio.augment import Augment
from audiocls.audio.datasets import DataSet
from audiocls.audio.features import Features
from audiocls.config import conflicts
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
    """One trial, fully resolved. `audiocls.config.resolve` makes one out of layers.

    Building one raises `ValueError` with all rules that its parts violate together.
    """

    data: DataSet
    augment: Augment = Augment()
    features: Features
    model: Model
    ssl: SelfSupervision = SelfSupervision()
    pretraining: Pretraining = Pretraining()
    init_from: str | None = None
    """A checkpoint, perhaps of other data; weights are copied where name and shape match."""
    freeze: bool = False
    """Train only the last layer and the parameters that neither `init_from` nor pre-training
    initialised. BatchNorm's running statistics are still updated."""
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
        """Whether a pre-training stage precedes the training."""
        return self.ssl.mode == "pretrain" or self.pretraining.data is not None

    @property
    def num_samples(self) -> int:
        """Samples per clip at the data set's rate."""
        return round(self.data.duration_s * self.data.sample_rate)

    @property
    def in_shape(self) -> tuple[int, int]:
        """(channels, frames) of the model's input."""
        return self.features.shape(self.num_samples)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Config":
        if problems := list(self._conflicts()):
            raise ValueError("; ".join(problems))
        return self

    def _conflicts(self) -> Iterator[str]:
        yield from conflicts.front_end(
            self.data, self.num_samples, self.features, self.model, self.augment
        )
        yield from conflicts.labels(self.data, self.train, self.distil)
        yield from conflicts.self_supervision(self.ssl, self.features, self.model, self.augment)
        yield from conflicts.stages(
            self.data, self.ssl, self.pretraining, self.init_from, self.freeze
        )
        yield from conflicts.selection(self.schedule, self.train)
