"""A trial's id: 12 hex digits over everything that can change its result, and nothing else."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from audiocls.config.recipe import Config

IDENTITY_SCHEMA = 1

WITHOUT_EFFECT = {"device": True, "data": {"root"}}
"""Keys that say where a trial runs and where its sounds lie, not what comes out of it."""


def identifying(config: Config) -> dict[str, Any]:
    """The resolved configuration, every default written down, without what has no effect."""
    return config.model_dump(mode="json", exclude=WITHOUT_EFFECT)  # type: ignore[arg-type]


def trial_id(resolved: Mapping[str, Any], data_fingerprint: str) -> str:
    """The id of one trial; `resolved` comes from `identifying`."""
    identity = {"schema": IDENTITY_SCHEMA, "data": data_fingerprint, "config": resolved}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
