"""Decision rules side by side: from the trials of many studies to the p of every comparison.

Legend: N studies, A arms without the baseline, S seeds, K folds, R recordings of a fold, M clips
of a recording.
"""

from collections.abc import Callable

import numpy as np
from crossed import crossed_errors
from differences import Differences
from numpy.typing import NDArray
from two_units import Errors, overlap_factor, p_values

from audiocls.stats import corrected_t, resamples_for, sign_flip_p

Array = NDArray[np.float64]


def present(found: Differences, level: float) -> Array:
    """The rule of the package today: corrected t over all pairs, and sign flips.

    The flips are left out where t alone is above `level`: the larger of both would be, too.
    """
    pairs = _pairs(found).round(12)
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
    """Bayesian correlated t (Benavoli et al. 2017): P(effect > 0) above 95 %, without a region of
    practical equivalence and without correction over arms, as it is used."""
    return _t(found, found.pair_ratio) * level / 0.1


def sign_flips(found: Differences, level: float) -> Array:
    pairs = _pairs(found).round(12)
    ps = np.ones(pairs.shape[:-1])
    close = _t(found, 0.0) <= 3 * level  # far beyond, random signs agree with t
    for place in zip(*np.nonzero(close), strict=True):
        ps[place] = sign_flip_p(list(pairs[place]), num_resamples=resamples_for(level))
    return ps


def recordings_alone(found: Differences, level: float) -> Array:
    """t over recordings of the mean over seeds, with all of Nadeau and Bengio's factor."""
    return _by_recording(found, 1 + found.parts.num_folds * found.ratio)


def either_unit(found: Differences, level: float) -> Array:
    """The larger p of t over trials and t over recordings, each as if it were all."""
    factor = overlap_factor(found.parts.num_folds, found.ratio)
    return np.maximum(_t(found, 0.0), _by_recording(found, factor))


def crossed(found: Differences, level: float) -> Array:
    """Without predictions: Nadeau and Bengio's correction on what seeds do not explain."""
    return crossed_errors(found.trials, found.ratio).p(found.trials.mean(axis=(-1, -2)))


def two_units(found: Differences, level: float) -> Array:
    """The rule that is proposed."""
    return p_values(found.parts, found.ratio)


Rule = Callable[[Differences, float], Array]

RULES: dict[str, Rule] = {
    "present rule": present,
    "plain t over trials": plain_t,
    "Nadeau-Bengio over pairs": nadeau_bengio,
    "sign flips of pairs": sign_flips,
    "Bayesian correlated t": bayesian,
    "recordings alone": recordings_alone,
    "larger p of both units": either_unit,
    "crossed (no predictions)": crossed,
    "two units": two_units,
}


def claims(rule: Rule, found: Differences, alpha: float = 0.05) -> NDArray[np.bool_]:
    """Return the studies that claim any effect: Holm's first step decides about that.

    Shape: → (N,)
    """
    level = alpha / found.trials.shape[1]
    return np.asarray((rule(found, level) <= level).any(axis=1))


def _pairs(found: Differences) -> Array:
    return found.trials.reshape(*found.trials.shape[:2], -1)


def _t(found: Differences, ratio: float) -> Array:
    pairs = _pairs(found)
    num = pairs.shape[-1]
    if num == 1:
        return np.ones(pairs.shape[:-1])
    error = pairs.std(axis=-1, ddof=1) * np.sqrt(1 / num + ratio)
    return Errors(error, np.full(error.shape, num - 1.0)).p(pairs.mean(axis=-1))


def _by_recording(found: Differences, factor: float) -> Array:
    parts = found.parts
    df = np.full(parts.mean.shape, float(parts.num_recordings - parts.num_folds))
    return Errors(np.sqrt(factor * parts.by_recording), df).p(parts.mean)
