"""A contrast: weights over arms that sum to zero, and so one number on each block."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Weights = Mapping[str, float]
"""Arm → its share in the difference; arms that play no part are left out."""

Key = frozenset[tuple[str, float]]
"""Weights without their sign."""


@dataclass(frozen=True)
class Contrast:
    """An effect before it is measured; the fields are those of `Effect`."""

    name: str
    against: str
    kind: Literal["main", "interaction"]
    weights: Weights
    parts: tuple[tuple[str, Weights], ...] = ()
    aliases: tuple[str, ...] = ()
    reason: str = ""
    """What the average leaves out."""


@dataclass(frozen=True)
class Contrasts:
    """The contrasts of a design, and in words what it cannot show."""

    contrasts: tuple[Contrast, ...] = ()
    not_estimated: tuple[str, ...] = ()
    compared: tuple[str, ...] = ()
    """Names of effects that are a comparison of two arms."""


def difference(first: Weights, second: Weights) -> dict[str, float]:
    """First − second, without the arms that cancel.

    >>> difference({"a": 1.0, "b": -1.0}, {"c": 1.0, "b": -1.0})
    {'a': 1.0, 'c': -1.0}
    """
    arms = dict.fromkeys((*first, *second))
    weights = {arm: first.get(arm, 0.0) - second.get(arm, 0.0) for arm in arms}
    return {arm: weight for arm, weight in weights.items() if abs(weight) > 1e-12}


def deduplicated(found: Contrasts, compared: Mapping[str, str]) -> Contrasts:
    """Without what is a comparison already (`compared`: arm → reference), or stands there before.

    Two effects with the same weights, but for the sign, are one number: a design that cannot tell
    them apart must not test it twice.
    """
    known = {_key({arm: 1.0, reference: -1.0}) for arm, reference in compared.items()}
    kept: dict[Key, Contrast] = {}
    for contrast in found.contrasts:
        kept.setdefault(_key(contrast.weights), contrast)
    return replace(
        found,
        contrasts=tuple(contrast for key, contrast in kept.items() if key not in known),
        compared=tuple(contrast.name for key, contrast in kept.items() if key in known),
    )


def _key(weights: Weights) -> Key:
    sign = 1.0 if weights[min(weights)] > 0 else -1.0
    return frozenset((arm, round(sign * weight, 9)) for arm, weight in weights.items())
