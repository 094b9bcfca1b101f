"""A plan as one sees it: what will run, what it will cost, and what it could show."""

from typing import Any

from audiocls import console
from audiocls.cli.studies import Request, planned
from audiocls.plan import Plan
from audiocls.report.stats import detectable_effect, pairs_needed, smallest_p
from audiocls.run.devices import num_cores
from audiocls.run.resolve import Configs


def show_plan(asked: Request, as_json: bool) -> None:
    """Print the plan; nothing is run and no sound is read."""
    chosen, configs = planned(asked)
    facts = facts_of(chosen, configs, asked)
    if as_json:
        return console.show_json(facts)
    console.show_facts(
        {
            "question": chosen.ablation.question,
            "recipe": chosen.ablation.recipe,
            "baseline": chosen.baseline,
            "arms": ", ".join(chosen.arms),
            "blocks": f"{len(facts['blocks'])} ({len(chosen.seeds)} seeds × "
            f"{len(chosen.folds)} folds)",
            "cells": f"{facts['num_trials']} trials",
            "pairs": f"{facts['num_pairs']} per comparison, {chosen.num_comparisons} comparisons",
            "cost": _cost(facts),
            "smallest p": _smallest_p(facts),
            "detectable": _detectable(facts),
        }
    )
    for text in chosen.notes:
        console.note(text)
    return None


def facts_of(chosen: Plan, configs: Configs, asked: Request) -> dict[str, Any]:
    """The plan as plain values. The effect is in standard deviations of the differences."""
    ablation = chosen.ablation
    num_pairs = len(chosen.blocks)
    is_as_written = not asked.overrides and asked.is_own_recipe
    seconds = ablation.budget.trial_seconds if is_as_written else None
    return {
        "study": ablation.name,
        "question": ablation.question,
        "recipe": ablation.recipe,
        "num_trials": chosen.num_trials,
        "arms": list(chosen.arms),
        "baseline": chosen.baseline,
        "blocks": [{"seed": seed, "fold": fold} for seed, fold in chosen.blocks],
        "num_pairs": num_pairs,
        "num_epochs": len(chosen.blocks) * sum(c.train.epochs for c in configs.values()),
        "core_seconds": seconds * chosen.num_trials if seconds else None,
        "alpha": ablation.stats.alpha,
        "num_comparisons": chosen.num_comparisons,
        "min_p": smallest_p(num_pairs),
        "pairs_needed": pairs_needed(ablation.stats.alpha, max(1, chosen.num_comparisons)),
        "detectable_effect_sd": detectable_effect(num_pairs, alpha=ablation.stats.alpha),
        "notes": list(chosen.notes),
    }


def _cost(facts: dict[str, Any]) -> str:
    epochs = f"{facts['num_epochs']} epochs"
    if facts["core_seconds"] is None:
        return f"{epochs}; the time is known once the first trial has run"
    cores = num_cores()
    left = console.duration(facts["core_seconds"] / cores)
    return f"{epochs}; about {left} on {cores} core{'s' * (cores > 1)}"


def _smallest_p(facts: dict[str, Any]) -> str:
    m, least = facts["num_comparisons"], facts["min_p"]
    text = f"{least:.2g} for one comparison, {min(1.0, least * m):.2g} after Holm over {m}"
    if least * m > facts["alpha"]:
        needed = facts["pairs_needed"]
        text += f": above {facts['alpha']:g}, so no arm can win; {needed} pairs are needed"
    return text


def _detectable(facts: dict[str, Any]) -> str:
    effect = facts["detectable_effect_sd"]
    if effect is None:
        return "nothing: a single pair has no spread"
    return f"{effect:.2f} standard deviations of the paired differences, at 80 % power"
