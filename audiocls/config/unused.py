"""Options that a configuration holds and does not use, as other options switch them off.

They are no fault: a recipe keeps the options of what an arm switches off. But arms that differ in
nothing else are one arm, whose trials would be paid for twice.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.audio.augment import Augment
from audiocls.config.recipe import Config
from audiocls.dotted import flatten, nest
from audiocls.optim import Plateau, Step

Idle = tuple[str, str]
"""A dotted key, and why it has no effect."""

SCALED = ("gain_db", "shift_s", "resample_p", "resample_factors")
CHANCES = {
    "transform_p": ("transforms",),
    "noise_p": ("noises", "noise_snr_db"),
    "background_p": ("background", "background_snr_db"),
}
"""Chance → what happens by that chance."""


def unused_options(config: Config) -> dict[str, str]:
    """Dotted key → why it has no effect in this configuration."""
    return dict([*_augment(config.augment), *_mixing(config), *_schedule(config)])


def without_idle(resolved: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """`resolved` with nothing in place of what has no effect: equal where trials would be."""
    flat = flatten(resolved)
    return nest({key: value for key, value in flat.items() if key not in unused_options(config)})


def _augment(augment: Augment) -> Iterator[Idle]:
    if not augment.masks_bands:
        yield "augment.num_masks", "augment.freq_mask and augment.time_mask are 0"
    for chance, names in CHANCES.items():
        if getattr(augment, chance) == 0:
            yield from ((f"augment.{name}", f"augment.{chance} is 0") for name in names)
    if augment.strength == 0:
        scaled = [*SCALED, *CHANCES, *(name for pair in CHANCES.values() for name in pair)]
        yield from ((f"augment.{name}", "augment.strength is 0") for name in scaled)


def _mixing(config: Config) -> Iterator[Idle]:
    begin, epochs = config.augment.mix_from_epoch, config.train.epochs
    if config.augment.mixes_clips and begin >= epochs:
        yield "augment.mixes", f"augment.mix_from_epoch is {begin} of {epochs} epochs"
        yield "augment.mix_from_epoch", f"it is {begin} of {epochs} epochs"
    if config.augment.mixes_clips and begin == 0 and not config.has_stage:
        yield "train.label_smoothing", "every batch is mixed, and mixed labels are not smoothed"
    if config.distil.weight == 1 and config.distil.teacher is not None:
        yield "train.label_smoothing", "distil.weight is 1, so that labels are not learned from"


def _schedule(config: Config) -> Iterator[Idle]:
    schedule, epochs = config.schedule, config.train.epochs
    if isinstance(schedule, Step) and (schedule.gamma == 1 or schedule.every_epochs >= epochs):
        why = f"the rate never falls within {epochs} epochs"
        yield from (("schedule.gamma", why), ("schedule.every_epochs", why))
    if isinstance(schedule, Plateau) and schedule.patience >= epochs:
        why = f"the rate never falls within {epochs} epochs"
        yield from (("schedule.factor", why), ("schedule.patience", why))
