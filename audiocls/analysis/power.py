"""Power analysis of a plan: what its pairs can detect, and the fewest pairs for an effect."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from audiocls.design import Plan
from audiocls.stats import (
    Allocation,
    StdEstimate,
    cheapest,
    limit_of_seeds,
    minimum_detectable_effect,
)

POWER = 0.8
MARGINS = 2
"""The effect that a study should detect by default: twice the margin of equivalence."""


@dataclass(frozen=True)
class NoiseEstimate:
    """How much paired differences vary, and how that is known."""

    spread: StdEstimate
    source: str
    mean: float
    """Of the baseline, in units of the metric."""


@dataclass(frozen=True)
class Option:
    """The cheapest way to detect the wanted effect."""

    is_over_folds: bool
    allocation: Allocation | None
    """None where no number of seeds is enough, or more than 100 pairs would be needed."""


@dataclass(frozen=True)
class PowerAnalysis:
    """What the planned pairs detect at 80 % power; without evidence, effects are in sds."""

    effect_sd: float | None
    """`None` where no arm can win."""
    ratio: float
    """Test clips to training clips, of the variance that the verdict will use."""
    evidence: NoiseEstimate | None
    note: str
    """Why there is no evidence, although there is some."""
    wanted: float
    """An effect, in units of the metric."""
    limit_sd: float
    """The effect over folds below which seeds are of no help."""
    options: tuple[Option, ...]

    def in_units(self, effect_sd: float | None) -> float | None:
        """Return an effect in units of the metric; `None` where the noise is unknown."""
        if effect_sd is None or self.evidence is None:
            return None
        return effect_sd * self.evidence.spread.sd

    def interval(self) -> tuple[float, float] | None:
        """Return the minimum detectable effect at both ends of the noise's 95 % interval."""
        if self.effect_sd is None or self.evidence is None:
            return None
        return self.effect_sd * self.evidence.spread.low, self.effect_sd * self.evidence.spread.high

    def to_mapping(self) -> dict[str, Any]:
        return {
            "power": POWER,
            "test_train_ratio": self.ratio,
            "effect_sd": self.effect_sd,
            "effect": self.in_units(self.effect_sd),
            "effect_interval": self.interval(),
            "noise": asdict(self.evidence) if self.evidence else None,
            "note": self.note,
            "wanted": self.wanted,
            "limit_over_folds": self.in_units(self.limit_sd),
            "cheapest": [asdict(option) for option in self.options],
        }


def power_of_plan(
    chosen: Plan,
    num_folds: int,
    wanted: float | None,
    evidence: NoiseEstimate | None,
    note: str = "",
) -> PowerAnalysis:
    """Return what the planned pairs can detect, and the cheapest ways to detect `wanted`.

    `num_folds` are the data set's; `wanted` is an effect in units of the metric, by default twice
    the margin; `note` says why there is no `evidence`.
    """
    stats = chosen.ablation.stats
    ratio = test_train_ratio(num_folds)
    family = max(1, chosen.num_comparisons)
    fold_ratio = ratio if len(chosen.folds) > 1 else 0.0
    effect = MARGINS * stats.margin if wanted is None else wanted
    return PowerAnalysis(
        effect_sd=minimum_detectable_effect(
            len(chosen.blocks), fold_ratio, family, POWER, stats.alpha
        ),
        ratio=fold_ratio,
        evidence=evidence,
        note=note,
        wanted=effect,
        limit_sd=limit_of_seeds(ratio, family, POWER, stats.alpha),
        options=() if evidence is None else _options(chosen, num_folds, ratio, effect, evidence),
    )


def test_train_ratio(num_folds: int) -> float:
    """Return test clips per training clip of a trial that tests on one fold and selects on one.

    0 for one official split, whose trials do not overlap in what they are tested on.
    """
    return 1 / (num_folds - 2) if num_folds > 2 else 0.0


def _options(
    chosen: Plan, num_folds: int, ratio: float, effect: float, evidence: NoiseEstimate
) -> tuple[Option, ...]:
    """Return the cheapest way over folds, where the data set has several, and on one fold."""
    in_sds = effect / evidence.spread.sd if evidence.spread.sd else math.inf
    family, alpha = max(1, chosen.num_comparisons), chosen.ablation.stats.alpha
    counts = {True: range(2, num_folds + 1), False: range(1, 2)}
    return tuple(
        Option(is_over_folds, cheapest(in_sds, several, ratio, family, POWER, alpha))
        for is_over_folds, several in counts.items()
        if several
    )
