"""Designs: from factors to arms. An arm is a name and the dotted keys it changes."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from audiocls.errors import ConfigError
from audiocls.plan.ablation import Ablation

Arms = dict[str, dict[str, Any]]
BASELINE = "baseline"


def arms_of(ablation: Ablation) -> Arms:
    """Every arm by name, the baseline first; raises `ConfigError` if two share a name."""
    if ablation.arms:
        return {name: dict(changes) for name, changes in ablation.arms.items()}
    design = {"ofat": one_factor_at_a_time, "factorial": factorial}[ablation.design]
    return design(ablation.factors)


def one_factor_at_a_time(factors: Mapping[str, Sequence[Any]]) -> Arms:
    """The recipe as it is, and each level of each factor alone against it.

    >>> one_factor_at_a_time({"model.dropout": [0.1, 0.2]})
    {'baseline': {}, 'dropout=0.1': {'model.dropout': 0.1}, 'dropout=0.2': {'model.dropout': 0.2}}
    """
    changes = [{key: level} for key, levels in factors.items() for level in levels]
    return _named([{}, *changes])


def factorial(factors: Mapping[str, Sequence[Any]]) -> Arms:
    """Every combination of levels, the last factor varying fastest."""
    combinations = itertools.product(*factors.values())
    return _named([dict(zip(factors, levels, strict=True)) for levels in combinations])


def _named(changes: Sequence[dict[str, Any]]) -> Arms:
    short = _short_names({key for change in changes for key in change})
    arms: Arms = {}
    for change in changes:
        name = ",".join(f"{short[key]}={_text(level)}" for key, level in change.items()) or BASELINE
        if name in arms:
            raise ConfigError("factors", [f"{name}: the same level is listed twice"])
        arms[name] = change
    return arms


def _short_names(keys: set[str]) -> dict[str, str]:
    """The last part of each dotted key, or the whole key where that would be ambiguous."""
    leaves = {key: key.rsplit(".", 1)[-1] for key in keys}
    counts = Counter(leaves.values())
    return {key: leaf if counts[leaf] == 1 else key for key, leaf in leaves.items()}


def _text(level: Any) -> str:
    if isinstance(level, list):
        return "x".join(_text(item) for item in level)
    if level is None or isinstance(level, bool):
        return {None: "none", True: "on", False: "off"}[level]
    return str(level)
