"""How a trial is trained: length, loss, selection, teacher, self-supervision, budget."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from audiocls.audio.datasets import DataSet
from audiocls.config.own import OwnLoss, OwnMetric
from audiocls.options import Options, added
from audiocls.parts import OrOwn, OrText

Select = Literal["val/accuracy", "val/balanced_accuracy", "val/map", "val/loss", "last"]


Loss = Annotated[Literal["cross_entropy", "bce", "focal"] | OwnLoss, OrOwn(OwnLoss)]
METRICS = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "map",
    "auroc",
    "d_prime",
    "calibration_error",
    "loss",
)
"""Names in records that are taken."""


class Training(Options):
    """Length, batches, loss and precision of a training, and how its best epoch is chosen."""

    epochs: int = Field(default=20, ge=1)
    """Passes over the training clips."""
    batch_size: int = Field(default=32, ge=1)
    """Clips per forward pass."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are averaged into one step."""
    balanced: bool = False
    """Sample training clips with replacement, with weights inversely proportional to class
    frequency."""
    loss: Loss = "cross_entropy"
    """`bce`: a binary cross-entropy per class, summed over classes; for several labels per clip.
    Or your own."""
    focal_gamma: float = Field(default=2.0, ge=0.0)
    """Focusing exponent of `focal` (Lin et al., 2017): the greater, the less weight have clips that
    are classified well; 0 is cross-entropy."""
    mixed_loss: Literal["cross_entropy", "bce"] | None = added(None)
    """Loss of mixed batches, where it is another one than `loss`. Under `bce` a mixed clip has all
    labels of both clips, under `cross_entropy` shares of them."""
    reduction: Literal["mean", "sum"] = added("mean")
    """What the gradient is of: the mean of the clips' losses or their sum, which `clip_norm` and
    Adam's `eps` then meet as it is."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target spread over all classes; not of mixed clips, whose labels are soft."""
    smoothing_over: Literal["all", "others"] = added("all")
    """Classes that the share is spread over: all of them, the true one included, or the others."""
    drop_last: bool = added(False)
    """Leave out the clips of an epoch that fill no batch, other ones in each epoch, instead of
    making all batches a little smaller."""
    clip_norm: float = Field(default=0.0, ge=0.0)
    """Largest L2 norm of the gradient over all parameters; 0 does not clip."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """`bf16`, `fp16`: mixed precision in the forward pass of the model; weights stay float32.
    `fp16` scales the loss; a step whose gradient overflows is left out and the scale halved."""
    loss_scale: float = added(65536.0, gt=0.0)
    """First scale of the loss under `fp16`."""
    deterministic: bool = added(True)
    """On a GPU: only algorithms that give the same bits each time, of which some are slower; how
    much, depends on network and GPU. Without it a resumed trial ends in other last bits, and arms
    that change nothing are not found. On a CPU all are of that kind."""
    select: Select = "val/accuracy"
    """Metric of the epoch whose weights are tested: its best, ties to the lower `val/loss`."""
    metrics: tuple[Annotated[OwnMetric, OrText()], ...] = added(())
    """Your own, recorded beside the shipped ones, of test and validation clips."""
    keep_best: int = added(1, ge=1, le=20)
    """Epochs whose weights are kept, the best ones: `checkpoint.safetensors`, which is tested, then
    `checkpoint-2.safetensors` and so on."""
    keep_last: int = added(0, ge=0, le=20)
    """Epochs whose weights are kept besides, the last ones: `checkpoint-last-1.safetensors` of the
    last epoch, `checkpoint-last-2.safetensors` of the one before it, and so on."""
    patience: int = Field(default=0, ge=0)
    """Stop after so many epochs without a better one; 0 never stops. Rejected in ablations, whose
    arms must be trained alike."""

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "Training":
        if self.loss != "focal" and "focal_gamma" in self.changed():
            raise ValueError("focal_gamma: has an effect on loss 'focal' only; leave it out")
        if self.patience and self.select == "last":
            raise ValueError("patience: nothing is better or worse under select 'last'; set one")
        names = [*METRICS, *(metric.short for metric in self.metrics)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"metrics: two are called {', '.join(twice)} in records; rename one")
        return self


class Distil(Options):
    """Distillation: learn from a trained checkpoint's logits as well (Hinton et al., 2015)."""

    teacher: str | None = None
    """A finished trial's folder or its weights; of the same classes, rate and clip length."""
    weight: float = Field(default=0.5, gt=0.0, le=1.0)
    """Weight of the distillation loss; the loss on labels has 1 - `weight`."""
    temperature: float = Field(default=2.0, gt=0.0)
    """Divides both networks' logits before the softmax; the greater, the softer the targets."""

    @model_validator(mode="after")
    def _needs_a_teacher(self) -> "Distil":
        if self.teacher is None and {"weight", "temperature"} & self.changed():
            raise ValueError("weight and temperature have no effect without a teacher; set teacher")
        return self


