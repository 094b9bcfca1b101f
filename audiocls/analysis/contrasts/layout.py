"""Which level each arm has of each factor, and contrasts of arms before they are measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from audiocls.analysis.family import Weights
from audiocls.dotted import short_names
from audiocls.formatting import format_level
from audiocls.store.record import Study

RECIPE = "recipe"
"""The level of an arm that leaves the key as the recipe has it."""


@dataclass(frozen=True)
class Factor:
    """What is varied, and the names of its levels in order, the one it starts from first."""

    name: str
    levels: tuple[str, ...]

    def named(self, level: int) -> str:
        """Return the factor at a level: `dropout=0.1`."""
        return f"{self.name}={self.levels[level]}"


@dataclass(frozen=True)
class Layout:
    """Arms in a grid of levels: `levels[i, j]` is arm i's level of factor j."""

    arms: tuple[str, ...]
    factors: tuple[Factor, ...]
    levels: NDArray[np.int64]
    """Shape: (arms, factors)"""

    @cached_property
    def is_balanced(self) -> bool:
        """Whether any two factors have all pairs of their levels equally often.

        Then a mean over the arms of one level has every other factor's levels in it alike.
        """
        return all(
            len(set(self._counts(i, j))) == 1
            for i in range(len(self.factors))
            for j in range(i + 1, len(self.factors))
        )

    @property
    def is_full(self) -> bool:
        """Whether every combination of levels is an arm."""
        num_cells = int(np.prod([len(factor.levels) for factor in self.factors]))
        return len(self.arms) == num_cells == len(np.unique(self.levels, axis=0))

    def _counts(self, first: int, second: int) -> list[int]:
        num_first, num_second = (len(self.factors[index].levels) for index in (first, second))
        cells = self.levels[:, first] * num_second + self.levels[:, second]
        return [int(num) for num in np.bincount(cells, minlength=num_first * num_second)]


def layout_of(study: Study) -> Layout:
    """Return the study's arms by their factors' levels; a key that an arm lacks is at `recipe`."""
    columns = {key: [_level(arm, key) for arm in study.arms.values()] for key in study.factors}
    short = _names(study.factors)
    factors, indices = [], []
    for key, of_arms in columns.items():
        levels = [_name_of(level) for level in study.factors[key]]
        ordered = [level for level in (RECIPE, *levels) if level in of_arms]
        factors.append(Factor(short[key], tuple(ordered)))
        indices.append([ordered.index(level) for level in of_arms])
    grid = np.array(indices, dtype=np.int64).reshape(len(factors), len(study.arms)).T
    return Layout(tuple(study.arms), tuple(factors), grid)


def _level(changes: Mapping[str, Any], key: str) -> str:
    keys = key.split(",")
    if not all(part in changes for part in keys):
        return RECIPE
    return _name_of(changes[key] if len(keys) == 1 else [changes[part] for part in keys])


def _name_of(level: Any) -> str:
    """Return a level's name; an empty list has one as well, for the axis that it stands at."""
    return format_level(level) or "none"


def _names(factors: Iterable[str]) -> dict[str, str]:
    """Return a short name for each factor; zipped keys are joined: `width+depth`."""
    keys = {factor: factor.split(",") for factor in factors}
    short = short_names(key for parts in keys.values() for key in parts)
    return {factor: "+".join(short[key] for key in parts) for factor, parts in keys.items()}


@dataclass(frozen=True)
class Contrast:
    """An effect before it is measured; the fields are those of `Effect`."""

    name: str
    against: str
    kind: Literal["main", "interaction"]
    weights: Weights
    parts: tuple[tuple[str, Weights], ...] = ()
    """The simple effects that an interaction is the difference of, by name."""
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


def interaction(name: str, parts: tuple[tuple[str, Weights], ...], reason: str = "") -> Contrast:
    """Return the second of two simple effects − the first, without the arms that cancel.

    >>> alone, together = {"x": 1.0, "y": -1.0}, {"z": 1.0, "y": -1.0}
    >>> interaction("a × b", (("a", alone), ("a with b", together))).weights
    {'z': 1.0, 'x': -1.0}
    """
    (_, first), (_, second) = parts
    arms = dict.fromkeys((*second, *first))
    weights = {arm: second.get(arm, 0.0) - first.get(arm, 0.0) for arm in arms}
    kept = {arm: weight for arm, weight in weights.items() if abs(weight) > 1e-12}
    return Contrast(name, "", "interaction", kept, parts=parts, reason=reason)
