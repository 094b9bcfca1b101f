"""Ranking of a sweep's trials, and the importance of each parameter."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from audiocls import stats
from audiocls.dotted import flatten
from audiocls.search import Alike, Importance, Sweep, TrialResult, fixed_keys, importance
from audiocls.search.sweep import State
from audiocls.store.proposals import Proposal
from audiocls.store.record import Study


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


def in_order(
    study: Study, sweep: Sweep, trials: list[Ranked], alike: Alike | None = None
) -> Ranking:
    """Return the ranking of these trials, the best first; those without a value last."""
    sign = -1 if sweep.metric and sweep.metric.goal == "maximize" else 1

    def key(ranked: Ranked) -> float:
        return math.inf if ranked.value is None else sign * ranked.value

    return Ranking(study, sweep, tuple(sorted(trials, key=key)), alike)
