"""Every error of an ablation's document at once, though one stage of reading needs the one before.

An ablation whose own keys or design are wrong is read no further, so that errors of its recipe and
of its factors would be told only once these are mended. Here they are looked for on their own, as
far as they can be told without the rest: unknown keys and wrong values, and no rule between keys.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from audiocls import library
from audiocls.config import Config, merge
from audiocls.dotted import nest
from audiocls.errors import AudioclsError, ConfigError
from audiocls.parts import Origin
from audiocls.validation_errors import describe_errors

MAX_LEVELS = 200
"""Levels and arms that are looked at; a document with more is wrong in a few of them first."""
BLOCKS = ("seed", "fold")
"""Not to be varied, which the ablation's own errors say."""


def with_faults_of_values(
    error: ConfigError, document: Mapping[str, Any], overrides: Mapping[str, Any], origin: Origin
) -> ConfigError:
    """Return the error of an ablation with those of its recipe and of all values that it sets."""
    if "program" in document or "command" in document:
        return error
    more = _of_recipe(document, overrides, origin)
    return ConfigError(error.where, dict.fromkeys([*error.faults, *more]))


def _of_recipe(
    document: Mapping[str, Any], overrides: Mapping[str, Any], origin: Origin
) -> Iterator[str]:
    recipe = document.get("recipe")
    if not isinstance(recipe, str) or not recipe:
        return
    try:
        content = library.recipe(recipe, origin.is_trusted)
    except ConfigError as error:
        yield from (f"recipe {recipe}: {fault}" for fault in error.faults)
        return
    except AudioclsError as error:
        yield f"recipe: {error}"
        return
    shared = merge([content, _mapping(document, "overrides"), overrides])
    yield from _faults([], shared, origin)
    for changes in _changes(document):
        yield from _faults([changes], shared, origin)


def _changes(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what each arm sets, or each level of each factor that means something alone."""
    factors = _mapping(document, "factors")
    together = _together(document, factors)
    levels = [
        {key: level}
        for key, listed in factors.items()
        if isinstance(listed, list) and key not in BLOCKS and key not in together
        for level in listed
    ]
    arms = [arm for arm in _mapping(document, "arms").values() if isinstance(arm, Mapping)]
    yield from [*levels, *arms][:MAX_LEVELS]


def _together(document: Mapping[str, Any], factors: Mapping[str, Any]) -> set[str]:
    """Return keys whose levels other factors may be needed for: zipped, conditional, of a part."""
    groups = document.get("zip")
    zipped = {
        str(key)
        for group in (groups if isinstance(groups, list) else ())
        for key in (group if isinstance(group, list) else ())
    }
    parts = {key.removesuffix("name") for key in factors if key.endswith(".name")}
    of_parts = {key for key in factors if any(key.startswith(part) for part in parts)}
    others = {key for key in of_parts if not key.endswith(".name")}
    return zipped | _mapping(document, "when").keys() | others


def _mapping(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the mapping of a key, without keys that are no text; anything else is told before."""
    value = document.get(key)
    known = value.items() if isinstance(value, Mapping) else ()
    return {name: each for name, each in known if isinstance(name, str)}


def _faults(
    layers: list[Mapping[str, Any]], shared: Mapping[str, Any], origin: Origin
) -> list[str]:
    given = nest(merge(layers, shared))
    try:
        Config.model_validate(given, context=origin)
    except ValidationError as error:
        return describe_errors(error, Config, given, has_rules=False)
    return []
