"""Parameter importance: which parameters decide whether a trial is among the best, by Optuna.

PED-ANOVA (Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently quantifying hyperparameter
importance in arbitrary subspaces", IJCAI 2023): how differently the best trials and all trials lie
along each parameter. Of Optuna's measures it is the one that needs no random forest, and so no
scikit-learn, and asks about the best rather than about the whole space.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from audiocls.search.parameters import Path
from audiocls.search.space import Dimension, coordinates_of, name_of, space_of
from audiocls.search.sweep import Sweep, TrialResult

MIN_TRIALS = 8
"""With a value; with fewer, the best 10 % are too few for an estimate."""
BEST_SHARE, MIN_BEST = 0.1, 5
"""The best tenth is compared with all; at least five trials, but at most half of them."""


@dataclass(frozen=True)
class Importance:
    """Each searched parameter's share of the importance, which sum to 1; or why there is none."""

    num_trials: int
    """Trials that ended with a value."""
    num_best: int = 0
    """Trials that count as best."""
    shares: dict[str, float] = field(default_factory=dict)
    """By dotted key, in the sweep's order."""
    reason: str = ""


def importance(sweep: Sweep, tried: Sequence[TrialResult]) -> Importance:
    """Estimate importance from the trials that ended with a value, early stopped ones included."""
    if sweep.metric is None:
        return Importance(0, reason="the sweep names no metric")
    space = space_of(sweep)
    sign = -1.0 if sweep.metric.goal == "maximize" else 1.0
    ended = [
        (coordinates, sign * trial.value)
        for trial in tried
        if trial.state in ("finished", "stopped")
        and trial.value is not None
        and math.isfinite(trial.value)
        and (coordinates := coordinates_of(space, trial.parameters)) is not None
    ]
    losses = sorted(loss for _, loss in ended)
    if len(losses) < MIN_TRIALS:
        noun = "settings" if sweep.blocks else "trials"
        needed = f"{MIN_TRIALS} {noun} with a value are needed"
        return Importance(len(losses), reason=f"{needed}, there are {len(losses)}")
    quantile = min(0.5, max(BEST_SHARE, MIN_BEST / len(losses)))
    worst_of_best = losses[math.ceil(quantile * len(losses)) - 1]
    num_best = sum(loss <= worst_of_best for loss in losses)
    if num_best == len(losses):
        return Importance(len(losses), reason="too many trials are as bad as the worst")
    shares = _shares(space, ended, quantile)
    return Importance(
        len(losses), num_best, {".".join(path): shares[name_of(path)] for path in space}
    )


def _shares(
    space: Mapping[Path, Dimension], ended: Sequence[tuple[dict[str, Any], float]], quantile: float
) -> dict[str, float]:
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    distributions = {name_of(path): dimension.distribution() for path, dimension in space.items()}
    for coordinates, loss in ended:
        study.add_trial(create_trial(value=loss, params=coordinates, distributions=distributions))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=quantile)
    return get_param_importances(study, evaluator=evaluator)
