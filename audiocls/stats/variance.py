"""Components of variance of one recipe: over seeds, over folds, and over their interaction."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StdEstimate:
    """A standard deviation with its 95 % interval, in units of the metric."""

    sd: float
    low: float
    high: float
    df: float
    """Degrees of freedom; of a component, those of its own mean square."""


def components(values: NDArray[np.float64]) -> dict[str, StdEstimate]:
    """Return the sources of spread by name; what is not estimable alone is named together.

    They are `seed`, `fold` and `interaction`; `seed and interaction` where there is one fold.
    The components are those of two-way random effects without replication, by moments.

    Searle, Casella and McCulloch, Variance Components (1992), chapter 4: each mean square equals
    its expectation, and a negative estimate is given as 0. Intervals: chi-square for a single mean
    square, and for the difference of two the one of Williams (Biometrika 49, 1962), which holds
    for negative estimates too.

    Shape: (seeds, folds), at least two in one of them
    """
    num_seeds, num_folds = values.shape
    values = values - values[0, 0]  # Equal values are then exactly 0, and have no spread.
    if num_seeds == 1 or num_folds == 1:
        name = "seed and interaction" if num_folds == 1 else "fold and interaction"
        square = _Square(_variance(values), values.size - 1)
        return {name: _spread(square)}
    by_seed = _Square(num_folds * _variance(values.mean(axis=1)), num_seeds - 1)
    by_fold = _Square(num_seeds * _variance(values.mean(axis=0)), num_folds - 1)
    rest = _Square(_interaction(values), (num_seeds - 1) * (num_folds - 1))
    return {
        "seed": _difference(by_seed, rest, num_folds),
        "fold": _difference(by_fold, rest, num_seeds),
        "interaction": _spread(rest),
    }


def binomial_error(share: float, num_clips: int) -> float:
    """Return the standard error of a share of right answers (0 to 1) over so many test clips."""
    return math.sqrt(share * (1 - share) / num_clips)


@dataclass(frozen=True)
class _Square:
    """A mean square and its degrees of freedom."""

    value: float
    df: float


def _variance(values: NDArray[np.float64]) -> float:
    return float(np.var(values, ddof=1))


def _interaction(values: NDArray[np.float64]) -> float:
    rows, columns = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    left = values - rows - columns + values.mean()
    return float(np.sum(left**2) / ((values.shape[0] - 1) * (values.shape[1] - 1)))


def _spread(square: _Square) -> StdEstimate:
    from scipy.special import chdtri

    low, high = (
        math.sqrt(square.df * square.value / float(chdtri(square.df, tail)))
        for tail in (0.025, 0.975)
    )
    return StdEstimate(math.sqrt(square.value), low, high, square.df)


def _difference(square: _Square, rest: _Square, num: int) -> StdEstimate:
    """Return the component that makes `square` larger than `rest`: a `num`th of the difference."""
    from scipy.special import chdtri, fdtri

    def bound(tail: float) -> float:
        share = square.value - float(fdtri(square.df, rest.df, 1 - tail)) * rest.value
        return _root(square.df * share / (num * float(chdtri(square.df, tail))))

    estimate = _root((square.value - rest.value) / num)
    return StdEstimate(estimate, bound(0.025), bound(0.975), square.df)


def _root(variance: float) -> float:
    return math.sqrt(max(0.0, variance))
