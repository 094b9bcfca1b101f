"""Random draws: the i-th trial of a sweep is the same whatever was tried before it."""

import json
from random import Random
from typing import Any

from audiocls.search.distributions import value_of
from audiocls.search.leaves import assemble, constants, leaves, varying
from audiocls.search.sweep import Sweep


def identity(sweep: Sweep) -> str:
    """Canonical JSON of what is searched and how: another name, cap or metric keeps the draws."""
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
    """The random numbers of trial `index`, the same on every machine."""
    return Random(f"{identity(sweep)}/{index}")


def draw(sweep: Sweep, index: int) -> dict[str, Any]:
    """Every parameter from its distribution, independently."""
    random = stream(sweep, index)
    found = varying(sweep.parameters).items()
    drawn = {path: value_of(leaf, random.random()) for path, leaf in found}
    return assemble(constants(sweep.parameters) | drawn)
