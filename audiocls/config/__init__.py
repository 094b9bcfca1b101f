"""Configuration: the typed recipe, its layers, its unused options, and the identity of a trial."""

from audiocls.config.identity import (
    SharedParts,
    by_content,
    digest,
    encoders_of,
    files_of,
    identity_config,
    trial_id,
    unused_options,
    without_unused,
)
from audiocls.config.layers import merge, not_taken_over, resolve
from audiocls.config.recipe import Config

__all__ = [
    "Config",
    "SharedParts",
    "by_content",
    "digest",
    "encoders_of",
    "files_of",
    "identity_config",
    "merge",
    "not_taken_over",
    "resolve",
    "trial_id",
    "unused_options",
    "without_unused",
]
