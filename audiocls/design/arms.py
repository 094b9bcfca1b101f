"""Factors, the arms that each design makes of them, and the reference of each arm.

A factor is one key that varies, or several that are zipped, under a condition. An arm is a name
and the dotted keys it changes. Every list of arms starts with the baseline.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from audiocls.design.ablation import Ablation
from audiocls.design.fraction import Fraction
from audiocls.dotted import short_names
from audiocls.formatting import format_level

Changes = dict[str, Any]

BASELINE = "baseline"
ALL = "all"


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
    required = {other: value for key in keys for other, value in when.get(key, {}).items()}
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


@dataclass(frozen=True)
class Arm:
    """One way to train, and the arm it is compared with, where that is not the baseline."""

    name: str
    changes: Changes
    against: str | None = None


@dataclass(frozen=True)
class Factors:
    """All factors of a design, and what they and their levels are called among each other."""

    all: tuple[Factor, ...] = ()

    @cached_property
    def _short(self) -> dict[str, str]:
        return short_names(self._by_key)

    @cached_property
    def _by_key(self) -> dict[str, Factor]:
        return {key: factor for factor in self.all for key in factor.keys}

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {key: position for position, key in enumerate(self._by_key)}

    def _ordered(self, changes: Mapping[str, Any]) -> list[str]:
        """Return the keys of factors among these, in the file's order."""
        known = self._positions
        return sorted([key for key in changes if key in known], key=known.__getitem__)

    def label(self, factor: Factor) -> str:
        """Return a short name such as `dropout`; zipped keys are joined: `width+depth`."""
        return "+".join(self._short[key] for key in factor.keys)

    def name(self, changes: Mapping[str, Any]) -> str:
        """Return an arm's name: `dropout=0.1,lr=0.01`, or `baseline` without a change."""
        short = self._short
        parts = [f"{short[key]}={format_level(changes[key])}" for key in self._ordered(changes)]
        return ",".join(parts) or BASELINE

    def varied(self, levels: Iterable[Changes]) -> Changes:
        """Return the levels together, without factors whose condition they do not meet."""
        every = {key: value for level in levels for key, value in level.items()}
        return {
            key: every[key]
            for key in self._ordered(every)
            if matches(every, self._by_key[key].condition)
        }


def one_factor_at_a_time(factors: Factors) -> list[Arm]:
    """Return the recipe as it is, and each level of each factor alone against it.

    A conditional factor's arms set its condition too, and are compared with the arm that sets
    the condition alone.
    """
    arms = [Arm(BASELINE, {})]
    for factor in factors.all:
        against = factors.name(factor.condition) if factor.condition else None
        for level in factor.levels:
            changes = factors.varied([factor.condition, level]) if factor.condition else level
            arms.append(Arm(factors.name(changes), changes, against))
    return arms


def leave_one_out(factors: Factors) -> list[Arm]:
    """Return all changes, and all without each; what depends on a change is left out with it."""
    arms = [Arm(ALL, factors.varied(factor.levels[0] for factor in factors.all))]
    for left_out in factors.all:
        rest = factors.varied(f.levels[0] for f in factors.all if f is not left_out)
        arms.append(Arm(f"without {factors.label(left_out)}", rest))
    return arms


def both(factors: Factors) -> list[Arm]:
    """Return each change alone against the recipe, and all but each change against all of them.

    The two agree where changes add up, and differ where they interact.
    """
    everything, *without = leave_one_out(factors)
    rest = [Arm(arm.name, arm.changes, ALL) for arm in without]
    return [*one_factor_at_a_time(factors), everything, *rest]


def cumulative(factors: Factors) -> list[Arm]:
    """Return one change on top of the other, each arm against the one before it."""
    arms = [Arm(BASELINE, {})]
    for factor in factors.all:
        before, level = arms[-1], factor.levels[0]
        name = f"+{factors.name(level)}"
        arms.append(Arm(name, {**before.changes, **level}, before.name))
    return arms


def factorial(factors: Factors) -> list[Arm]:
    """Return every combination of levels, the last factor varying fastest."""
    return _combined(factors, itertools.product(*(factor.levels for factor in factors.all)))


def fractional(factors: Factors, fraction: Fraction) -> list[Arm]:
    """Return the combinations that a fraction runs; a factor's first level is its level 0."""
    rows = (zip(factors.all, run, strict=True) for run in fraction.runs)
    return _combined(factors, ([factor.levels[level] for factor, level in row] for row in rows))


def _combined(factors: Factors, combinations: Iterable[Sequence[Changes]]) -> list[Arm]:
    """Return an arm for each combination; those that differ only in what is not varied are one."""
    changes = [factors.varied(levels) for levels in combinations]
    return list(
        {name: Arm(name, each) for each in changes if (name := factors.name(each))}.values()
    )
