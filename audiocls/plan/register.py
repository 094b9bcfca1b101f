"""An ablation as a W&B sweep: three parameters, a grid, and our own command."""

from typing import Any

from audiocls.plan.trials import Plan

PROJECT = "audiocls"


def wandb_sweep(plan: Plan) -> dict[str, Any]:
    """The sweep configuration, in W&B's grammar.

    Each of its runs is one trial, which logs its fully resolved configuration; so W&B's parallel
    coordinates work on the real keys while the grid stays three columns wide.
    """
    ablation = plan.ablation
    return {
        "name": ablation.name,
        "description": ablation.question,
        "project": PROJECT,
        "method": "grid",
        "metric": {"name": ablation.metric.name, "goal": ablation.metric.goal},
        "parameters": {
            "arm": {"values": list(plan.arms)},
            "seed": {"values": list(plan.seeds)},
            "fold": {"values": list(plan.folds)},
        },
        "command": ["audiocls", "train", "--ablation", ablation.name, "${args_no_hyphens}"],
    }
