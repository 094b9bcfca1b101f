"""Configuration: the typed recipe, its layers, its unused options, and the identity of a trial."""

from audiocls.config.identity import (
    by_content,
    digest,
    encoders_of,
    files_of,
    identity_config,
    trial_id,
    trial_ids,
    unused_options,
    without_unused,
)
from audiocls.config.layers import merge, resolve
from audiocls.config.recipe import Config

__all__ = [
    "Config",
    "by_content",
    "digest",
    "encoders_of",
    "files_of",
    "identity_config",
    "merge",
    "resolve",
    "trial_id",
    "trial_ids",
    "unused_options",
    "without_unused",
]
