"""From layers of dotted keys to one configuration: recipe < ablation < command line.

Thousands of arms may differ in one value: an arm is given the parts that it does not change as they
were validated for all arms together, and what is compared of such a part is written down once.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, reduce
from typing import Any

from pydantic import ValidationError, create_model

from audiocls.config.identity import WITHOUT_EFFECT, identity_config, unused_options
from audiocls.config.recipe import Config, conflicts
from audiocls.dotted import flatten, nest
from audiocls.errors import ConfigError
from audiocls.formatting import assignment
from audiocls.options import Options
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
                f"{', '.join(lost)}. To keep them: --set {' --set '.join(map(shlex.quote, lost))}"
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


Layer = Mapping[str, Any]


class ArmConfigs:
    """Resolves arms over what all of them share.

    Args:
        shared: dotted keys, from `merge`.
        origin: who named the parts.
    """

    def __init__(self, shared: Layer, origin: Origin):
        self._shared, self._origin = shared, origin
        self._layers: dict[str, dict[str, Any]] = {}
        for key, value in shared.items():
            self._layers.setdefault(_part_of(key), {})[key] = value
        self._unchanged: Config | None = None
        with suppress(ConfigError):  # arms may be valid where what they share is not
            self._unchanged = resolve([], "arms", origin, shared)

    def of(self, arm: str, changes: Layer) -> Config:
        """Return an arm's configuration, as `resolve` does.

        Raises:
            ConfigError: keys or values are invalid; the message lists all of them.
        """
        if (config := self._with(changes)) is not None:
            return config
        # The whole again, so that every fault is told in its place.
        return resolve([changes], arm, self._origin, self._shared)

    def _with(self, changes: Layer) -> Config | None:
        """Return what is shared with the parts that an arm changes; `None` if it is invalid."""
        touched = {_part_of(key) for key in changes}
        if self._unchanged is None or not touched <= Config.model_fields.keys():
            return None
        below: dict[str, Any] = {}
        for part in touched:
            below |= self._layers.get(part, {})
        given = nest(merge([changes], below))
        try:
            parts = {part: self._validated(part, given[part]) for part in touched}
        except ValidationError:
            return None
        config = self._unchanged.model_copy(update=parts)
        return None if any(conflicts(config, touched)) else config

    def _validated(self, part: str, given: Any) -> Any:
        return getattr(_alone(part).model_validate({part: given}, context=self._origin), part)


@cache
def _alone(part: str) -> type[Options]:
    """Return options with one part of a configuration, as it is declared there."""
    field = Config.model_fields[part]
    definition: Any = {part: (field.annotation, field)}
    return create_model(part, __base__=Options, **definition)


def _part_of(key: Any) -> str:
    return str(key).partition(".")[0]


class UsedOptions:
    """Tells configurations apart by the options that have an effect in them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, frozenset[str]], str] = {}
        self._unused: dict[tuple[str, ...], dict[str, frozenset[str]]] = {}

    def of(self, config: Config) -> tuple[str, ...]:
        """Return what trains in a configuration; it must outlive this object."""
        unused, values = self._by_part(tuple(unused_options(config))), vars(config)
        keys = [(part, id(values[part]), names) for part, names in unused.items()]
        return tuple([self._known.get(key) or self._text(config, key) for key in keys])

    def _by_part(self, keys: tuple[str, ...]) -> dict[str, frozenset[str]]:
        """Return the options of each part that are among `keys`."""
        if (known := self._unused.get(keys)) is None:
            known = self._unused[keys] = {
                part: frozenset(key.partition(".")[2] for key in keys if _part_of(key) == part)
                for part in Config.model_fields
            }
        return known

    def _text(self, config: Config, key: tuple[str, int, frozenset[str]]) -> str:
        """Write a part down, without its options that have no effect."""
        part, _, unused = key
        exclude: Any = {**WITHOUT_EFFECT, part: unused} if unused else WITHOUT_EFFECT
        text = self._known[key] = config.model_dump_json(include={part}, exclude=exclude)
        return text


def check_no_inactive_factors(name: str, configs: Mapping[str, Config]) -> None:
    """Raise `ConfigError` with every arm whose changes have no effect, and why."""
    first: dict[tuple[str, ...], str] = {}
    used, faults = UsedOptions(), []
    for arm, config in configs.items():
        same_arm = first.setdefault(used.of(config), arm)
        if same_arm != arm and (odd := _differing(config, configs[same_arm])):
            faults.append(
                f"arm {arm!r} would train as arm {same_arm!r} does: {'; '.join(odd)}. Leave one of "
                "the two out"
            )
    if faults:
        raise ConfigError(name, faults)


def _differing(config: Config, same_arm: Config) -> list[str]:
    mine, theirs = (flatten(identity_config(each)) for each in (config, same_arm))
    unused = unused_options(config)
    return [
        f"{key} has no effect, as {why}"
        for key, why in unused.items()
        if mine.get(key) != theirs.get(key)
    ]
