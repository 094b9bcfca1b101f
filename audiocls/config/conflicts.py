"""Rules between the parts of one configuration; each message says what to set instead.

A rule takes the parts that it relates and yields a message per violation.
"""

from collections.abc import Iterator

from audiocls.audio.augment import Augment
from audiocls.audio.datasets import DataSet
from audiocls.audio.features import Features
from audiocls.config.training import Distil, Pretraining, SelfSupervision, Training
from audiocls.errors import ConfigError
from audiocls.models import Model
from audiocls.optim import Schedule


def front_end(
    data: DataSet, num_samples: int, features: Features, model: Model, augment: Augment
) -> Iterator[str]:
    """Yield why the features do not fit the audio, the model or the augmentation the features."""
    yield from _shapes(data, num_samples, features, model)
    if augment.masks_bands and features.name == "raw":
        yield (
            "augment.freq_mask and augment.time_mask mask bands and frames and have no effect on "
            "features 'raw': set both to 0, or use features.name=logmel"
        )


def _shapes(data: DataSet, num_samples: int, features: Features, model: Model) -> Iterator[str]:
    if problems := features.check(data.sample_rate):
        yield from (f"features: {problem}" for problem in problems)
        return
    try:
        in_shape = features.shape(num_samples)
    except ConfigError as error:
        yield from (f"{error.where}: {problem}" for problem in error.faults)
    else:
        yield from (f"model {model.name}: {problem}" for problem in model.check(in_shape))


def labels(data: DataSet, train: Training, distil: Distil) -> Iterator[str]:
    """Yield why loss, selection metric or distillation cannot work with several labels per clip."""
    if not data.is_multi_label:
        return
    if train.loss == "cross_entropy":
        yield (
            f"train.loss: got 'cross_entropy', but a clip of {data.name} has several "
            "labels; allowed: bce, focal"
        )
    if train.select in ("val/accuracy", "val/balanced_accuracy"):
        yield (
            f"train.select: got {train.select!r}, but a clip of {data.name} has "
            "several labels; allowed: val/map, val/loss, last"
        )
    if distil.teacher is not None:
        yield (
            f"distil.teacher: a clip of {data.name} has several labels, and distillation "
            "compares distributions over one label a clip; leave it out"
        )


def self_supervision(
    ssl: SelfSupervision, features: Features, model: Model, augment: Augment
) -> Iterator[str]:
    """Yield why EnCodec codes cannot be predicted from these features by this model."""
    if ssl.mode == "none":
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
    if ssl.mode == "joint" and (augment.changes_waveform or augment.mixes_clips):
        yield (
            "ssl.mode=joint has codes of unaugmented clips only: switch off waveform augmentation "
            "and mixing, or use ssl.mode=pretrain"
        )


def stages(
    data: DataSet,
    ssl: SelfSupervision,
    pretraining: Pretraining,
    init_from: str | None,
    freeze: bool,
) -> Iterator[str]:
    """Yield why pre-training, initial weights and freezing do not go together."""
    other = pretraining.data
    if freeze and init_from is None and other is None and ssl.mode != "pretrain":
        yield "freeze: nothing was trained before; set init_from, pretraining.data or ssl.mode"
    if other is not None and ssl.mode == "pretrain":
        yield "pretraining.data and ssl.mode=pretrain: only one pre-training stage is possible"
    if other is not None and other.sample_rate != data.sample_rate:
        yield (
            f"pretraining.data.sample_rate: got {other.sample_rate} Hz, allowed: the trial's own, "
            f"{data.sample_rate} Hz"
        )


def selection(schedule: Schedule, train: Training) -> Iterator[str]:
    """Yield why the schedule cannot follow the selection metric."""
    if schedule.name == "plateau" and train.select == "last":
        yield "schedule.name=plateau watches train.select, and 'last' never improves: use a val/…"
