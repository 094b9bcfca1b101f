"""Configuration: a typed recipe, its layers, its faults, and the identity of a trial."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from audiocls.config.identity import by_content, digest, files_of, identity_config, trial_id
from audiocls.config.layers import merge
from audiocls.config.recipe import Config
from audiocls.config.unused import unused_options, without_idle
from audiocls.dotted import nest
from audiocls.errors import ConfigError
from audiocls.validation_errors import describe_errors

__all__ = [
    "Config",
    "by_content",
    "digest",
    "files_of",
    "identity_config",
    "merge",
    "resolve",
    "trial_id",
    "unused_options",
    "without_idle",
]


def resolve(layers: Sequence[Mapping[str, Any]], where: str) -> Config:
    """The configuration that `layers` spell, the later over the earlier.

    Raises `ConfigError` with every fault at once; `where` says whose faults they are.
    """
    given = nest(merge(layers))
    try:
        return Config.model_validate(given)
    except ValidationError as error:
        raise ConfigError(where, describe_errors(error, Config, given)) from error
