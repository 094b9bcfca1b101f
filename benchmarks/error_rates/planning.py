"""The effect that seeds and folds promise to show under the rule of `two_units`.

Legend: N samples, A arms of one family.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from parts import Parts
from two_units import half_widths, overlap_factor

Array = NDArray[np.float64]

NUM_SAMPLES = 2_000


@dataclass(frozen=True)
class Spread:
    """Variances of the mean difference over all folds, as one seed would have them."""

    lasting: float
    """Of the recordings, which no number of seeds makes smaller."""
    by_clip: float
    """Of a training, in single recordings."""
    whole: float
    """Of a training that ends well or badly as a whole."""


def spread_of(parts: Parts) -> Spread:
    """Return the mean over arms of a study that has at least two seeds.

    Differences are taken after means, since a single one below 0 is no estimate.
    """
    recording, seed, both = (
        float(part.mean()) for part in (parts.by_recording, parts.by_seed, parts.by_both)
    )
    return Spread(
        max(recording - both, 0.0), parts.num_seeds * both, parts.num_seeds * max(seed - both, 0.0)
    )


def detectable_effect(
    spread: Spread,
    num_seeds: int,
    num_folds: int,
    num_recordings: int,
    test_train_ratio: float,
    num_arms: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """Return the smallest effect that becomes a claim with that power, in units of the metric.

    No other arm differs, which is Holm's worst case, and what lasts of the recordings has half of
    the variance that the rule adds for overlapping training sets, which is about the middle of
    what learners have. Estimates of the parts vary as chi-squares; the power is the share of
    `NUM_SAMPLES` seeded samples whose interval excludes 0.
    """
    rng = np.random.default_rng(0)
    drawn = _drawn(rng, spread, num_seeds, num_folds, num_recordings, num_arms)
    factor = (1 + overlap_factor(num_folds, test_train_ratio)) / 2
    of_mean = factor * spread.lasting + (spread.by_clip + spread.whole) / num_seeds
    half = half_widths(drawn, test_train_ratio, alpha / num_arms)[:, 0]
    return float(np.quantile(half - np.sqrt(of_mean) * rng.normal(size=len(half)), power))


def _drawn(
    rng: np.random.Generator,
    spread: Spread,
    num_seeds: int,
    num_folds: int,
    num_recordings: int,
    num_arms: int,
) -> Parts:
    def estimate(variance: float, df: int) -> Array:
        if df < 1:
            return np.zeros((NUM_SAMPLES, num_arms))
        return np.asarray(variance * rng.chisquare(df, (NUM_SAMPLES, num_arms)) / df)

    both, whole = spread.by_clip / num_seeds, spread.whole / num_seeds
    df = num_recordings - num_folds
    by_both = estimate(both, df * (num_seeds - 1))
    return Parts(
        mean=np.zeros((NUM_SAMPLES, num_arms)),
        by_recording=estimate(spread.lasting + both, df),
        by_seed=estimate(both + whole, num_folds * (num_seeds - 1)),
        by_both=by_both,
        by_fold=estimate(spread.lasting + both + whole, num_folds - 1),
        num_seeds=num_seeds,
        num_folds=num_folds,
        num_recordings=num_recordings,
    )
