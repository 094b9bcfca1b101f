"""What parts of one configuration must agree on; each fault says what to set instead."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from audiocls.errors import ConfigError

if TYPE_CHECKING:
    from audiocls.config.recipe import Config


def conflicts(config: "Config") -> Iterator[str]:
    """Every pair of options that cannot go together, or of which one has no effect."""
    yield from _hearing(config)
    yield from _masks(config)
    yield from _labels(config)
    yield from _self_supervision(config)
    yield from _stages(config)
    yield from _teaching(config)
    yield from _selection(config)


def _hearing(config: "Config") -> Iterator[str]:
    """What the features cannot make of the sound, or else the model of the features."""
    if faults := config.features.check(config.data.sample_rate):
        yield from (f"features: {fault}" for fault in faults)
        return
    try:
        in_shape = config.in_shape
    except ConfigError as error:
        yield from (f"{error.where}: {fault}" for fault in error.faults)
    else:
        yield from (f"model {config.model.name}: {fault}" for fault in config.model.check(in_shape))


def _masks(config: "Config") -> Iterator[str]:
    if config.augment.masks_bands and config.features.name == "raw":
        yield (
            "augment.freq_mask and augment.time_mask mask bands and frames and have no effect on "
            "features 'raw': set both to 0, or use features.name=logmel"
        )


def _labels(config: "Config") -> Iterator[str]:
    if not config.data.is_multi_label:
        return
    if config.train.loss == "cross_entropy":
        yield (
            f"train.loss: got 'cross_entropy', but a clip of {config.data.name} has several "
            "labels; allowed: bce, focal"
        )
    if config.train.select in ("val/accuracy", "val/balanced_accuracy"):
        yield (
            f"train.select: got {config.train.select!r}, but a clip of {config.data.name} has "
            "several labels; allowed: val/map, val/loss, last"
        )


def _self_supervision(config: "Config") -> Iterator[str]:
    mode = config.ssl.mode
    if mode == "none":
        return
    if config.features.name != "encodec":
        yield f"ssl.mode={mode} predicts EnCodec codes and needs features.name=encodec"
    elif config.model.name != "convnext1d_causal":
        yield f"ssl.mode={mode} needs a model with a code head: model.name=convnext1d_causal"
    elif config.model.num_codebooks != config.features.num_codebooks:
        yield (
            f"model.num_codebooks: got {config.model.num_codebooks}, but features at "
            f"{config.features.bandwidth:g} kbps have {config.features.num_codebooks}; set it so"
        )
    if mode == "joint" and (config.augment.changes_waveform or config.augment.mixes_clips):
        yield (
            "ssl.mode=joint knows the codes of clips as they are: switch off what augment does to "
            "waves and their mixing, or use ssl.mode=pretrain"
        )


def _stages(config: "Config") -> Iterator[str]:
    other = config.pretraining.data
    if config.freeze and config.init_from is None and not config.has_stage:
        yield "freeze: nothing was trained before; set init_from, pretraining.data or ssl.mode"
    if other is not None and config.ssl.mode == "pretrain":
        yield "pretraining.data and ssl.mode=pretrain: one stage before the classes, not both"
    if other is not None and other.sample_rate != config.data.sample_rate:
        yield (
            f"pretraining.data.sample_rate: got {other.sample_rate} Hz, allowed: the trial's own, "
            f"{config.data.sample_rate} Hz"
        )


def _teaching(config: "Config") -> Iterator[str]:
    if config.distil.teacher is not None and config.data.is_multi_label:
        yield (
            f"distil.teacher: a clip of {config.data.name} has several labels, and distillation "
            "compares distributions over one label a clip; leave it out"
        )


def _selection(config: "Config") -> Iterator[str]:
    if config.schedule.name == "plateau" and config.train.select == "last":
        yield "schedule.name=plateau watches train.select, and 'last' never improves: use a val/…"
