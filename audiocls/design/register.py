"""An ablation as a W&B sweep: three parameters, a grid, and our own command."""

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
