"""A trial's id: 12 hex digits over everything that can change its result, and nothing else."""

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
"""Keys that say where a trial runs and where its sounds lie, not what comes out of it. A budget
is not among them: it decides whether anything comes out at all."""

PATHS = ("init_from", "distil.teacher", "ssl.clips", "augment.background", "features.weights")
"""Keys that may name files: what is in them decides, not where they lie."""


def identity_config(config: Config) -> dict[str, Any]:
    """The resolved configuration, every default written down, without what has no effect."""
    return config.model_dump(mode="json", exclude=WITHOUT_EFFECT)  # type: ignore[arg-type]


def files_of(config: Config) -> dict[str, str]:
    """Dotted key → the path of the file or folder that it names."""
    flat = flatten(identity_config(config))
    words = ("pretrained", "untrained")  # weights by name rather than by file
    return {key: flat[key] for key in PATHS if flat.get(key) and flat[key] not in words}


def by_content(resolved: Mapping[str, Any], digests: Mapping[str, str]) -> dict[str, Any]:
    """`resolved` with the digests of what its files hold instead of their paths."""
    return nest({**flatten(resolved), **digests})


def trial_id(resolved: Mapping[str, Any], data_fingerprint: str) -> str:
    """The id of one trial; `resolved` comes from `by_content` or `identity_config`."""
    identity = {"schema": IDENTITY_SCHEMA, "data": data_fingerprint, "config": resolved}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def digest(config: Config) -> str:
    """What a configuration asks, whatever its seed and fold; no file is read for it.

    Trials with one digest may still differ in the sounds that its paths lead to.
    """
    return trial_id({**identity_config(config), "seed": None, "fold": None}, "")
