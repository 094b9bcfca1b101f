"""Objective values for the search: best so far, target reached, imputation of missing values.

W&B's rules with two corrections: a trial without a value counts as the worst known one, never as
0, which would be a perfect loss; a trial that was stopped early keeps its own value.
"""

import math
from collections.abc import Sequence

from audiocls.search.sweep import Goal, Metric, Sweep, TrialResult


def best(sweep: Sweep, tried: Sequence[TrialResult]) -> int | None:
    """Return the index of the trial with the best summary value, the first of equal ones.

    Failed trials and values that are not finite are left out; None if no trial remains.
    """
    if sweep.metric is None:
        return None
    competing = [
        (_loss(trial.value, sweep.metric.goal), index)
        for index, trial in enumerate(tried)
        if trial.state in ("finished", "stopped")
        and trial.value is not None
        and math.isfinite(trial.value)
    ]
    return min(competing)[1] if competing else None


def has_reached_target(sweep: Sweep, tried: Sequence[TrialResult]) -> bool:
    """Whether any trial, running ones included, has ever logged the target or better."""
    if sweep.metric is None or sweep.metric.target is None:
        return False
    goal = sweep.metric.goal
    target = _loss(sweep.metric.target, goal)
    return any(loss <= target for trial in tried for loss in _losses(trial, goal))


def imputed_losses(metric: Metric, tried: Sequence[TrialResult]) -> list[float | None]:
    """Return each trial's loss for a model of the objective; smaller is better for either goal.

    None for a running trial, unless `impute_while_running` is set, and for a trial without a value
    while no trial has one. With `impute_while_running`, a running trial counts by its best value so
    far, whichever of the three words is given, as in W&B's engine.
    """
    losses = [_losses(trial, metric.goal) for trial in tried]
    ended = (
        values for trial, values in zip(tried, losses, strict=True) if trial.state != "running"
    )
    worst = max((loss for values in ended for loss in values), default=None)
    return [
        _counted(metric, trial, values, worst) for trial, values in zip(tried, losses, strict=True)
    ]


def _counted(
    metric: Metric, trial: TrialResult, values: Sequence[float], worst: float | None
) -> float | None:
    if trial.state == "running" and metric.impute_while_running == "false":
        return None
    if not values or (trial.state == "failed" and metric.impute == "worst"):
        return worst
    is_latest_imputed = trial.state == "failed" and metric.impute == "latest"
    return values[-1] if is_latest_imputed else min(values)


def _losses(trial: TrialResult, goal: Goal) -> list[float]:
    """Return the finite losses, the summary's first, so that the last one is the latest."""
    known = trial.history if trial.value is None else (trial.value, *trial.history)
    return [_loss(value, goal) for value in known if math.isfinite(value)]


def _loss(value: float, goal: Goal) -> float:
    return -value if goal == "maximize" else value
