"""A comparison as plain values: what `report --json` prints; docs/report-json.md names its keys."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from audiocls import stats
from audiocls.analysis.clips import ClipComparison
from audiocls.analysis.family import Estimate
from audiocls.analysis.pareto import fronts
from audiocls.analysis.results import ArmResult, Comparison, Effect
from audiocls.render.build import clips
from audiocls.render.build.headline import headline

# fmt: off
EVIDENCE_KEYS = (
    "delta", "ci_low", "ci_high", "simultaneous_low", "simultaneous_high", "rule", "p_units",
    "p_replicates", "p", "p_holm", "p_equivalence", "verdict", "is_within_margin", "reason",
    "sd_recordings", "sd_seeds", "sd_both", "sd_folds", "num_recordings",
)
"""Of an arm and of an effect in JSON, in order."""
ARM_KEYS = (
    "arm", "changes", "against", "num_pairs", "mean", "mean_ci_low", "mean_ci_high",
    *EVIDENCE_KEYS, "worst_pair", "rarest_excluded", "num_params", "macs", "seconds", "step",
    "differences", "look", "is_futile",
)
EFFECT_KEYS = ("name", "against", "kind", "num_blocks", *EVIDENCE_KEYS, "aliases", "parts")
# fmt: on


def to_json(comparison: Comparison, is_secondary: bool = False) -> dict[str, Any]:
    """Return plain values in units of the metric; every number is finite or `None`.

    A secondary metric decides nothing, so it has no headline and its arms have no verdict.
    """
    effects = comparison.effects
    rest = replace(comparison, arms=(), secondary=(), effects=replace(effects, estimates=()))
    plain = asdict(replace(rest, over_budget=dict(rest.over_budget)))
    if not comparison.over_budget:
        del plain["over_budget"]
    arms = [arm_to_json(comparison, result) for result in comparison.arms]
    estimates = [_effect_to_json(comparison, effect) for effect in effects.estimates]
    undecided = {"verdict": None, "is_within_margin": None}
    return {
        **plain,
        "rule": "two_units" if comparison.has_recordings else "crossed",
        "arms": [{**arm, **undecided} for arm in arms] if is_secondary else arms,
        "secondary": [to_json(each, is_secondary=True) for each in comparison.secondary],
        "effects": {**plain["effects"], "estimates": estimates},
        "headline": None if is_secondary else headline(comparison),
        "fronts": [asdict(front) for front in fronts(comparison)],
    }


def arm_to_json(comparison: Comparison, result: ArmResult) -> dict[str, Any]:
    """Return one arm as plain values, each difference with its block."""
    worst = comparison.worst_pair(result)
    is_compared = bool(result.differences)
    values = {
        **_evidence(comparison, result),
        "differences": [_difference(*each) for each in result.differences],
        "worst_pair": _difference(*worst) if worst else None,
        "rarest_excluded": stats.rarest_excluded(result.num_pairs) if is_compared else None,
    }
    return _finite({name: values[name] for name in ARM_KEYS})


def _effect_to_json(comparison: Comparison, effect: Effect) -> dict[str, Any]:
    values = {**_evidence(comparison, effect), "num_blocks": effect.num_pairs}
    return _finite({name: values[name] for name in EFFECT_KEYS})


def _evidence(comparison: Comparison, estimate: Estimate) -> dict[str, Any]:
    """Return the estimate's own fields, and what follows from them."""
    return {
        **asdict(replace(estimate, differences=(), components=None)),
        "rule": estimate.rule,
        "p": estimate.p,
        "is_within_margin": comparison.is_within_margin(estimate),
        **_deviations(estimate),
    }


def _deviations(estimate: Estimate) -> dict[str, float | int | None]:
    """Return standard errors of the mean difference by source; `None` where that is unknown."""
    components = estimate.components
    names = ("sd_recordings", "sd_seeds", "sd_both", "sd_folds", "num_recordings")
    if components is None:
        return dict.fromkeys(names)
    has_recordings, has_seeds = components.num_recordings > 0, components.df_seeds > 0
    variances = {
        "sd_recordings": components.recording if has_recordings else None,
        "sd_seeds": components.seed if has_seeds else None,
        "sd_both": components.both if has_recordings and has_seeds else None,
        "sd_folds": components.fold if components.num_folds > 1 else None,
    }
    roots = {name: None if v is None else math.sqrt(v) for name, v in variances.items()}
    return {**roots, "num_recordings": components.num_recordings or None}


def _difference(seed: int, fold: int, value: float) -> dict[str, Any]:
    return {"seed": seed, "fold": fold, "difference": value}


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with `None` for an endless bound, which is unknown as well."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in values.items()
    }


def clips_to_json(comparison: ClipComparison) -> dict[str, Any]:
    """Return plain values, every clip that changed sides included; numbers are finite or `None`."""
    return {
        "meaning": clips.MEANING,
        "method": clips.METHOD,
        "arms": [asdict(arm) for arm in comparison.arms],
        "unread": [{**asdict(cell), "reason": reason} for cell, reason in comparison.unread],
    }
