"""Configuration: a typed recipe, its layers, its faults, and the identity of a trial."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from audiocls.config.identity import by_content, digest, files_of, identifying, trial_id
from audiocls.config.idle import idle_options, without_idle
from audiocls.config.layers import merge
from audiocls.config.recipe import Config
from audiocls.dotted import nest
from audiocls.errors import ConfigError
from audiocls.faults import faults_of

__all__ = [
    "Config",
    "by_content",
    "digest",
    "files_of",
    "identifying",
    "idle_options",
    "merge",
    "resolve",
    "trial_id",
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
        raise ConfigError(where, faults_of(error, Config, given)) from error
