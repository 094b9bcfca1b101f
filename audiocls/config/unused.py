"""Options of a configuration that have no effect, because other options switch them off.

They are no error: a recipe keeps the options of a method that an arm switches off. But arms that
differ in nothing else are identical, and their trials would be trained twice.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.audio.augment import Augment
from audiocls.config.recipe import Config
from audiocls.dotted import flatten, nest
from audiocls.optim import Plateau, Step

Unused = tuple[str, str]
"""A dotted key, and why it has no effect."""

SCALED = ("gain_db", "shift_s", "resample_p", "resample_factors")
"""Augmentations, beside `PROBABILITIES`, that `augment.strength` scales."""
PROBABILITIES = {
    "transform_p": ("transforms",),
    "noise_p": ("noises", "noise_snr_db"),
    "background_p": ("background", "background_snr_db"),
}
"""Probability of an augmentation → the options of that augmentation."""


def unused_options(config: Config) -> dict[str, str]:
    """Return the options without effect in this configuration: why, by dotted key."""
    return dict([*_augment(config.augment), *_labels(config), *_schedule(config)])


def without_unused(resolved: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Return `resolved` without options of no effect: equal for trials that would be equal."""
    flat = flatten(resolved)
    return nest({key: value for key, value in flat.items() if key not in unused_options(config)})


def _augment(augment: Augment) -> Iterator[Unused]:
    if not augment.masks_bands:
        yield "augment.num_masks", "augment.freq_mask and augment.time_mask are 0"
    for probability, names in PROBABILITIES.items():
        if getattr(augment, probability) == 0:
            yield from ((f"augment.{name}", f"augment.{probability} is 0") for name in names)
    if augment.strength == 0:
        options = [name for names in PROBABILITIES.values() for name in names]
        scaled = [*SCALED, *PROBABILITIES, *options]
        yield from ((f"augment.{name}", "augment.strength is 0") for name in scaled)


def _labels(config: Config) -> Iterator[Unused]:
    begin, epochs = config.augment.mix_from_epoch, config.train.epochs
    if config.augment.mixes_clips and begin >= epochs:
        yield "augment.mixes", f"augment.mix_from_epoch is {begin} of {epochs} epochs"
        yield "augment.mix_from_epoch", f"it is {begin} of {epochs} epochs"
    if config.augment.mixes_clips and begin == 0 and not config.has_stage:
        yield "train.label_smoothing", "every batch is mixed, and mixed labels are not smoothed"
    if config.distil.weight == 1 and config.distil.teacher is not None:
        yield "train.label_smoothing", "distil.weight is 1, so that labels are not learned from"


def _schedule(config: Config) -> Iterator[Unused]:
    schedule, epochs = config.schedule, config.train.epochs
    if isinstance(schedule, Step) and (schedule.gamma == 1 or schedule.every_epochs >= epochs):
        why = f"the rate never falls within {epochs} epochs"
        yield from (("schedule.gamma", why), ("schedule.every_epochs", why))
    if isinstance(schedule, Plateau) and schedule.patience >= epochs:
        why = f"the rate never falls within {epochs} epochs"
        yield from (("schedule.factor", why), ("schedule.patience", why))
