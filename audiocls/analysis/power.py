"""Power analysis of a plan: what it can detect, what more seeds would, and how many are enough."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from typing import Any

from audiocls.analysis.evidence import NoiseEstimate
from audiocls.analysis.scope import Scope
from audiocls.design import Plan
from audiocls.stats import detectable_effect, fewest_seeds, smallest_effect

POWER = 0.8
MARGINS = 2
"""The effect that a study should detect by default: twice the margin of equivalence."""
SEEDS_SHOWN = (1, 2, 3, 5, 10)


@dataclass(frozen=True)
class Size:
    """A study of so many seeds on each of so many folds."""

    num_seeds: int
    num_folds: int
    num_trials: int
    """Of all arms."""
    effect: float | None
    """The smallest that becomes a claim at 80 % power, in units of the metric; `None` where none
    can."""


@dataclass(frozen=True)
class PowerAnalysis:
    """What a plan detects after correction; effects are in units of the metric."""

    num_all_folds: int
    """Of the data set; 1 for one official split."""
    scope: Scope
    """Of the plan."""
    evidence: NoiseEstimate | None
    """`None` where nothing is known of the noise: then no effect is."""
    note: str
    """Why what was measured is not used, or what is missing."""
    wanted: float
    planned: Size | None = None
    whole: Size | None = None
    """The planned seeds over all folds."""
    sizes: tuple[Size, ...] = ()
    """Some numbers of seeds over all folds."""
    fewest: Size | None = None
    """The fewest seeds over all folds that detect `wanted`; `None` where 100 do not."""
    limit: float | None = None
    """What no number of seeds over all folds detects less than: recordings are too few."""

    def to_mapping(self) -> dict[str, Any]:
        return {"power": POWER, **asdict(self)}


@dataclass(frozen=True)
class Family:
    """How many comparisons are corrected for, on how many arms, and at which level."""

    num_comparisons: int
    num_arms: int
    alpha: float

    def size_of(self, estimate: NoiseEstimate, num_seeds: int, num_folds: int) -> Size:
        """Return a study's size, and what it detects."""
        effect = self.effect_of(estimate, num_seeds, num_folds)
        num_trials = self.num_arms * num_seeds * num_folds
        return Size(num_seeds, num_folds, num_trials, effect if math.isfinite(effect) else None)

    def effect_of(self, estimate: NoiseEstimate, num_seeds: int, num_folds: int) -> float:
        """Return the smallest effect that is detected; infinite where none is.

        Of a share there is none above 100 points.
        """
        effect = _detectable(estimate, num_seeds, num_folds, self.num_comparisons, self.alpha)
        return _if_possible(effect, estimate)

    def fewest(self, estimate: NoiseEstimate, num_folds: int, wanted: float) -> Size | None:
        """Return the fewest seeds that detect the effect; `None` where 100 do not."""
        effect_of: Callable[[int], float] = partial(self._by_seeds, estimate, num_folds)
        num_seeds = fewest_seeds(effect_of, wanted)
        return None if num_seeds is None else self.size_of(estimate, num_seeds, num_folds)

    def _by_seeds(self, estimate: NoiseEstimate, num_folds: int, num_seeds: int) -> float:
        return self.effect_of(estimate, num_seeds, num_folds)

    def limit(self, estimate: NoiseEstimate, num_folds: int) -> float | None:
        """Return the effect that no number of seeds passes; `None` where none is detected."""
        protocol = estimate.protocol(num_folds)
        smallest = smallest_effect(
            estimate.spread, protocol, self.num_comparisons, POWER, self.alpha
        )
        effect = _if_possible(smallest, estimate)
        return effect if math.isfinite(effect) else None


def _if_possible(effect: float, estimate: NoiseEstimate) -> float:
    """Return the effect; infinite for one that the metric cannot have."""
    return math.inf if 0 < estimate.score_range < effect else effect


@lru_cache(maxsize=512)
def _detectable(
    estimate: NoiseEstimate, num_seeds: int, num_folds: int, num_comparisons: int, alpha: float
) -> float:
    protocol = estimate.protocol(num_folds)
    return detectable_effect(estimate.spread, num_seeds, protocol, num_comparisons, POWER, alpha)


def power_of_plan(
    chosen: Plan,
    num_folds: int,
    wanted: float | None,
    evidence: NoiseEstimate | None,
    note: str = "",
    has_recordings: bool = True,
) -> PowerAnalysis:
    """Return what the plan can detect, and the fewest seeds over all folds that detect `wanted`.

    `num_folds` are the data set's; `wanted` is an effect in units of the metric, by default twice
    the margin; `note` says why there is no `evidence`; `has_recordings` whether each test fold
    has two at least, to take them into account. A part of the folds is never suggested: its
    verdicts apply to that part alone.
    """
    stats = chosen.ablation.stats
    effect = MARGINS * stats.margin if wanted is None else wanted
    is_counted = has_recordings and not (evidence and not evidence.num_recordings)
    scope = _scope(len(chosen.folds), num_folds, is_counted)
    if evidence is None:
        return PowerAnalysis(num_folds, scope, None, note, effect)
    family = Family(max(1, chosen.num_comparisons), len(chosen.arms), stats.alpha)
    return PowerAnalysis(
        num_all_folds=num_folds,
        scope=scope,
        evidence=evidence,
        note=note,
        wanted=effect,
        planned=family.size_of(evidence, len(chosen.seeds), len(chosen.folds)),
        whole=family.size_of(evidence, len(chosen.seeds), num_folds),
        sizes=tuple(family.size_of(evidence, seeds, num_folds) for seeds in SEEDS_SHOWN),
        fewest=family.fewest(evidence, num_folds, effect),
        limit=family.limit(evidence, num_folds),
    )


def _scope(num_planned: int, num_folds: int, has_recordings: bool) -> Scope:
    """Return the scope of the plan's folds, as a report of it will say."""
    if num_planned == 1:
        return "split" if has_recordings else "clips"
    return "data" if num_planned == num_folds else "folds"