class SelfSupervision(Options):
    """Learning without labels: to predict EnCodec codes, or to tell the clips of a batch apart."""

    mode: Literal["none", "joint", "pretrain", "cola", "simclr"] = "none"
    """`joint` adds the loss of the next frame's codes to the classes'; `pretrain` learns codes
    first, then classes. `cola` (Saeed et al., 2021) and `simclr` (Chen et al., 2020) learn first to
    find the other view of a clip, another part of it with noise, among those of a batch."""
    weight: float = Field(default=1.0, gt=0.0)
    """Under `joint`: weight of the codes' loss, which is summed over codebooks."""
    clips: str | None = None
    """Of pre-training: any folder of audio; none means the training clips. Never test clips."""
    epochs: int = Field(default=20, ge=1)
    """Epochs of pre-training."""
    lr: float = Field(default=1e-3, gt=0.0)
    """Learning rate of pre-training."""
    warmup_epochs: float = added(5.0, ge=0.0)
    """Under `cola` and `simclr`, as all below: epochs of a linear warm-up from 0."""
    weight_decay: float = added(1e-6, ge=0.0)
    """Weight decay of all parameters."""
    batch_size: int | None = added(None, ge=2)
    """Clips of a batch, each of which is told from all others; none means `train.batch_size`."""
    crop_s: float = added(0.96, gt=0.0)
    """Length of a view in seconds."""
    noise: float = added(1e-3, ge=0.0)
    """Deviation of the white noise in second views, relative to the L2 norm of their samples:
    0.001 of a second at 16 kHz is 18 dB below the sound."""
    freq_mask: int = added(0, ge=0)
    """Widest of two band masks, in mel bands, of second views, under `simclr` of both."""
    time_mask: int = added(0, ge=0)
    """Widest of two time masks, in frames, of the same views."""
    embedding: int = added(512, ge=1)
    """Width of the layer that is put in place of the last one, and dropped after the stage."""
    similarity: Literal["bilinear", "dot"] = added("bilinear")
    """Under `cola`: a learned bilinear form of normalised embeddings, or their cosine."""
    temperature: float = added(0.1, gt=0.0)
    """Divides cosines."""

    @property
    def is_contrastive(self) -> bool:
        """Whether views are told apart."""
        return self.mode in ("cola", "simclr")

    @property
    def is_stage(self) -> bool:
        """Whether something is learned before the classes."""
        return self.mode == "pretrain" or self.is_contrastive

    @model_validator(mode="after")
    def _every_option_has_an_effect(self) -> "SelfSupervision":
        stage = {"clips", "epochs", "lr"}
        views = stage | {"warmup_epochs", "weight_decay", "crop_s", "noise", "embedding"}
        views |= {"batch_size", "freq_mask", "time_mask"}
        used = {"none": set(), "joint": {"weight"}, "pretrain": stage}
        used["cola"] = (
            views | {"similarity"} | ({"temperature"} if self.similarity == "dot" else set())
        )
        used["simclr"] = views | {"temperature"}
        if unused := self.changed() - {"mode"} - used[self.mode]:
            raise ValueError(f"{', '.join(sorted(unused))}: no effect under mode {self.mode!r}")
        return self


class Pretraining(Options):
    """Supervised pre-training of the same model on another data set.

    Every layer is kept; the last one only if both data sets have the same classes.
    """

    data: DataSet | None = None
    """At the sample rate of the trial's own data. Duplicates of its validation and test clips are
    excluded."""
    epochs: int = Field(default=20, ge=1)
    """Epochs of pre-training."""
    lr: float = Field(default=1e-3, gt=0.0)
    """Learning rate of pre-training."""

    @model_validator(mode="after")
    def _needs_data(self) -> "Pretraining":
        if self.data is None and self.changed():
            raise ValueError("epochs and lr have no effect without data; set pretraining.data.name")
        return self


class Budget(Options):
    """Limits of a model's cost; a model beyond them is rejected before its first step."""

    max_params: int | None = Field(default=None, ge=1)
    """Parameters, frozen ones included."""
    max_macs: int | None = Field(default=None, ge=1)
    """Multiply-accumulates per clip, features to logits; of a learned front end as well."""
    counting: Literal["products", "thop"] = added("products")
    """What `max_macs` counts: matrix products and convolutions, or as thop does normalisation
    too, 4 an element. Costs in reports are of products always."""

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.max_params is not None or self.max_macs is not None
