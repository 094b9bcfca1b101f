"""`Config`: everything that decides a trial, each part declared beside the code it configures.

`audiocls.config.resolve` makes one out of layers. A rule between parts takes those that it relates,
and yields a message for each violation, which says what to set instead.
"""

from collections.abc import Callable, Iterator, Mapping, Set
from inspect import signature
from typing import Literal

from pydantic import Field, model_validator

from audiocls.audio.augment import Augment
from audiocls.audio.datasets import DataSet
from audiocls.audio.features import Features, HFInputs
from audiocls.config.training import (
    Budget,
    Distil,
    Pretraining,
    SelfSupervision,
    Training,
)
from audiocls.errors import ConfigError
from audiocls.models import HFModel, Model
from audiocls.optim import Averaging, NoAveraging, Optim, Sam, Schedule
from audiocls.options import Options

NO_LINEAR = ("hifigan", "kws")
"""Models whose last layer has no embedding of the clip before it."""


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
    """Decides all that is random: initial weights, order of the clips, augmentation, dropout."""
    fold: int = Field(default=1, ge=1)
    """The test fold, counted from 1; data with one official split has fold 1 only."""
    device: Literal["auto", "cpu", "cuda", "mps", "tpu", "xpu"] = "auto"
    """`auto` is what `--devices` chose, or else an accelerator if there is one; AMD's are `cuda`
    too. Which of several it is, `--devices` says: a worker sees one."""

    @property
    def has_stage(self) -> bool:
        """Whether a pre-training stage precedes the training."""
        return self.ssl.is_stage or self.pretraining.data is not None

    @property
    def num_samples(self) -> int:
        """Samples per clip at the data set's rate."""
        return num_samples_of(self.data)

    @property
    def in_shape(self) -> tuple[int, int]:
        """(channels, frames) of the model's input."""
        return self.features.shape(self.num_samples, self.data.sample_rate)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Config":
        if problems := list(conflicts(self, Config.model_fields.keys())):
            raise ValueError("; ".join(problems))
        return self


def num_samples_of(data: DataSet) -> int:
    """Return the samples per clip at the data set's rate."""
    return round(data.duration_s * data.sample_rate)


def conflicts(config: Config, changed: Set[str]) -> Iterator[str]:
    """Yield why parts do not fit together, by every rule that relates one of those `changed`."""
    for rule, parts in RULES.items():
        if not changed.isdisjoint(parts):
            yield from rule(*(getattr(config, part) for part in parts))


def _front_end_conflicts(
    data: DataSet, features: Features, model: Model, augment: Augment
) -> Iterator[str]:
    """Yield why the features do not fit the audio, the model or the augmentation the features."""
    num_samples = num_samples_of(data)
    yield from _shape_conflicts(data, num_samples, features, model)
    if augment.masks_bands and features.name == "raw":
        yield (
            "augment.freq_mask and augment.time_mask mask bands and frames and have no effect on "
            "features 'raw': set both to 0, or use features.name=logmel"
        )
    if augment.equalise > 0 and not features.uses_training_statistics:
        yield (
            "augment.equalise is in deviations of a band over the training clips, which "
            f"features.name={features.name} with these options does not have: set "
            "features.normalise=train, or leave it out"
        )
    if augment.moves_features:
        yield from _rolling_conflicts(data, num_samples, features, model, augment)
    is_linear = features.name == "logmel" and features.normalise != "clip"
    if augment.masked == "silence" and not is_linear:
        yield (
            "augment.masked=silence: only features.name=logmel with features.normalise none or "
            "train have one value of silence a band; leave it out"
        )


