"""Random draws, and distribution functions that map a parameter's values to the unit interval.

Conventions are W&B's: `log_uniform` and its kin take natural exponents, those ending in `_values`
the bounds themselves; those beginning with `q_` are rounded to the nearest multiple of `q` *after*
the draw, so that a value may lie up to q/2 beyond its bounds, and are integers where `q` is one.
"""

import json
import math
from bisect import bisect_right
from itertools import accumulate
from random import Random
from statistics import NormalDist
from typing import Any

from audiocls.search.parameters import assemble, constants, leaves, spelling, varying
from audiocls.search.sweep import Categorical, Numeric, Sweep

_OPEN = 2.0**-53
"""The smallest distance of a quantile to 0 and 1 where the distribution is unbounded there."""


def identity(sweep: Sweep) -> str:
    """Return canonical JSON of parameters and method; name, cap and metric change no draws."""
    parameters = [
        [
            path,
            type(leaf).__name__,
            {key: got for key, got in vars(leaf).items() if got is not None},
        ]
        for path, leaf in leaves(sweep.parameters).items()
    ]
    return json.dumps([sweep.method, parameters], sort_keys=True, default=repr)


def stream(sweep: Sweep, index: int) -> Random:
    """Return the random numbers of trial `index`, which are the same on every machine."""
    return Random(f"{identity(sweep)}/{index}")


def draw(sweep: Sweep, index: int) -> dict[str, Any]:
    """Draw every parameter of trial `index` independently, whatever was tried before."""
    random = stream(sweep, index)
    searched = varying(sweep.parameters).items()
    drawn = {path: value_of(leaf, random.random()) for path, leaf in searched}
    return assemble(constants(sweep.parameters) | drawn)


def value_of(parameter: Categorical | Numeric, quantile: float) -> Any:
    """Return the parameter's value at a quantile between 0 and 1, as a plain Python value.

    >>> value_of(Numeric("int_uniform", 1, 4), 0.5)
    3
    >>> value_of(Numeric("q_uniform", 0.0, 10.0, q=5), 0.9)
    10
    """
    if isinstance(parameter, Categorical):
        return _choice(parameter, quantile)
    if parameter.distribution == "int_uniform":
        low, high = _bounds(parameter)
        return int(low) + min(int(quantile * (high - low + 1)), int(high - low))
    value = _continuous(parameter, quantile)
    return value if parameter.q is None else round(value / parameter.q) * parameter.q


def quantile_of(parameter: Categorical | Numeric, value: Any) -> float | None:
    """Return the quantile of `value`, the middle one of several, or None for an invalid value."""
    if isinstance(parameter, Categorical):
        return _quantile_of_choice(parameter, value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if parameter.distribution == "int_uniform":
        low, high = _bounds(parameter)
        return _clipped((value - low + 0.5) / (high - low + 1))
    return _clipped(_quantile_of_number(parameter, value))


def _choice(parameter: Categorical, quantile: float) -> Any:
    if parameter.probabilities is None:
        num_values = len(parameter.values)
        return parameter.values[min(int(quantile * num_values), num_values - 1)]
    ends = list(accumulate(parameter.probabilities))
    # Never beyond the last value that has a probability, whatever the ends' rounding.
    last = max(index for index, share in enumerate(parameter.probabilities) if share > 0)
    return parameter.values[min(bisect_right(ends, quantile), last)]


def _quantile_of_choice(parameter: Categorical, value: Any) -> float | None:
    spellings = [spelling(other) for other in parameter.values]
    if spelling(value) not in spellings:
        return None
    index, num_values = spellings.index(spelling(value)), len(spellings)
    shares = parameter.probabilities or (1 / num_values,) * num_values
    return _clipped(sum(shares[:index]) + shares[index] / 2)


def _continuous(parameter: Numeric, quantile: float) -> float:
    """Return the value at a quantile before any rounding to multiples of `q`."""
    kind = parameter.distribution.removeprefix("q_")
    if kind == "beta":
        from scipy.special import betaincinv

        return float(betaincinv(parameter.a, parameter.b, quantile))
    if kind in ("normal", "log_normal"):
        inside = _clipped(quantile, _OPEN, 1 - _OPEN)
        mu, sigma = _moments(parameter)
        normal = mu + sigma * NormalDist().inv_cdf(inside)
        return math.exp(normal) if kind == "log_normal" else normal
    low, high = _uniform_bounds(parameter)
    uniform = low + quantile * (high - low)
    value = uniform if kind == "uniform" else math.exp(uniform)
    # The exponential of a logarithm may miss the bound by a rounding.
    return _clipped(value, *_bounds(parameter)) if kind.endswith("_values") else value


def _quantile_of_number(parameter: Numeric, value: float) -> float:
    kind = parameter.distribution.removeprefix("q_")
    if kind == "beta":
        from scipy.special import betainc

        return float(betainc(parameter.a, parameter.b, _clipped(value)))
    if "log" in kind:
        if value <= 0:
            return 0.0  # rounded down from a small positive number
        value = math.log(value)
    if kind in ("normal", "log_normal"):
        mu, sigma = _moments(parameter)
        return NormalDist(mu, sigma).cdf(value)
    low, high = _uniform_bounds(parameter)
    return (value - low) / (high - low)


def _uniform_bounds(parameter: Numeric) -> tuple[float, float]:
    """Return the bounds of the variable that is uniform: the value or its logarithm."""
    low, high = _bounds(parameter)
    match parameter.distribution.removeprefix("q_"):
        case "uniform" | "log_uniform":
            return low, high
        case "inv_log_uniform":
            return -high, -low
    return math.log(low), math.log(high)


def _bounds(parameter: Numeric) -> tuple[float, float]:
    assert parameter.min is not None
    assert parameter.max is not None
    return parameter.min, parameter.max


def _moments(parameter: Numeric) -> tuple[float, float]:
    assert parameter.mu is not None
    assert parameter.sigma is not None
    return parameter.mu, parameter.sigma


def _clipped(value: float, low: float = 0.0, high: float = 1.0) -> float:
    return min(max(value, low), high)
