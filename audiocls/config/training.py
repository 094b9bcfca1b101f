"""How a trial is trained: length, loss, selection, teacher, self-supervision, budget."""

from typing import Literal

from pydantic import Field, model_validator

from audiocls.audio.datasets import DataSet
from audiocls.options import Options

Select = Literal["val/accuracy", "val/balanced_accuracy", "val/map", "val/loss", "last"]


class Training(Options):
    """How long, in what portions, on which loss, and by what the epoch is chosen."""

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are averaged into one step."""
    balanced: bool = False
    """Draw training clips with replacement, the rarer their classes the oftener."""
    loss: Literal["cross_entropy", "bce", "focal"] = "cross_entropy"
    """`bce`: one yes or no a class, summed over classes, as clips of several labels need it."""
    focal_gamma: float = Field(default=2.0, ge=0.0)
    """How little `focal` counts what is already right (Lin et al., 2017); 0 is cross-entropy."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Of clips as they are; mixed clips have soft labels already."""
    clip_norm: float = Field(default=0.0, ge=0.0)
    """Largest norm of the gradient; 0 clips nothing."""
    precision: Literal["fp32", "bf16"] = "fp32"
    select: Select = "val/accuracy"
    """The epoch whose weights are tested: the best by this, ties to the lower `val/loss`."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many epochs without a better one; 0 never does. Refused in ablations, whose
    arms must be trained alike."""

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "Training":
        if self.loss != "focal" and "focal_gamma" in self.changed():
            raise ValueError("focal_gamma: has an effect on loss 'focal' only; leave it out")
        if self.patience and self.select == "last":
            raise ValueError("patience: nothing is better or worse under select 'last'; set one")
        return self


class Distil(Options):
    """Learn from a trained checkpoint's logits as well (Hinton et al., 2015)."""

    teacher: str | None = None
    """A finished trial's folder or its weights; of the same classes, rate and clip length."""
    weight: float = Field(default=0.5, gt=0.0, le=1.0)
    """Of the teacher's part; the labels keep the rest."""
    temperature: float = Field(default=2.0, gt=0.0)

    @model_validator(mode="after")
    def _needs_a_teacher(self) -> "Distil":
        if self.teacher is None and {"weight", "temperature"} & self.changed():
            raise ValueError("weight and temperature have no effect without a teacher; set teacher")
        return self


class SelfSupervision(Options):
    """Learning to predict EnCodec codes of the next frame, beside the classes or before them."""

    mode: Literal["none", "joint", "pretrain"] = "none"
    """`joint` adds the codes' loss to the classes'; `pretrain` learns codes first, then classes."""
    weight: float = Field(default=1.0, gt=0.0)
    """Of the codes' loss, summed over codebooks, under `joint`."""
    clips: str | None = None
    """Under `pretrain`: any folder of audio; none means the training clips. Never test clips."""
    epochs: int = Field(default=20, ge=1)
    """Of pre-training."""
    lr: float = Field(default=1e-3, gt=0.0)
    """Of pre-training."""

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "SelfSupervision":
        used = {"none": set(), "joint": {"weight"}, "pretrain": {"clips", "epochs", "lr"}}
        if idle := self.changed() - {"mode"} - used[self.mode]:
            raise ValueError(f"{', '.join(sorted(idle))}: no effect under mode {self.mode!r}")
        return self


class Pretraining(Options):
    """Training the same model on another data set first.

    Every layer is kept; the last one only where both data sets have the same classes.
    """

    data: DataSet | None = None
    """At the sample rate of the trial's own data. Copies of its validation and test clips are
    left out."""
    epochs: int = Field(default=20, ge=1)
    lr: float = Field(default=1e-3, gt=0.0)

    @model_validator(mode="after")
    def _needs_data(self) -> "Pretraining":
        if self.data is None and self.changed():
            raise ValueError("epochs and lr have no effect without data; set pretraining.data.name")
        return self


class Budget(Options):
    """What a model may cost; one that costs more is refused before its first step."""

    max_params: int | None = Field(default=None, ge=1)
    max_macs: int | None = Field(default=None, ge=1)
    """Multiply-accumulates of one clip, features to logits."""
