"""Arms that each design makes of its factors, and the reference of each arm.

An arm is a name and the dotted keys it changes. Every list of them starts with the baseline.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from audiocls.design.factor import Changes, Factor, matches
from audiocls.design.fraction import Fraction
from audiocls.dotted import short_names
from audiocls.formatting import format_level

BASELINE = "baseline"
ALL = "all"


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
        return short_names(key for factor in self.all for key in factor.keys)

    def label(self, factor: Factor) -> str:
        """Return a short name such as `dropout`; zipped keys are joined: `width+depth`."""
        return "+".join(self._short[key] for key in factor.keys)

    def name(self, changes: Mapping[str, Any]) -> str:
        """Return an arm's name: `dropout=0.1,lr=0.01`, or `baseline` without a change."""
        parts = [
            f"{short}={format_level(changes[key])}"
            for key, short in self._short.items()
            if key in changes
        ]
        return ",".join(parts) or BASELINE

    def varied(self, levels: Iterable[Changes]) -> Changes:
        """Return the levels together, without factors whose condition they do not meet."""
        every = {key: value for level in levels for key, value in level.items()}
        met = (factor for factor in self.all if matches(every, factor.condition))
        return {key: every[key] for factor in met for key in factor.keys if key in every}


def one_factor_at_a_time(factors: Factors) -> list[Arm]:
    """Return the recipe as it is, and each level of each factor alone against it.

    A conditional factor's arms set its condition too, and are compared with the arm that sets
    the condition alone.
    """
    arms = [Arm(BASELINE, {})]
    for factor in factors.all:
        against = factors.name(factor.condition) if factor.condition else None
        for level in factor.levels:
            changes = factors.varied([factor.condition, level])
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
