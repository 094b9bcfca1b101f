"""From layers of dotted keys to one configuration: recipe < ablation < command line."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from pydantic import ValidationError

from audiocls.config.recipe import Config
from audiocls.dotted import flatten, nest
from audiocls.errors import ConfigError
from audiocls.formatting import assignment
from audiocls.parts import OWN_FILES, Origin
from audiocls.parts.names import with_names
from audiocls.validation_errors import describe_errors

NAME = ".name"
"""Ending of the key that chooses a part."""


def resolve(
    layers: Sequence[Mapping[str, Any]],
    where: str,
    origin: Origin = OWN_FILES,
    merged: Mapping[str, Any] | None = None,
) -> Config:
    """Return the configuration that `layers` define, the later over the earlier.

    Args:
        layers: nested or dotted keys.
        where: the file or option that the layers are from, for the message.
        origin: who named the parts: of a server or a checkpoint, only trusted modules are read.
        merged: what lies under all layers, from `merge`; many arms have it in common.

    Raises:
        ConfigError: keys or values are invalid; the message lists all of them.
    """
    given = nest(merge(layers, merged))
    try:
        return Config.model_validate(given, context=origin)
    except ValidationError as error:
        raise ConfigError(where, describe_errors(error, Config, given)) from error


def merge(
    layers: Sequence[Mapping[str, Any]], merged: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return one flat mapping of dotted keys: `layers` over what was `merged` before.

    Another choice of a part (`model.name`, `data.name` …) drops the options that earlier layers
    set for the old one: the new part starts from its own defaults.

    >>> merge([{"model.name": "a", "model.x": 1}, {"model.name": "b"}])
    {'model.name': 'b'}
    """
    merged = dict(merged or {})
    for layer in layers:
        flat = with_names(flatten(layer))
        for key, value in flat.items():
            if key.endswith(NAME) and merged.get(key) != value:
                merged = _without(merged, key.removesuffix(NAME) + ".")
        for key, value in flat.items():
            merged = _without(merged, key + ".")
            merged[key] = value
    return merged


def not_taken_over(
    recipe: Mapping[str, Any], overrides: Mapping[str, Any], config: Config
) -> Iterator[str]:
    """Yield a sentence for each part that is replaced by another with the same options.

    Its own defaults are easily overlooked: `data.name=esc50` has another sample rate, too.

    Args:
        config: what `overrides` make of `recipe`.
    """
    below, above = with_names(flatten(recipe)), with_names(flatten(overrides))
    for key, name in above.items():
        if not key.endswith(NAME) or below.get(key) == name:
            continue
        options = _starting_with(key.removesuffix(NAME) + ".", below)
        lost = [
            assignment(option, value)
            for option, value in options.items()
            if option not in above and _differs(config, option, value)
        ]
        if lost:
            yield (
                f"{key}={name} has defaults of its own in place of the recipe's "
                f"{', '.join(lost)}. To keep them: --set {' --set '.join(lost)}"
            )


def _differs(config: Config, option: str, value: Any) -> bool:
    """Whether an option exists and has another value."""
    try:
        found = reduce(getattr, option.split("."), config)
    except AttributeError:
        return False
    return bool(found != (tuple(value) if isinstance(value, list) else value))


def _starting_with(prefix: str, flat: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in flat.items() if key.startswith(prefix)}


def _without(flat: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return `flat` without the keys that begin with `prefix`."""
    return {key: value for key, value in flat.items() if not key.startswith(prefix)}
