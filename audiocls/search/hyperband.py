"""W&B's `early_terminate: hyperband`: at each band, stop all but the best 1/η of the trials.

Li et al., "Hyperband", https://arxiv.org/abs/1603.06560, of which this is the stopping rule alone:
no budgets are allotted. A band is a number of *logged values* of the metric, not of epochs.
"""

import math
from collections.abc import Mapping, Sequence

from audiocls.search.sweep import Hyperband, Metric, Sweep, TrialResult

_MAX_BANDS = 100
"""The limit of W&B's engine."""
_MOST_STEPS = 10_000
"""Of bands that are counted downwards: an η next to 1 would take steps without end."""


def bands(hyperband: Hyperband) -> tuple[int, ...]:
    """Return the numbers of logged values at which a trial is compared, ascending.

    >>> bands(Hyperband(max_iter=27, s=2))
    (3, 9)
    >>> bands(Hyperband(min_iter=3))[:4]
    (3, 9, 27, 81)
    """
    if hyperband.max_iter is not None and hyperband.s is not None:
        return _downwards(hyperband.max_iter, hyperband.eta, hyperband.s)
    assert hyperband.min_iter is not None
    return _upwards(hyperband.min_iter, hyperband.eta)


def to_stop(sweep: Sweep, tried: Sequence[TrialResult]) -> list[int]:
    """Return the indices of the running trials to stop; trials without a value go on."""
    hyperband, metric = sweep.early_terminate, sweep.metric
    if hyperband is None or metric is None:
        return []
    losses = [_losses(trial, metric) for trial in tried]
    most_logged = max(map(len, losses), default=0)
    reached = [band for band in bands(hyperband) if band <= most_logged]
    thresholds = {band: _threshold(band, hyperband.eta, losses) for band in reached}
    return [
        index
        for index, (trial, values) in enumerate(zip(tried, losses, strict=True))
        if trial.state == "running" and _is_poor(values, thresholds, hyperband.is_strict)
    ]


def _is_poor(values: Sequence[float], thresholds: Mapping[int, float], is_strict: bool) -> bool:
    """Whether the trial is worse than the threshold at the last band that it has reached.

    It survived the earlier bands.
    """
    reached = [band for band in thresholds if band <= len(values)]
    if not reached:
        return False
    band = reached[-1]
    return (values[band - 1] if is_strict else min(values)) > thresholds[band]


def _threshold(band: int, eta: float, losses: Sequence[Sequence[float]]) -> float:
    """Return the loss at `band` of the last among the best 1/η of all trials that reached it."""
    reached = sorted(values[band - 1] for values in losses if len(values) >= band)
    # `1 / eta * n`, not `n / eta`: the two truncate differently, 49 of η = 49 for one.
    return reached[int(1 / eta * len(reached))]


def _losses(trial: TrialResult, metric: Metric) -> list[float]:
    sign = -1 if metric.goal == "maximize" else 1
    return [sign * value for value in trial.history if math.isfinite(value)]


def _downwards(band: float, eta: float, count: int) -> tuple[int, ...]:
    descending: list[int] = []
    for _ in range(min(count, _MOST_STEPS)):
        band /= eta
        if band < 1:
            break
        descending.append(int(band))
    return tuple(reversed(descending))


def _upwards(band: float, eta: float) -> tuple[int, ...]:
    ascending: list[int] = []
    while len(ascending) < _MAX_BANDS and math.isfinite(band):
        ascending.append(int(band))
        band *= eta
    return tuple(ascending)
