"""Tests: of paired differences, of equivalence, of paired answers, and Holm's correction.

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


def mcnemar_p(gains: Sequence[int] | NDArray[np.int64]) -> float:
    """Return the two-sided p of the sum, where each number might as well have the other sign.

    `gains` are answers gained − answers lost, one number for each that is independent of the
    others: a clip, or a recording with all its clips, which change sides together. Where every
    change is by one it is McNemar's test (Psychometrika 12, 1947) in its exact, binomial form;
    else the sign-flip test over all 2^n patterns, counted exactly for any n, since sums of whole
    numbers are few.
    """
    sizes = np.abs(np.asarray(gains, np.int64))
    chances = np.ones(1)  # of each total that random signs can give, from the smallest
    for size in sizes[sizes > 0]:
        longer = np.zeros(len(chances) + 2 * size)
        longer[: len(chances)] += chances / 2
        longer[2 * size :] += chances / 2
        chances = longer
    totals = np.arange(len(chances)) - len(chances) // 2
    observed = abs(int(np.sum(gains)))
    return min(1.0, float(chances[np.abs(totals) >= observed].sum()))


def max_p(*ps: float | None) -> float:
    """Return the largest p: that of a claim which needs all of these tests.

    The intersection–union test (Berger, Technometrics 24, 1982); 1 where a test could not be made.
    """
    known = [p for p in ps if p is not None]
    return max(known) if len(known) == len(ps) else 1.0


def holm(ps: Sequence[float]) -> list[float]:
    """Return the adjusted p values, in order (Holm, Scandinavian J. Statistics 6, 1979).

    The numbers of statsmodels' `multipletests`, which takes a second to import and runs the
    garbage collector at every call.
    """
    adjusted = [0.0] * len(ps)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda index: ps[index])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = largest
    return adjusted
