"""A comparison as plain values: what `report --json` prints."""

from dataclasses import asdict, replace
from typing import Any

from audiocls.analysis.pareto import fronts
from audiocls.analysis.results import ArmResult, Comparison, Effect
from audiocls.render.build.verdicts import headline

# fmt: off
ARM_KEYS = (
    "arm", "changes", "num_pairs", "mean", "mean_ci_low", "mean_ci_high", "delta", "ci_low",
    "ci_high", "p_corrected_t", "p_sign_flip", "p_holm", "verdict", "reason", "num_params", "macs",
    "seconds", "step", "against", "differences", "look", "alpha",
)
"""Of an arm in JSON, in order."""
EFFECT_KEYS = (
    "name", "against", "kind", "num_blocks", "delta", "ci_low", "ci_high", "p_corrected_t",
    "p_sign_flip", "p_holm", "verdict", "reason", "aliases", "parts",
)
"""Of an effect in JSON, in order."""
# fmt: on


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return plain values in units of the metric; every number is finite or `None`."""
    arms, effects = comparison.arms, comparison.effects
    rest = replace(comparison, arms=(), secondary=(), effects=replace(effects, estimates=()))
    plain = asdict(rest)
    estimates = [_effect_to_json(effect) for effect in effects.estimates]
    return {
        **plain,
        "arms": [arm_to_json(result) for result in arms],
        "secondary": [to_json(each) for each in comparison.secondary],
        "effects": {**plain["effects"], "estimates": estimates},
        "headline": headline(comparison),
        "fronts": [asdict(front) for front in fronts(comparison)],
    }


def arm_to_json(result: ArmResult) -> dict[str, Any]:
    """Return one arm as plain values, each difference with its block."""
    differences = [
        {"seed": seed, "fold": fold, "difference": value}
        for seed, fold, value in result.differences
    ]
    values = {**asdict(replace(result, differences=())), "differences": differences}
    return {name: values[name] for name in ARM_KEYS}


def _effect_to_json(effect: Effect) -> dict[str, Any]:
    values = asdict(replace(effect, differences=()))
    values["num_blocks"] = effect.num_pairs
    return {name: values[name] for name in EFFECT_KEYS}
