"""A trial's id: 12 hex digits of a hash of everything that can change its result."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from audiocls.config.recipe import Config
from audiocls.dotted import flatten, nest

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


def identity_config(config: Config) -> dict[str, Any]:
    """Return the configuration as JSON values, with every default, without `WITHOUT_EFFECT`."""
    return config.model_dump(mode="json", exclude=WITHOUT_EFFECT)  # type: ignore[arg-type]


def files_of(config: Config) -> dict[str, str]:
    """Return the path of each file or folder that the configuration names, by dotted key."""
    flat = flatten(identity_config(config))
    words = ("pretrained", "untrained")  # weights by name rather than by file
    return {key: flat[key] for key in PATHS if flat.get(key) and flat[key] not in words}


def by_content(resolved: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """Return `resolved` with digests of its files' contents instead of their paths.

    Args:
        resolved: a configuration, from `identity_config`.
        digests: the digest of each file, by the dotted key that names it.
    """
    return nest({**flatten(resolved), **digests})


def trial_id(resolved: Mapping[str, Any], data_fingerprint: str) -> str:
    """Return the id of one trial, 12 hex digits.

    Args:
        resolved: from `by_content`, or from `identity_config` if it names no file.
        data_fingerprint: of the data set's clips and labels.
    """
    identity = {"schema": IDENTITY_SCHEMA, "data": data_fingerprint, "config": resolved}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def digest(config: Config) -> str:
    """Return 12 hex digits of a configuration without its seed and fold; no file is read.

    Trials of one digest may still differ in the contents of the files that it names.
    """
    return trial_id({**identity_config(config), "seed": None, "fold": None}, "")
