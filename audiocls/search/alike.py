"""Trials that ended alike to the last bit although their parameters differ.

A program that never reads its parameters runs its defaults in every trial. Only what it logs shows
that: whatever its configuration says, W&B has written the swept values into it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ended:
    """A trial that has ended: its parameters by dotted key, and all that it logged."""

    parameters: Mapping[str, Any]
    logged: Hashable


@dataclass(frozen=True)
class Alike:
    """Parameters without effect: trials that differ in nothing else ended alike."""

    keys: tuple[str, ...]
    num_trials: int
    """Trials that have a like."""
    is_all: bool
    """Whether all trials that have ended did so alike, so that none is better than another."""


def alike(trials: Sequence[Ended]) -> Alike | None:
    """Return the parameters that made no difference to any trial; `None` where there are none.

    Several that vary together are judged together; a metric that two trials share by chance does
    not make a parameter inert, if other pairs differ in it and in their results.
    """
    suspects = _suspects(trials)
    for keys in [suspects, *([key] for key in suspects)]:
        num_alike = _num_alike(trials, keys) if keys else 0
        if num_alike:
            is_all = len({trial.logged for trial in trials}) == 1
            return Alike(tuple(keys), num_alike, is_all)
    return None


def _suspects(trials: Sequence[Ended]) -> list[str]:
    """Return the keys in which trials differ that ended alike, sorted."""
    classes = _grouped(trials, lambda trial: trial.logged)
    return sorted({key for group in classes for key in _varied(group)})


def _varied(trials: Sequence[Ended]) -> Iterator[str]:
    for key in {key for trial in trials for key in trial.parameters}:
        if len({_text(trial, key) for trial in trials}) > 1:
            yield key


def _num_alike(trials: Sequence[Ended], keys: Collection[str]) -> int:
    """Return how many trials differ from others in these keys alone, if all such ended alike."""
    groups = _grouped(trials, lambda trial: _rest(trial, keys))
    pairs = [group for group in groups if len(group) > 1]
    is_inert = all(len({trial.logged for trial in group}) == 1 for group in pairs)
    return sum(map(len, pairs)) if is_inert else 0


def _rest(trial: Ended, keys: Collection[str]) -> Hashable:
    others = sorted(key for key in trial.parameters if key not in keys)
    return tuple((key, _text(trial, key)) for key in others)


def _text(trial: Ended, key: str) -> str:
    return repr(trial.parameters.get(key))


def _grouped(trials: Sequence[Ended], key_of: Callable[[Ended], Hashable]) -> list[list[Ended]]:
    groups: dict[Hashable, list[Ended]] = defaultdict(list)
    for trial in trials:
        groups[key_of(trial)].append(trial)
    return list(groups.values())
