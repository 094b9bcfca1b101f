"""The configurations of a plan's arms: thousands of them may differ in one value.

An arm is given the parts that it does not change as they were validated for all arms together, and
what is compared of such a part is written down once.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from audiocls.config import Config, resolve
from audiocls.config.identity import WITHOUT_EFFECT, unused_options
from audiocls.config.layers import merge
from audiocls.dotted import flatten, nest
from audiocls.errors import ConfigError
from audiocls.parts import Origin

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
        self._parts = self._validated()

    def of(self, arm: str, changes: Layer) -> Config:
        """Return an arm's configuration, as `resolve` does.

        Raises:
            ConfigError: keys or values are invalid; the message lists all of them.
        """
        with suppress(ValidationError):
            return Config.model_validate(self._given(changes), context=self._origin)
        # The whole again, so that every fault is told in its place.
        return resolve([changes], arm, self._origin, self._shared)

    def _given(self, changes: Layer) -> dict[str, Any]:
        """Return the parts that an arm changes as keys and values, and the others as they are."""
        touched = {_part_of(key) for key in changes}
        below: dict[str, Any] = {}
        for part in touched:
            below |= self._layers.get(part, {})
        kept = {part: value for part, value in self._parts.items() if part not in touched}
        return {**kept, **nest(merge([changes], below))}

    def _validated(self) -> dict[str, Any]:
        """Return each shared part, validated, or as keys and values where that needs the arms."""
        try:
            config = resolve([], "arms", self._origin, self._shared)
        except ConfigError:
            return nest(self._shared)
        return {part: getattr(config, part) for part in self._layers}


def _part_of(key: Any) -> str:
    return str(key).partition(".")[0]


class UsedOptions:
    """Tells configurations apart by the options that have an effect in them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, frozenset[str]], str] = {}
        self._unused: dict[tuple[str, ...], dict[str, frozenset[str]]] = {}

    def of(self, config: Config) -> tuple[str, ...]:
        """Return what trains in a configuration; it must outlive this object."""
        unused = self._by_part(tuple(unused_options(config)))
        return tuple([self._text(config, part, unused[part]) for part in Config.model_fields])

    def _by_part(self, keys: tuple[str, ...]) -> dict[str, frozenset[str]]:
        if (known := self._unused.get(keys)) is None:
            known = self._unused[keys] = {
                part: frozenset(key for key in keys if _part_of(key) == part)
                for part in Config.model_fields
            }
        return known

    def _text(self, config: Config, part: str, unused: frozenset[str]) -> str:
        key = (part, id(getattr(config, part)), unused)
        if (known := self._known.get(key)) is None:
            known = self._known[key] = _text_of(config, part, unused)
        return known


def _text_of(config: Config, part: str, unused: frozenset[str]) -> str:
    dumped = config.model_dump(mode="json", include={part}, exclude=WITHOUT_EFFECT)  # type: ignore[arg-type]
    used = {key: value for key, value in flatten(dumped).items() if key not in unused}
    return json.dumps(used)