def _rolling_conflicts(
    data: DataSet, num_samples: int, features: Features, model: Model, augment: Augment
) -> Iterator[str]:
    """Yield why features cannot be rolled, or the model not trained on so few of their frames."""
    if features.is_learned or features.name == "raw":
        yield (
            "augment.roll, stretch and crop_frames move the frames of features, but "
            f"features.name={features.name} takes waveforms: use augment.transforms=[cycshift]"
        )
    elif augment.crop_frames > 0 and features.has_known_shape:
        bands, frames = features.shape(num_samples, data.sample_rate)
        problems = model.check((bands, augment.trained_frames(frames)))
        yield from (f"augment.crop_frames: model {model.name}: {each}" for each in problems)


def _shape_conflicts(
    data: DataSet, num_samples: int, features: Features, model: Model
) -> Iterator[str]:
    if problems := features.check(data.sample_rate):
        yield from (f"features: {problem}" for problem in problems)
        return
    if not features.has_known_shape:
        return  # it is found out on two clips before the first trial
    try:
        in_shape = features.shape(num_samples, data.sample_rate)
    except ConfigError as error:
        yield from (f"{error.where}: {problem}" for problem in error.faults)
    else:
        yield from (f"model {model.name}: {problem}" for problem in model.check(in_shape))


def _encoder_conflicts(features: Features, model: Model) -> Iterator[str]:
    """Yield why an encoder that is trained does not get what its own processor makes."""
    if not isinstance(model, HFModel):
        return
    if not isinstance(features, HFInputs):
        yield "model.name=hf takes what its processor makes: set features.name=hf_inputs"
    elif features.model != model.model:
        yield (
            f"model.model: got {model.model}, but features.model is {features.model}; an encoder "
            "takes what its own processor makes: set both to the same"
        )


def _label_conflicts(data: DataSet, train: Training) -> Iterator[str]:
    """Yield why loss or selection metric cannot work with several labels per clip."""
    if not data.is_multi_label:
        return
    for key, loss in (("loss", train.loss), ("mixed_loss", train.mixed_loss)):
        if loss == "cross_entropy":
            yield (
                f"train.{key}: got 'cross_entropy', but a clip of {data.name} has several "
                "labels; allowed: bce, focal"
            )
    if train.select in ("val/accuracy", "val/balanced_accuracy"):
        yield (
            f"train.select: got {train.select!r}, but a clip of {data.name} has "
            "several labels; allowed: val/map, val/loss, last"
        )


def _mixup_conflicts(augment: Augment, distil: Distil) -> Iterator[str]:
    """Yield why features cannot be mixed."""
    if augment.feature_mixup > 0 and augment.mixes_clips:
        yield "augment.feature_mixup and augment.mixes both mix the clips of a batch; set one"
    if augment.feature_mixup > 0 and distil.teacher is not None:
        yield (
            "augment.feature_mixup: a teacher takes waveforms, which it does not mix; use "
            "augment.mixes=[mixup]"
        )
    if augment.moves_features and distil.teacher is not None:
        yield (
            "augment.roll, stretch and crop_frames: a teacher takes waveforms, which they do not "
            "move; use augment.transforms=[cycshift]"
        )


def _codes_conflicts(
    ssl: SelfSupervision, features: Features, model: Model, augment: Augment
) -> Iterator[str]:
    """Yield why EnCodec codes cannot be predicted from these features by this model."""
    if ssl.mode not in ("joint", "pretrain"):
        return
    if features.name != "encodec":
        yield f"ssl.mode={ssl.mode} predicts EnCodec codes and needs features.name=encodec"
    elif model.name != "convnext1d_causal":
        yield f"ssl.mode={ssl.mode} needs a model with a code head: model.name=convnext1d_causal"
    elif model.num_codebooks != features.num_codebooks:
        yield (
            f"model.num_codebooks: got {model.num_codebooks}, but features at "
            f"{features.bandwidth:g} kbps have {features.num_codebooks}; set it so"
        )
    is_mixed = augment.mixes_clips or augment.feature_mixup > 0 or augment.moves_features
    if ssl.mode == "joint" and (augment.changes_waveform or is_mixed):
        yield (
            "ssl.mode=joint has codes of unaugmented clips only: switch off waveform augmentation "
            "and mixing, or use ssl.mode=pretrain"
        )


