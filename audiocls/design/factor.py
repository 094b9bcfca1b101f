"""`Factor`: what a design varies: one key, or several that are zipped, under a condition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audiocls.design.ablation import Ablation
from audiocls.formatting import format_level

Changes = dict[str, Any]


@dataclass(frozen=True)
class Factor:
    """One thing that varies; the keys of a zipped group advance together and are one factor."""

    keys: tuple[str, ...]
    levels: tuple[Changes, ...]
    """What each level sets."""
    condition: Changes = field(default_factory=dict)
    """Levels of other factors without which this one is not varied."""

    @property
    def name(self) -> str:
        return ",".join(self.keys)

    @property
    def values(self) -> list[Any]:
        """The levels without their keys: a list each where keys are zipped."""
        if len(self.keys) > 1:
            return [list(level.values()) for level in self.levels]
        return [value for level in self.levels for value in level.values()]


def factors_of(ablation: Ablation) -> tuple[Factor, ...]:
    """Return the factors in the file's order; for an ablation whose factors are valid."""
    rows = {keys: _levels(keys, ablation.factors) for keys in _groups(ablation)}
    by_key = {key: levels for keys, levels in rows.items() for key in keys}
    return tuple(
        Factor(keys, levels, _condition(keys, ablation.when, by_key))
        for keys, levels in rows.items()
    )


def _groups(ablation: Ablation) -> list[tuple[str, ...]]:
    """Return every key with those it is zipped with, once, where the first of them stands."""
    zipped = {key: group for group in ablation.zip for key in group}
    return list(dict.fromkeys(zipped.get(key, (key,)) for key in ablation.factors))


def _levels(keys: tuple[str, ...], factors: Mapping[str, Sequence[Any]]) -> tuple[Changes, ...]:
    rows = zip(*(factors[key] for key in keys), strict=True)
    return tuple(dict(zip(keys, row, strict=True)) for row in rows)


def _condition(
    keys: tuple[str, ...],
    when: Mapping[str, Changes],
    by_key: Mapping[str, Sequence[Changes]],
) -> Changes:
    """Return whole levels: a value of one key of a zipped group implies the others' values."""
    required = {key: value for own in keys for key, value in when.get(own, {}).items()}
    whole: Changes = {}
    for key, value in required.items():
        whole |= next(level for level in by_key[key] if is_same(level[key], value))
    return whole


def matches(changes: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Whether `changes` sets all that `part` does, to the same levels."""
    return all(key in changes and is_same(changes[key], value) for key, value in part.items())


def is_same(one: Any, other: Any) -> bool:
    """Whether two levels have one name, since arms are named by levels: 1 and true do not."""
    return format_level(one) == format_level(other)
