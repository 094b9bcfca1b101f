"""Decision rules side by side: from the trials of many studies to the p of every comparison.

Legend: N studies, A arms without the baseline, S seeds, K folds, R recordings of a fold, M clips
of a recording.
"""

from collections.abc import Callable

import numpy as np
from differences import Differences
from numpy.typing import NDArray
from pairs import corrected_t, resamples_for, sign_flip_p

from audiocls.stats import overlap_factor, p_value, uncertainties
from audiocls.stats.two_units import StandardErrors

Array = NDArray[np.float64]


def retired(found: Differences, level: float) -> Array:
    """The rule of before: corrected t over all pairs, and sign flips.

    The flips are left out where t alone is above `level`: the larger of both would be, too.
    """
    pairs = _pairs(found)
    ps = np.ones(pairs.shape[:-1])
    for place in np.ndindex(*ps.shape):
        values = [float(value) for value in pairs[place]]
        p = corrected_t(values, found.pair_ratio).p
        if p <= level:
            p = max(p, sign_flip_p(values, num_resamples=resamples_for(level)))
        ps[place] = p
    return ps


def plain_t(found: Differences, level: float) -> Array:
    return _t(found, 0.0)


def nadeau_bengio(found: Differences, level: float) -> Array:
    """Their t over all pairs, also where several seeds share a fold."""
    return _t(found, found.pair_ratio)


def bayesian(found: Differences, level: float) -> Array:
    """Bayesian correlated t (Corani and Benavoli, Machine Learning 100, 2015; Benavoli et al., JMLR
    18, 2017): P(effect > 0) above 95 %, without a region of practical equivalence and without
    correction over arms, as it is used."""
    return _t(found, found.pair_ratio) * level / 0.1


def sign_flips(found: Differences, level: float) -> Array:
    pairs = _pairs(found)
    ps = np.ones(pairs.shape[:-1])
    close = _t(found, 0.0) <= 3 * level  # far beyond, random signs agree with t
    for place in zip(*np.nonzero(close), strict=True):
        ps[place] = sign_flip_p(list(pairs[place]), num_resamples=resamples_for(level))
    return ps


def recordings_alone(found: Differences, level: float) -> Array:
    """t over recordings of the mean over seeds, with all of Nadeau and Bengio's factor."""
    return _by_recording(found, 1 + found.num_folds * found.ratio)


def either_unit(found: Differences, level: float) -> Array:
    """The larger p of t over trials and t over recordings, each as if it were all."""
    factor = overlap_factor(found.num_folds, found.ratio)
    return np.maximum(_t(found, 0.0), _by_recording(found, factor))


def two_units(found: Differences, level: float) -> Array:
    """The rule of the package."""
    components = found.components
    return p_value(uncertainties(components, found.ratio), np.abs(components.mean))


def crossed(found: Differences, level: float) -> Array:
    """The same where predictions are missing."""
    return two_units(found.without_predictions(), level)


Rule = Callable[[Differences, float], Array]

RULES: dict[str, Rule] = {
    "old rule": retired,
    "plain t over trials": plain_t,
    "Nadeau–Bengio over pairs": nadeau_bengio,
    "sign flips of pairs": sign_flips,
    "Bayesian correlated t": bayesian,
    "recordings alone": recordings_alone,
    "larger p of both units": either_unit,
    "new rule, no predictions": crossed,
    "**new rule**": two_units,
}


def claims(rule: Rule, found: Differences, alpha: float = 0.05) -> NDArray[np.bool_]:
    """Return the studies that claim any effect: Holm's first step decides about that.

    Shape: → (N,)
    """
    level = alpha / found.num_arms
    return np.asarray((rule(found, level) <= level).any(axis=1))


def _pairs(found: Differences) -> Array:
    return found.trials.reshape(*found.trials.shape[:2], -1)


def _t(found: Differences, ratio: float) -> Array:
    pairs = _pairs(found)
    num = pairs.shape[-1]
    if num == 1:
        return np.ones(pairs.shape[:-1])
    error = pairs.std(axis=-1, ddof=1) * np.sqrt(1 / num + ratio)
    return StandardErrors(error, np.full(error.shape, num - 1.0)).p(pairs.mean(axis=-1))


def _by_recording(found: Differences, factor: float) -> Array:
    components = found.components
    df = np.full(components.mean.shape, float(components.df_recordings))
    return StandardErrors(np.sqrt(factor * components.recording), df).p(components.mean)