def _view_conflicts(
    data: DataSet, ssl: SelfSupervision, features: Features, model: Model, train: Training
) -> Iterator[str]:
    """Yield why views of clips cannot be told apart by this model."""
    if not ssl.is_contrastive:
        return
    if model.name in NO_LINEAR:
        yield f"ssl.mode={ssl.mode} replaces a Linear at the end, which {model.name} does not have"
    if (ssl.batch_size or train.batch_size) < 2:
        yield f"ssl.mode={ssl.mode} compares the clips of a batch: set ssl.batch_size, 2 or more"
    if ssl.clips is None and ssl.crop_s > data.duration_s:
        most = data.duration_s
        yield f"ssl.crop_s: got {ssl.crop_s:g} s, allowed: up to data.duration_s, {most:g} s"
    elif not features.check(data.sample_rate):
        num_samples = round(ssl.crop_s * data.sample_rate)
        for problem in _shape_conflicts(data, num_samples, features, model):
            yield f"ssl.crop_s: of a view, {problem}"


def _stage_conflicts(
    data: DataSet,
    ssl: SelfSupervision,
    pretraining: Pretraining,
    init_from: str | None,
    freeze: bool,
) -> Iterator[str]:
    """Yield why pre-training, initial weights and freezing do not go together."""
    other = pretraining.data
    if freeze and init_from is None and other is None and not ssl.is_stage:
        yield "freeze: nothing was trained before; set init_from, pretraining.data or ssl.mode"
    stage_data = other if other is not None else data
    is_on_clips = other is not None or (ssl.is_stage and ssl.clips is None)
    if is_on_clips and stage_data.validation == "none":
        key = "data" if other is None else "pretraining.data"
        yield f"{key}.validation: got 'none', but pre-training chooses its epoch by validation"
    if other is not None and ssl.is_stage:
        yield f"pretraining.data and ssl.mode={ssl.mode}: only one pre-training stage is possible"
    if other is not None and other.sample_rate != data.sample_rate:
        yield (
            f"pretraining.data.sample_rate: got {other.sample_rate} Hz, allowed: the trial's own, "
            f"{data.sample_rate} Hz"
        )


def _optimizer_conflicts(
    optim: Optim, schedule: Schedule, sam: Sam, train: Training
) -> Iterator[str]:
    """Yield why optimiser, schedule, SAM and precision do not go together."""
    if train.precision == "fp16" and sam.rho > 0:
        yield "sam.rho: SAM's two gradients are not scaled as train.precision=fp16 needs; use bf16"
    cycles = schedule.name == "onecycle" and schedule.cycle_momentum is not None
    if cycles and optim.name == "sgd" and optim.momentum == 0:
        yield "schedule.cycle_momentum: plain SGD has no momentum; set optim.momentum"


def _selection_conflicts(data: DataSet, schedule: Schedule, train: Training) -> Iterator[str]:
    """Yield why the schedule cannot follow the selection metric, or what there is to select by."""
    if data.validation == "none" and train.select != "last":
        yield (
            f"train.select: got {train.select!r}, but data.validation=none leaves no clips to "
            "choose an epoch by; allowed: last"
        )
    if schedule.name == "plateau" and train.select == "last":
        yield "schedule.name=plateau watches train.select, and 'last' never improves: use a val/…"


RULES: Mapping[Callable[..., Iterator[str]], tuple[str, ...]] = {
    rule: tuple(signature(rule).parameters)
    for rule in (
        _front_end_conflicts, _encoder_conflicts, _label_conflicts, _mixup_conflicts,
        _codes_conflicts, _view_conflicts, _stage_conflicts, _selection_conflicts,
        _optimizer_conflicts,
    )
}  # fmt: skip
"""Rule → the parts that it relates, by whose names its parameters are called."""
