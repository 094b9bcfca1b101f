"""The effect that seeds and folds promise to show under the rule of `two_units`.

What is known of the noise before a study, from other trials or by assumption, is a `Spread`.

Legend: N samples, A arms of one family.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audiocls.stats.components import VarianceComponents
from audiocls.stats.two_units import half_width, overlap_factor, uncertainties

Array = NDArray[np.float64]

NUM_SAMPLES = 2_000
LASTING_SHARE = 0.25
"""What lasts over seeds, in units of `by_clip`, where nothing that was measured tells them apart.

In studies of ESC-10 and of the embedded data set it was 0.05 to 0.2 between settings of one
network, and 0.8 for a much smaller learning rate."""
MAX_SEEDS = 100
"""That are suggested."""
MAX_ARMS_DRAWN = 20
"""More arms share hardly more knowledge of the noise."""


@dataclass(frozen=True)
class Spread:
    """Variances of a difference on one fold with one seed, by source."""

    lasting: float
    """Of the recordings, which no number of seeds makes smaller."""
    by_clip: float
    """Of a training, in single recordings."""
    whole: float
    """Of a training that ends well or badly as a whole."""


@dataclass(frozen=True)
class EvaluationProtocol:
    """The folds that a study is trained and tested on."""

    num_folds: int
    num_recordings: int
    """Of all test folds; 0 where folds stand for them."""
    test_train_ratio: float
    """n_test/n_train of a fold."""


def spread_of(components: VarianceComponents) -> Spread:
    """Return the mean over arms; at least two seeds tell what lasts from what is of a training.

    Differences are taken after means, since a single one below 0 is no estimate. With one seed,
    `LASTING_SHARE` is assumed. Where predictions are missing, folds stand for recordings.
    """
    recording, seed, both, fold = (
        float(each.mean())
        for each in (components.recording, components.seed, components.both, components.fold)
    )
    num_folds, num_trials = components.num_folds, components.num_trials
    if not components.df_seeds:
        return _of_one_seed(
            num_folds * recording, num_folds * fold, bool(components.num_recordings)
        )
    over_seeds, of_seeds = (recording, both) if components.num_recordings else (fold, seed)
    lasting, whole = max(over_seeds - of_seeds, 0.0), max(seed - both, 0.0)
    return Spread(num_folds * lasting, num_trials * both, num_trials * whole)


def _of_one_seed(recording: float, fold: float, is_by_clip: bool) -> Spread:
    """Return the spread that one seed leaves to guess, from variances on one fold."""
    known = recording if is_by_clip else fold
    of_seeds = known / (1 + LASTING_SHARE)
    if is_by_clip:
        return Spread(known - of_seeds, of_seeds, max(fold - known, 0.0))
    return Spread(known - of_seeds, 0.0, of_seeds)


def spread_of_pairs(one_arm: VarianceComponents) -> Spread:
    """Return the spread of the difference of two arms that are as noisy as this one.

    Their trainings are taken to be independent, which is cautious: arms that share their seeds
    often vary together. `one_arm` needs at least two seeds. What lasts between two arms no single
    arm can tell: `LASTING_SHARE` is assumed.
    """
    alone = spread_of(one_arm)
    by_clip, whole = 2 * alone.by_clip, 2 * alone.whole
    return Spread(LASTING_SHARE * (by_clip or whole), by_clip, whole)


def assumed_spread(share: float, num_recordings: float) -> Spread:
    """Return the spread of two trainings that differ in a `share` of the recordings of a fold.

    Of a score that is the share of right answers, or moves as it does.
    """
    by_clip = share / num_recordings / (1 + LASTING_SHARE)
    return Spread(LASTING_SHARE * by_clip, by_clip, 0.0)


def detectable_effect(
    spread: Spread,
    num_seeds: int,
    protocol: EvaluationProtocol,
    num_arms: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """Return the smallest effect that becomes a claim with that power, in units of the metric.

    No other arm differs, which is Holm's worst case, and what lasts of the recordings has half of
    the variance that the rule adds for overlapping training sets, which is about the middle of
    what learners have. Estimates of the components vary as chi-squares; the power is the share of
    `NUM_SAMPLES` seeded samples whose interval excludes 0. Infinite where no effect could be
    claimed.
    """
    rng = np.random.default_rng(0)
    drawn = _drawn(rng, spread, num_seeds, protocol, min(num_arms, MAX_ARMS_DRAWN))
    ratio = protocol.test_train_ratio
    factor = (1 + overlap_factor(protocol.num_folds, ratio)) / 2
    of_seeds = (spread.by_clip + spread.whole) / num_seeds
    of_mean = (factor * spread.lasting + of_seeds) / protocol.num_folds
    errors = tuple(each.of_first_arm() for each in uncertainties(drawn, ratio))
    half = half_width(errors, alpha / num_arms)[:, 0]
    if not np.isfinite(half).all():
        return math.inf
    return float(np.quantile(half - np.sqrt(of_mean) * rng.normal(size=len(half)), power))


def _drawn(
    rng: np.random.Generator,
    spread: Spread,
    num_seeds: int,
    protocol: EvaluationProtocol,
    num_arms: int,
) -> VarianceComponents:
    def estimate(variance: float, df: int) -> Array:
        if df < 1:
            return np.zeros((NUM_SAMPLES, num_arms))
        return np.asarray(variance * rng.chisquare(df, (NUM_SAMPLES, num_arms)) / df)

    num_folds, num_recordings = protocol.num_folds, protocol.num_recordings
    lasting = spread.lasting / num_folds
    num_trials = num_seeds * num_folds
    both, whole = spread.by_clip / num_trials, spread.whole / num_trials
    df = max(0, num_recordings - num_folds)
    by_both = estimate(both, df * (num_seeds - 1))
    return VarianceComponents(
        mean=np.zeros((NUM_SAMPLES, num_arms)),
        recording=estimate(lasting + both, df),
        seed=estimate(both + whole, num_folds * (num_seeds - 1)),
        both=by_both,
        fold=estimate(lasting + both + whole, num_folds - 1),
        num_trials=num_trials,
        num_folds=num_folds,
        num_recordings=num_recordings,
    )


def smallest_effect(
    spread: Spread,
    protocol: EvaluationProtocol,
    num_arms: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """Return the effect below which no number of seeds is of help: recordings are too few."""
    still = replace(spread, by_clip=0.0, whole=0.0)
    return detectable_effect(still, MAX_SEEDS, protocol, num_arms, power, alpha)


def fewest_seeds(effect_of: Callable[[int], float], wanted: float) -> int | None:
    """Return the fewest seeds whose detectable effect is at most `wanted`.

    `effect_of` falls with the number of seeds. `None` where `MAX_SEEDS` are not enough.
    """
    low, high = 0, 1
    while effect_of(high) > wanted:
        if high == MAX_SEEDS:
            return None
        low, high = high, min(2 * high, MAX_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if effect_of(middle) <= wanted else (middle, high)
    return high
