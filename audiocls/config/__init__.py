"""Configuration: the typed recipe, its layers, its unused options, and the identity of a trial."""

from audiocls.config.identity import (
    by_content,
    digest,
    encoders_of,
    files_of,
    identity_config,
    trial_id,
    unused_options,
    without_unused,
)
from audiocls.config.recipe import Config, merge, resolve

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
    "unused_options",
    "without_unused",
]
