"""A trial's id: 12 hex digits of a hash of everything that can change its result.

Options that others switch off have no effect, and are in the id all the same: they are no error,
for a recipe keeps the options of a method that an arm switches off. But arms that differ in nothing
else are identical, and their trials would be trained twice: `unused_options` names them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audiocls.audio.augment import Augment
from audiocls.audio.features import Encodec
from audiocls.config.recipe import Config
from audiocls.dotted import flatten, nest
from audiocls.encoders import Pretrained
from audiocls.optim import Plateau, Step

IDENTITY_SCHEMA = 2

WITHOUT_EFFECT = {
    "device": True,
    "data": {"root"},
    "pretraining": {"data": {"root"}},
}
"""Keys of the place of a trial and of its audio, on which its result does not depend. A budget is
not among them: it decides whether there is a result."""

PATHS = ("init_from", "distil.teacher", "ssl.clips", "augment.background", "features.weights")
"""Keys that may name files, which enter the id by content instead of by path."""

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


def identity_config(config: Config) -> dict[str, Any]:
    """Return the configuration as JSON values, with every default, without `WITHOUT_EFFECT`."""
    return config.model_dump(mode="json", exclude=WITHOUT_EFFECT)  # type: ignore[arg-type]


def files_of(config: Config, resolved: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the path of each file or folder that the configuration names, by dotted key.

    `resolved` is what `identity_config` returns, where that is known already.
    """
    tree = identity_config(config) if resolved is None else resolved
    words = (None, "", "pretrained", "untrained")  # weights by name rather than by file
    named = {key: _value_at(tree, key) for key in PATHS}
    encoders = encoders_of(config)
    files = {k: path for k, path in named.items() if path not in words and k not in encoders}
    return files | {k: each.model for k, each in encoders.items() if not each.source.is_on_hub}


def _value_at(tree: Any, key: str) -> Any:
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def encoders_of(config: Config) -> dict[str, Pretrained]:
    """Return the pretrained encoders that a configuration starts from, by dotted key."""
    features = config.features
    by_encodec = features.encoder if isinstance(features, Encodec) else None
    parts = {
        "features.weights": by_encodec,
        "features.model": features,
        "model.model": config.model,
    }
    return {key: part for key, part in parts.items() if isinstance(part, Pretrained)}


def by_content(resolved: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Return `resolved` with digests of its files' contents instead of their paths.

    Args:
        resolved: a configuration, from `identity_config`.
        digests: the digest of each file, by the dotted key that names it.
    """
    return nest({**flatten(resolved), **digests}) if digests else dict(resolved)


def trial_id(resolved: Mapping[str, Any], data_fingerprint: str) -> str:
    """Return the id of one trial, 12 hex digits.

    Args:
        resolved: from `by_content`, or from `identity_config` if it names no file.
        data_fingerprint: of the data set's clips and labels.
    """
    return SharedParts().trial_ids(resolved, data_fingerprint, [{}])[0]


class SharedParts:
    """Identifies configurations of which most parts are the same objects: each is written once."""

    def __init__(self) -> None:
        # Both keep what they know something about: a number of `id` is given anew otherwise.
        self._dumps: dict[tuple[str, int], tuple[Any, dict[str, Any]]] = {}
        self._texts: dict[tuple[str, int], tuple[Any, str]] = {}
        self._encode = json.JSONEncoder(
            sort_keys=True, separators=(",", ":"), allow_nan=False
        ).encode

    def identity_config(self, config: Config) -> dict[str, Any]:
        """Return what `identity_config` does; what it holds must not be changed."""
        resolved: dict[str, Any] = {}
        for part, value in config:
            key = part, id(value)
            if key not in self._dumps:
                dumped = config.model_dump(mode="json", include={part}, exclude=WITHOUT_EFFECT)  # type: ignore[arg-type]
                self._dumps[key] = value, dumped
            resolved |= self._dumps[key][1]
        return resolved

    def trial_ids(
        self,
        resolved: Mapping[str, Any],
        data_fingerprint: str,
        blocks: Sequence[Mapping[str, int | None]],
    ) -> list[str]:
        """Return the ids of trials that differ in their block alone.

        Args:
            resolved: as `trial_id` takes it.
            data_fingerprint: of the data set's clips and labels.
            blocks: of each trial, what it sets above `resolved`: its seed and fold, or nothing.
        """
        shared = {key: self._text(key, value) for key, value in resolved.items()}
        rest = f'"data":{self._encode(data_fingerprint)},"schema":{IDENTITY_SCHEMA}'
        ids = []
        for block in blocks:
            own = {key: f'"{key}":{self._encode(value)}' for key, value in block.items()}
            every = {**shared, **own}
            config = ",".join([every[key] for key in sorted(every)])
            canonical = f'{{"config":{{{config}}},{rest}}}'
            ids.append(hashlib.sha256(canonical.encode()).hexdigest()[:12])
        return ids

    def _text(self, part: str, value: Any) -> str:
        key = part, id(value)
        if key not in self._texts:
            self._texts[key] = value, f'"{part}":{self._encode(value)}'
        return self._texts[key][1]


def digest(config: Config) -> str:
    """Return 12 hex digits of a configuration without its seed and fold; no file is read.

    Trials of one digest may still differ in the contents of the files that it names.
    """
    return trial_id({**identity_config(config), "seed": None, "fold": None}, "")


def unused_options(config: Config) -> dict[str, str]:
    """Return the options without effect in this configuration: why, by dotted key."""
    parts = (_augment(config.augment), _labels(config), _training(config), _schedule(config))
    return dict(unused for part in parts for unused in part)


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
    if config.augment.feature_mixup > 0 and not config.has_stage:
        yield "train.label_smoothing", "every batch is mixed, and mixed labels are not smoothed"
    if config.distil.weight == 1 and config.distil.teacher is not None:
        yield "train.label_smoothing", "distil.weight is 1, so that labels are not learned from"


def _training(config: Config) -> Iterator[Unused]:
    train = config.train
    if train.label_smoothing == 0:
        yield "train.smoothing_over", "train.label_smoothing is 0"
    if train.precision != "fp16":
        yield "train.loss_scale", f"train.precision is {train.precision}"
    if not config.augment.mixes_clips and config.augment.feature_mixup == 0:
        yield "train.mixed_loss", "augment.mixes is empty"
    elif train.mixed_loss == train.loss:
        yield "train.mixed_loss", f"train.loss is {train.loss} as well"


def _schedule(config: Config) -> Iterator[Unused]:
    schedule, epochs = config.schedule, config.train.epochs
    if isinstance(schedule, Step) and (schedule.gamma == 1 or schedule.every_epochs >= epochs):
        why = f"the rate never falls within {epochs} epochs"
        yield from (("schedule.gamma", why), ("schedule.every_epochs", why))
    if isinstance(schedule, Plateau) and schedule.patience >= epochs:
        why = f"the rate never falls within {epochs} epochs"
        yield from (("schedule.factor", why), ("schedule.patience", why))
