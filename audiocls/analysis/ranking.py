"""Ranking of a sweep's trials, and the importance of each parameter."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from audiocls import stats
from audiocls.dotted import flatten
from audiocls.search import (
    Alike,
    Importance,
    Sweep,
    TrialResult,
    fixed_keys,
    importance,
    without_blocks,
)
from audiocls.search.sweep import State
from audiocls.store.proposals import Proposal
from audiocls.store.record import Study

STATES = ("failed", "running", "pending", "stopped", "finished")
"""Of a trial; a setting has the first of these that one of its trials has."""


@dataclass(frozen=True)
class Ranked:
    """One trial in its place."""

    proposal: Proposal
    number: int
    """From 1, in the order proposed."""
    state: str
    """`finished`, `stopped` (early, by the sweep's rule), `failed`, `running`, or `pending`."""
    value: float | None
    """Of the sweep's metric."""
    seconds: float | None
    trials: tuple["Ranked", ...] = ()
    """Of a setting: its trials on all seeds and folds, of which `value` is the mean."""

    @property
    def error(self) -> float | None:
        """The standard error of a setting's mean; `None` for fewer than two trials."""
        values = [each.value for each in self.trials if each.value is not None]
        if len(values) < 2 or self.value is None:
            return None
        return statistics.stdev(values) / math.sqrt(len(values))

    @property
    def parameters(self) -> dict[str, Any]:
        return flatten(self.proposal.parameters)


@dataclass(frozen=True)
class Parameter:
    """What the ended trials say of one searched parameter."""

    key: str
    share: float | None
    """Share of the importance (`search.importance`); `None` where it cannot be estimated."""
    correlation: float | None
    """Spearman's, with the metric; `None` where the values have no order, or do not vary."""


@dataclass(frozen=True)
class Ranking:
    """A launched sweep and its trials, the best first; those without a value last, in order."""

    study: Study
    sweep: Sweep
    trials: tuple[Ranked, ...]
    alike: Alike | None = None
    """Parameters that made no difference, if there are any."""

    @property
    def noun(self) -> str:
        """What is ranked: trials, or settings by their means over seeds and folds."""
        return "setting" if self.sweep.blocks else "trial"

    @property
    def is_refused(self) -> bool:
        """Whether there is nothing to rank: all trials that have ended did so alike."""
        return self.alike is not None and self.alike.is_all

    @property
    def metric(self) -> str:
        return self.sweep.metric.name if self.sweep.metric else ""

    @property
    def goal(self) -> str | None:
        return self.sweep.metric.goal if self.sweep.metric else None

    @property
    def scored(self) -> tuple[Ranked, ...]:
        """The trials with a value, the best first; none where the ranking is refused."""
        known = (ranked for ranked in self.trials if ranked.value is not None)
        return () if self.is_refused else tuple(known)

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """Dotted keys by which trials may differ, those of an earlier launch included."""
        fixed = fixed_keys(self.sweep.parameters)
        levels: dict[str, set[str]] = {}
        for ranked in self.trials:
            for key, value in ranked.parameters.items():
                levels.setdefault(key, set()).add(str(value))
        return tuple(key for key, texts in levels.items() if key not in fixed or len(texts) > 1)

    @cached_property
    def importance(self) -> Importance:
        """Over the trials that have ended."""
        return importance(self.sweep, [_observation(ranked) for ranked in self.scored])

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those that are searched, the most important first."""
        shares = self.importance.shares
        searched = [Parameter(k, shares.get(k), self._correlation(k)) for k in self.searched]
        return tuple(sorted(searched, key=lambda each: -1.0 if each.share is None else -each.share))

    def is_numeric(self, key: str) -> bool:
        """Whether every trial's value of a parameter is a number."""
        values = [ranked.parameters.get(key) for ranked in self.trials]
        return all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)

    def _correlation(self, key: str) -> float | None:
        if not self.is_numeric(key) or self.importance.reason:
            return None
        pairs = [(ranked.parameters[key], ranked.value) for ranked in self.scored]
        return stats.rank_correlation(*zip(*pairs, strict=True))


def _observation(ranked: Ranked) -> TrialResult:
    state: State = "stopped" if ranked.state == "stopped" else "finished"
    return TrialResult(ranked.proposal.parameters, state, value=ranked.value)


def settings_of(sweep: Sweep, trials: Sequence[Ranked]) -> list[Ranked]:
    """Return the settings that trials on several seeds and folds repeat, in the order proposed.

    A setting of a grid has a value once it has one on as many blocks as any other: folds differ,
    and a mean over the easy ones is no better setting. Draws have a seed and a fold each.
    """
    groups: dict[str, list[Ranked]] = {}
    for ranked in trials:
        setting = without_blocks(sweep, ranked.proposal.parameters)
        groups.setdefault(repr(sorted(setting.items())), []).append(ranked)
    most = max((_num_values(group) for group in groups.values()), default=0)
    fewest = most if sweep.method == "grid" else 1
    return [_setting(sweep, group, max(1, fewest)) for group in groups.values()]


def _num_values(group: Sequence[Ranked]) -> int:
    return sum(ranked.value is not None for ranked in group)


def _setting(sweep: Sweep, group: Sequence[Ranked], fewest: int) -> Ranked:
    values = [ranked.value for ranked in group if ranked.value is not None]
    seconds = [ranked.seconds for ranked in group if ranked.seconds is not None]
    states = {ranked.state for ranked in group}
    first = group[0]
    return replace(
        first,
        proposal=replace(
            first.proposal, parameters=without_blocks(sweep, first.proposal.parameters)
        ),
        state=next(state for state in STATES if state in states),
        value=statistics.fmean(values) if len(values) >= fewest else None,
        seconds=sum(seconds) if seconds else None,
        trials=tuple(group),
    )


def in_order(
    study: Study, sweep: Sweep, trials: list[Ranked], alike: Alike | None = None
) -> Ranking:
    """Return the ranking of these trials, the best first; those without a value last."""
    sign = -1 if sweep.metric and sweep.metric.goal == "maximize" else 1

    def key(ranked: Ranked) -> float:
        return math.inf if ranked.value is None else sign * ranked.value

    return Ranking(study, sweep, tuple(sorted(trials, key=key)), alike)
