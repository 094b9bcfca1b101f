"""From `tune` to its candidates: a whole grid, or else seeded draws without repeats.

They follow from the ablation alone, so that every arm and every fold has the same ones.
"""

from collections.abc import Mapping
from typing import Any

from audiocls.design import Ablation
from audiocls.design.tuning import Candidate, Searched
from audiocls.dotted import flatten
from audiocls.errors import ConfigError
from audiocls.search import Sweep, TrialResult, check_sweep, grid_size, load_sweep, propose

MAX_REPEATS = 200
"""Draws in a row that may bring nothing new before no other candidate is believed to exist."""


def candidates_of(ablation: Ablation) -> list[Candidate]:
    """Return as many as `tune_trials` says, in order.

    Raises `ConfigError` for a faulty distribution, or where there are fewer candidates than that.
    """
    assert ablation.tune_trials is not None, "the grammar refuses `tune` alone"
    candidates = _distinct(_search(ablation.tune, ablation.tune_trials), ablation.tune_trials)
    if len(candidates) < ablation.tune_trials:
        fault = f"tune_trials: got {ablation.tune_trials}; `tune` has {len(candidates)} candidates"
        raise ConfigError(ablation.name, [fault])
    return candidates


def _search(tune: Mapping[str, Searched], num_trials: int) -> Sweep:
    """Return a grid where all of it is tried, else random draws.

    Part of a grid would favour its beginning.
    """
    parameters = {k: {"values": v} if isinstance(v, list) else v for k, v in tune.items()}
    faults = check_sweep(_document("random", parameters)).faults
    if faults:
        raise ConfigError("tune", [fault.removeprefix("parameters.") for fault in faults])
    if not check_sweep(_document("grid", parameters)).faults:
        grid = load_sweep(_document("grid", parameters), "tune")
        if (grid_size(grid) or 0) <= num_trials:
            return grid
    return load_sweep(_document("random", parameters), "tune")


def _document(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": method, "parameters": dict(parameters)}


def _distinct(search: Sweep, num_wanted: int) -> list[Candidate]:
    candidates: list[Candidate] = []
    tried: list[TrialResult] = []
    num_repeats = 0
    while len(candidates) < num_wanted and num_repeats < MAX_REPEATS:
        parameters = propose(search, tried)
        if parameters is None:
            break
        tried.append(TrialResult(parameters, "running"))
        values = flatten(parameters)
        num_repeats = num_repeats + 1 if values in candidates else 0
        candidates += [values] if values not in candidates else []
    return candidates
