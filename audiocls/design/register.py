"""An ablation as a W&B sweep, a grid: of arms, seeds and folds, or of a program's parameters."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from audiocls.design.plan import Plan

PROJECT = "audiocls"


def wandb_sweep(plan: Plan) -> dict[str, Any]:
    """Return the sweep configuration, in W&B's schema.

    Each of its runs is one trial, which logs its fully resolved configuration; so W&B's parallel
    coordinates work on the real keys while the grid stays three columns wide.
    """
    ablation = plan.ablation
    return grid_sweep(
        name=ablation.name,
        question=ablation.question,
        metric={"name": ablation.metric.recorded, "goal": ablation.metric.goal},
        cells={"arm": list(plan.arms), "seed": list(plan.seeds), "fold": list(plan.folds)},
        words=["--ablation", ablation.name],
    )


def program_sweep(plan: Plan, source: str) -> dict[str, Any]:
    """Return the sweep of an ablation over a program, which plain `wandb agent` runs.

    Where the arms are all combinations of levels it is a grid of the program's own parameters, with
    the user's command. Other arms are no grid: `audiocls train` then starts the program with what
    the arm changes. `source` is the ablation's name or path.
    """
    ablation = plan.ablation
    metric = {"name": ablation.metric.name, "goal": ablation.metric.goal}
    blocks = {"seed": list(plan.seeds), "fold": list(plan.folds)}
    if not _is_grid(plan):
        cells: dict[str, list[Any]] = {"arm": list(plan.arms), **blocks}
        words = ["--ablation", source]
        return grid_sweep(ablation.name, ablation.question, metric, cells, words)
    keys = ablation.block_parameters.items()
    levels = {**plan.factors, **{key: blocks[name] for name, key in keys}}
    parameters = {key: {"value": value} for key, value in ablation.base().items()}
    program = {"program": ablation.program, "command": list(ablation.command)}
    return {
        "name": ablation.name,
        "description": ablation.question,
        "project": PROJECT,
        "method": "grid",
        "metric": metric,
        "parameters": {**parameters, **{key: {"values": each} for key, each in levels.items()}},
        **{key: value for key, value in program.items() if value},
    }


def _is_grid(plan: Plan) -> bool:
    """Whether the arms are every combination of the factors' levels."""
    num_combinations = math.prod(map(len, plan.factors.values()))
    sets_all = all(changes.keys() == plan.factors.keys() for changes in plan.arms.values())
    return bool(plan.factors) and sets_all and len(plan.arms) == num_combinations


def grid_sweep(
    name: str,
    question: str,
    metric: Mapping[str, str],
    cells: Mapping[str, Sequence[Any]],
    words: Sequence[str],
) -> dict[str, Any]:
    """Return the sweep of all combinations of `cells`, trained by `audiocls train` and `words`."""
    return {
        "name": name,
        "description": question,
        "project": PROJECT,
        "method": "grid",
        "metric": dict(metric),
        "parameters": {key: {"values": list(values)} for key, values in cells.items()},
        "command": ["audiocls", "train", *words, "${args_no_hyphens}"],
    }
