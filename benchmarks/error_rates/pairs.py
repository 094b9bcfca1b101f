"""The rule of before: seed × fold pairs as if they were exchangeable.

A corrected t test and a sign-flip test of all pairs, of which a claim needed both. Kept as the
rival that the tables compare with, and for the golden numbers of its arithmetic.

Legend: n pairs, R random patterns of signs.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MAX_EXACT_PAIRS = 16
NUM_RESAMPLES = 9_999


@dataclass(frozen=True)
class TTest:
    """Test of a mean against zero; `sd` and interval are infinite where one value has no spread."""

    mean: float
    sd: float
    t: float
    p: float
    ci_low: float
    ci_high: float
    df: int


def corrected_t(
    differences: Sequence[float], test_train_ratio: float, alpha: float = 0.05
) -> TTest:
    """Return the two-sided t test whose variance allows for the overlap of folds' training sets.

    The variance of the mean is var·(1/n + n_test/n_train) (Nadeau and Bengio, "Inference for the
    generalization error", Machine Learning 52, 2003), over all r·k pairs of r seeds × k folds as
    in Bouckaert and Frank (PAKDD 2004). A ratio of 0 is the plain paired t test, right for several
    seeds on one fold.

    `test_train_ratio` is n_test/n_train, 0 or more; `alpha` in (0, 1) is 1 − the interval's level.
    Raises `ValueError` for no difference at all.

    Edges: one difference gives p = 1 and an endless interval; identical ones other than zero give
    p = 0 and an interval of one point (the sign-flip test then decides); all zero gives p = 1.
    """
    mean, error = _mean_and_error(differences, test_train_ratio)
    df = len(differences) - 1
    if df == 0:
        return TTest(mean, math.inf, 0.0, 1.0, -math.inf, math.inf, 0)
    t = _ratio(mean, error)
    half = error * t_quantile(1 - alpha / 2, df)
    p = 2 * t_tail(abs(t), df)
    sd = float(np.std(differences, ddof=1)) if error else 0.0
    return TTest(mean, sd, t, p, mean - half, mean + half, df)


def tost_p(
    differences: Sequence[float], test_train_ratio: float, margin: float, step: float = 0.0
) -> float:
    """Return the p of two one-sided corrected t tests: a small one says −margin < effect < margin.

    TOST: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987. One difference gives 1.
    `step` is the smallest change that the metric can show, such as one test clip: rounding to it
    has a variance of step²/12 (Sheppard, Proc. London Math. Society 29, 1898), which no spread that
    was seen can fall below. Ten folds of ten clips that agree to the clip do not agree to a point.
    `margin` and `step` are in the unit of the differences. Raises `ValueError` for no difference.
    """
    df = len(differences) - 1
    if df == 0:
        return 1.0
    mean, error = _mean_and_error(differences, test_train_ratio)
    error = max(error, math.sqrt(step**2 / 12 * (1 / len(differences) + test_train_ratio)))
    return t_tail(_ratio(margin - abs(mean), error), df)


def _mean_and_error(values: Sequence[float], ratio: float) -> tuple[float, float]:
    num = len(values)
    if num == 0:
        raise ValueError("a test needs at least one difference, got none")
    if num == 1:
        return float(values[0]), math.inf
    if min(values) == max(values):  # `np.std` would leave rounding noise, and t a huge number
        return float(values[0]), 0.0
    error = math.sqrt(float(np.var(values, ddof=1)) * (1 / num + ratio))
    return float(np.mean(values)), error


def _ratio(numerator: float, error: float) -> float:
    if error == 0:
        return math.copysign(math.inf, numerator) if numerator else 0.0
    return numerator / error


# `scipy.special` has the t distribution without the half second that `scipy.stats` takes to load.
def t_tail(t: float, df: int) -> float:
    """Return the probability of more than `t`."""
    from scipy.special import stdtr

    return float(stdtr(df, -t))


@lru_cache(maxsize=256)
def t_quantile(probability: float, df: int) -> float:
    """Return the t below which that share of the distribution lies; `probability` in (0, 1)."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def resamples_for(level: float) -> int:
    """Return how many random patterns resolve p values around a level in (0, 1)."""
    return NUM_RESAMPLES if level >= 10 / NUM_RESAMPLES else 10 * NUM_RESAMPLES + 9


def sign_flip_p(
    differences: Sequence[float], seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> float:
    """Return the two-sided p of the mean under random signs, which assumes symmetry alone.

    Fisher's randomisation test ("The Design of Experiments", 1935, section 21). Exact over all 2^n
    patterns up to 16 pairs; beyond, 9,999 seeded ones (or more) and the +1 rule (Phipson and Smyth,
    Stat. Appl. Genet. Mol. Biol. 9, 2010). Equal to
    `scipy.stats.permutation_test(permutation_type="samples")`, but a hundred times faster, and
    the same for d and −d by Monte Carlo too.

    Shape: differences (n,), arm − reference, in any unit
    """
    values = np.asarray(differences, dtype=float)
    is_exact = len(values) <= MAX_EXACT_PAIRS
    sums = _all_sums(values) if is_exact else _random_sums(values, seed, num_resamples)
    # Equal sums of decimals differ in their last bits; they are ties and must count as such.
    threshold = abs(values.sum()) - 1e-9 * np.abs(values).sum()
    num_extreme = int(np.count_nonzero(np.abs(sums) >= threshold))
    return num_extreme / len(sums) if is_exact else (num_extreme + 1) / (len(sums) + 1)


def _all_sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums under every pattern of signs. Shape: (n,) → (2^n,)"""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _random_sums(values: NDArray[np.float64], seed: int, num: int) -> NDArray[np.float64]:
    """Return the sums under random signs, eight at a time, looked up in tables of 256 sums.

    Shape: (n,) → (R,)
    """
    patterns = _random_patterns(len(values), seed, num)
    padded = np.zeros(8 * len(patterns))
    padded[: len(values)] = values
    tables = padded.reshape(-1, 8) @ _signs_of(np.arange(256, dtype=np.uint8)).T.astype(float)
    sums = np.zeros(num)
    for table, pattern in zip(tables, patterns, strict=True):
        sums += table[pattern]
    return sums


def random_signs(num: int, seed: int, num_rows: int = NUM_RESAMPLES) -> NDArray[np.int8]:
    """Return the random patterns of signs that the test goes through, one a row.

    Shape: → (num_rows, num)
    """
    signs = _signs_of(_random_patterns(num, seed, num_rows))  # (bytes, rows, 8)
    return np.moveaxis(signs, 0, 1).reshape(num_rows, -1)[:, :num]


def _signs_of(patterns: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return the eight signs that each byte stands for. Shape: (…) → (…, 8)"""
    bits = np.unpackbits(patterns[..., np.newaxis], axis=-1)
    return 1 - 2 * bits.astype(np.int8)


@lru_cache(maxsize=2)
def _random_patterns(num: int, seed: int, num_rows: int) -> NDArray[np.uint8]:
    """Return random bytes, cached, since every arm of a study needs the same.

    Shape: → (⌈num / 8⌉, num_rows)
    """
    size = (-(-num // 8), num_rows)
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


def min_attainable_p(num_pairs: int) -> float:
    """Return the smallest p that so many pairs can have: 2/2^n, where all of them agree."""
    return min(1.0, 2.0 ** (1 - num_pairs))


def can_be_significant(num_pairs: int, num_comparisons: int, alpha: float) -> bool:
    """Whether the most consistent result could be significant after Bonferroni's correction.

    Which is Holm's for the smallest p of the family.
    """
    return min_attainable_p(num_pairs) * num_comparisons <= alpha


def pairs_needed(alpha: float, num_comparisons: int) -> int:
    """Return the fewest pairs with which any of that many comparisons can reach `alpha`."""
    counts = itertools.count(1)
    return next(num for num in counts if can_be_significant(num, num_comparisons, alpha))


def spending(alpha: float, sizes: Sequence[int], num_comparisons: int = 1) -> list[float]:
    """Return the level of each look at data of growing `sizes`; together they are at most `alpha`.

    Half of α is for the first look that could claim anything, at n₁ pairs (those before it cannot,
    whatever they see, and so spend nothing). What is spent by n pairs is α·(1 − n₁/2n): an
    alpha-spending function (Lan and DeMets, "Discrete sequential boundaries for clinical trials",
    Biometrika 70, 1983) that never ends, so that as many looks may follow as anyone likes. The
    levels are simply added up (the union bound): nothing is assumed of how looks depend on each
    other, which overlapping training sets make hard to say. Confidence sequences (Howard et al.,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49,
    2021) need no looks, but bounds or independence that pairs of folds do not have.

    >>> [round(level, 4) for level in spending(0.05, [4, 10, 15, 20])]
    [0.025, 0.025, 0.0083, 0.0042]
    """
    able = [size for size in sizes if can_be_significant(size, num_comparisons, alpha / 2)]
    if not able:
        return [alpha / 2] * len(sizes)
    spent = [alpha * (1 - able[0] / (2 * size)) for size in able]
    levels = [after - before for before, after in itertools.pairwise([0.0, *spent])]
    return [alpha / 2] * (len(sizes) - len(able)) + levels


def next_look_size(size: int, num_folds: int) -> int:
    """Return the pairs of the next look: half as many seeds again, one at least, with all folds.

    A look at every seed would spread α so thin that it finds half as many effects of middle size.

    >>> next_look_size(15, num_folds=5), next_look_size(5, num_folds=5)
    (20, 10)
    """
    num_seeds = size // num_folds
    return (num_seeds + max(1, num_seeds // 2)) * num_folds


def detectable_effect(num_pairs: int, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """Return the smallest effect that a paired t test detects, in sds of the differences.

    `None` for fewer than two pairs: no effect is large enough to be seen in one. The power is an
    average of normal tails over the spread that the sd itself may show, since the non-central t of
    scipy, and so `TTestPower`, is NaN for large effects and few pairs.
    """
    if num_pairs < 2:
        return None
    from scipy.special import gammaincinv, ndtr

    df = num_pairs - 1
    critical = t_quantile(1 - alpha / 2, df)
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    thresholds = critical * np.sqrt(gammaincinv(df / 2, quantiles) * 2 / df)

    def surplus(effect: float) -> float:
        shift = effect * math.sqrt(num_pairs)
        return float(np.mean(ndtr(shift - thresholds) + ndtr(-shift - thresholds))) - power

    low, high = 0.0, 10 * critical
    for _ in range(45):
        middle = (low + high) / 2
        low, high = (low, middle) if surplus(middle) > 0 else (middle, high)
    return high
