"""Simulated studies of factorial and leave-one-out designs, whose effects are put in."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from audiocls.store.record import Study
from helpers.records import Records, finished_study

NUM_BLOCKS = 15

Changes = Mapping[str, Any]
Factors = Mapping[str, Sequence[Any]]

LEVELS: Factors = {"a.x": [0, 1, 2], "b.y": ["p", "q"], "c.z": [False, True]}
GAINS: dict[str, dict[Any, float]] = {
    "a.x": {0: 0.0, 1: 0.03, 2: -0.02},
    "b.y": {"p": 0.0, "q": 0.05},
    "c.z": {False: 0.0, True: 0.01},
}
"""What each level of `LEVELS` adds to the metric in `additive_response`."""
CHANGES: Factors = {"dropout": [0.1], "mixup": [True], "smooth": [0.2]}
"""Factors of which the recipe has none: each level is one that an arm may add."""


def designed_study(
    arms: Mapping[str, Changes],
    response: Callable[[Changes], float],
    factors: Factors,
    noise: float = 0.0,
    seed: int = 0,
    design: str = "factorial",
) -> tuple[Study, Records]:
    """Return a study of these arms (name → changes); `response` of the changes is the metric.

    `noise` is the sd of each trial beside what its block has in common with the others.
    """
    rng = np.random.default_rng(seed)
    common = 0.6 + 0.03 * rng.normal(size=NUM_BLOCKS)
    values = {
        name: common + response(changes) + noise * rng.normal(size=NUM_BLOCKS)
        for name, changes in arms.items()
    }
    study, records = finished_study(values)
    return replace(study, arms=arms, factors=factors, design=design), records


def factorial_arms(
    factors: Factors, keep: Callable[[Changes], bool] = lambda changes: True
) -> dict[str, Changes]:
    """Return an arm for each combination of levels that is kept, by its name."""
    combinations = (
        dict(zip(factors, each, strict=True)) for each in itertools.product(*factors.values())
    )
    return {
        ",".join(f"{key}={level}" for key, level in changes.items()): changes
        for changes in combinations
        if keep(changes)
    }


def add_and_leave_one_out(factors: Factors = CHANGES) -> dict[str, Changes]:
    """Return the arms of add-one and leave-one-out around the recipe: the design `both`."""
    whole = {key: levels[0] for key, levels in factors.items()}
    alone = {f"{key}": {key: level} for key, level in whole.items()}
    left = {f"without {key}": {k: v for k, v in whole.items() if k != key} for key in whole}
    return {"baseline": {}, **alone, "all": whole, **left}


def additive_response(changes: Changes) -> float:
    """Return the sum of the levels' `GAINS`."""
    return sum(GAINS[key][level] for key, level in changes.items())
