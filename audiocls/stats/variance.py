"""Components of variance of one recipe: over seeds, over folds, and over their interaction."""

import math
from collections.abc import Iterable, Sequence
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


@dataclass(frozen=True)
class Components:
    """Sources of spread by name: what is not estimable alone is named together."""

    sources: dict[str, StdEstimate]
    """`seed`, `fold` and `interaction`; `seed and interaction` where there is but one fold."""
    pair: StdEstimate
    """Of the difference of two arms on one seed and fold, as far as one arm alone can tell."""


def components(values: NDArray[np.float64]) -> Components:
    """Return the components of two-way random effects without replication, by moments.

    Searle, Casella and McCulloch, Variance Components (1992), chapter 4: each mean square equals
    its expectation, and a negative estimate is given as 0. Intervals: chi-square for a single mean
    square, and for the difference of two the one of Williams (Biometrika 49, 1962), which holds
    for negative estimates too.

    A pair shares its fold, so the fold's effect cancels; whether it shares the seed's is not
    known, so that is counted in: its sd is √2·√(seed² + interaction²), and with Satterthwaite's
    degrees of freedom (Biometrics Bulletin 2, 1946). With one seed, what folds do to one arm is
    all that is known, and too much.

    Shape: (seeds, folds), at least two in one of them
    """
    num_seeds, num_folds = values.shape
    values = values - values[0, 0]  # Equal values are then exactly 0, and have no spread.
    if num_seeds == 1 or num_folds == 1:
        name = "seed and interaction" if num_folds == 1 else "fold and interaction"
        square = _Square(_variance(values), values.size - 1)
        return Components({name: _spread(square)}, _spread(square.scaled(2)))
    by_seed = _Square(num_folds * _variance(values.mean(axis=1)), num_seeds - 1)
    by_fold = _Square(num_seeds * _variance(values.mean(axis=0)), num_folds - 1)
    rest = _Square(_interaction(values), (num_seeds - 1) * (num_folds - 1))
    sources = {
        "seed": _difference(by_seed, rest, num_folds),
        "fold": _difference(by_fold, rest, num_seeds),
        "interaction": _spread(rest),
    }
    return Components(sources, _spread(_within_folds(by_seed, rest, num_folds).scaled(2)))


def pooled(groups: Iterable[Sequence[float]]) -> StdEstimate | None:
    """Return the sd that groups of differences have in common, each around its own mean.

    Groups are arms against one reference, whose noise is in all of them: two equally noisy arms'
    differences correlate by ½, so their variances by ¼, and g groups have the degrees of freedom
    of g/(1 + (g − 1)/4) independent ones.
    """
    several = [np.asarray(group, dtype=float) - group[0] for group in groups if len(group) > 1]
    df = sum(len(group) - 1 for group in several)
    if not df:
        return None
    total = math.fsum(_variance(group) * (len(group) - 1) for group in several)
    return _spread(_Square(total / df, df / (1 + (len(several) - 1) / 4)))


def binomial_error(share: float, num_clips: int) -> float:
    """Return the standard error of a share of right answers (0 to 1) over so many test clips."""
    return math.sqrt(share * (1 - share) / num_clips)


@dataclass(frozen=True)
class _Square:
    """A mean square, or a sum of them with Satterthwaite's degrees of freedom."""

    value: float
    df: float

    def scaled(self, factor: float) -> "_Square":
        return _Square(factor * self.value, self.df)


def _variance(values: NDArray[np.float64]) -> float:
    return float(np.var(values, ddof=1))


def _interaction(values: NDArray[np.float64]) -> float:
    rows, columns = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    left = values - rows - columns + values.mean()
    return float(np.sum(left**2) / ((values.shape[0] - 1) * (values.shape[1] - 1)))


def _within_folds(by_seed: _Square, rest: _Square, num_folds: int) -> _Square:
    """Return the variance of seed and interaction together, that of the interaction at least."""
    parts = [by_seed.scaled(1 / num_folds), rest.scaled(1 - 1 / num_folds)]
    total = math.fsum(part.value for part in parts)
    if total <= rest.value:
        return rest
    return _Square(total, total**2 / math.fsum(part.value**2 / part.df for part in parts))


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
