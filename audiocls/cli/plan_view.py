"""A plan as one sees it: what will run, what it will cost, and what it could show."""

from pathlib import Path
from typing import Any

from audiocls import console
from audiocls.cli.options import RUNS
from audiocls.cli.power_view import promised, told
from audiocls.design import Plan, roman
from audiocls.execution.devices import num_cores
from audiocls.formatting import format_elapsed, format_values, plural
from audiocls.search import TrialResult, fixed_keys, grid_size, propose
from audiocls.stats import detectable_effect, min_attainable_p, pairs_needed
from audiocls.studies.native_trials import label_of
from audiocls.studies.request import AblationRequest, SweepRequest
from audiocls.studies.resolve import Configs
from audiocls.studies.tuning import TuningPlan, tuning_plan

NUM_SHOWN = 3
"""Proposals of a sweep that its plan shows."""


def show_plan(
    asked: AblationRequest, as_json: bool, runs: Path = RUNS, effect: float | None = None
) -> None:
    """Print the plan; nothing is run and no sound is read.

    What was measured of its baseline lies in `runs`; `effect` is what one would like to see.
    """
    chosen, configs = asked.plan()
    facts = facts_of(chosen, configs, asked)
    promise = promised(chosen, configs[chosen.baseline], runs, effect)
    if as_json:
        return console.show_json({**facts, "promise": promise.to_mapping()})
    seconds = facts["core_seconds"] and facts["core_seconds"] / chosen.num_trials
    measuring = asked.noise_command()
    console.show_facts(
        {
            "question": chosen.ablation.question,
            "recipe": chosen.ablation.recipe,
            "baseline": chosen.baseline,
            "design": _design(chosen),
            "arms": ", ".join(chosen.arms),
            **_against(chosen),
            "blocks": f"{len(facts['blocks'])} ({plural(len(chosen.seeds), 'seed')} × "
            f"{plural(len(chosen.folds), 'fold')})",
            "cells": f"{facts['num_trials']} trials",
            **_tuning(facts),
            "pairs": f"{facts['num_pairs']} per comparison, {chosen.num_comparisons} comparisons",
            "cost": _cost(facts),
            "smallest p": _smallest_p(facts),
            **told(promise, chosen, seconds, measuring),
        }
    )
    for text in chosen.notes:
        console.note(text)
    return None


def show_search(asked: SweepRequest, as_json: bool) -> None:
    """Print what a sweep would run, its first proposals among it."""
    facts = search_facts(asked)
    if as_json:
        return console.show_json(facts)
    fixed = fixed_keys(asked.sweep.parameters)
    first = [label_of(parameters, fixed) for parameters in facts["first"]]
    console.show_facts(
        {
            "method": facts["method"],
            "runs": facts["runs"],
            "metric": f"{facts['metric']}, {facts['goal']}" if facts["metric"] else "none",
            "parameters": ", ".join(facts["parameters"]),
            "trials": "without an end: --count or run_cap sets one"
            if facts["num_trials"] is None
            else f"{facts['num_trials']:,}",
            "first": "; ".join(first),
        }
    )
    return None


def search_facts(asked: SweepRequest) -> dict[str, Any]:
    """A sweep as plain values; the first proposals are those of a fresh launch."""
    sweep = asked.sweep
    known = [n for n in (grid_size(sweep), sweep.run_cap) if n is not None]
    tried: list[TrialResult] = []
    while len(tried) < NUM_SHOWN and (parameters := propose(sweep, tried)) is not None:
        tried.append(TrialResult(parameters, "running"))
    return {
        "study": asked.study_name,
        "method": sweep.method,
        "runs": asked.runs,
        "metric": sweep.metric.name if sweep.metric else None,
        "goal": sweep.metric.goal if sweep.metric else None,
        "parameters": list(sweep.parameters),
        "num_trials": min(known) if known else None,
        "first": [one.parameters for one in tried],
    }


def facts_of(chosen: Plan, configs: Configs, asked: AblationRequest) -> dict[str, Any]:
    """The plan as plain values. The effect is in standard deviations of the differences."""
    ablation = chosen.ablation
    num_pairs = len(chosen.blocks)
    is_as_written = not asked.overrides and asked.is_own_recipe
    seconds = ablation.budget.trial_seconds if is_as_written else None
    before = tuning_plan(chosen, asked.recipe, asked.overrides)
    num_before, epochs_before = (before.plan.num_trials, before.num_epochs) if before else (0, 0)
    num_epochs = len(chosen.blocks) * sum(c.train.epochs for c in configs.values())
    return {
        "study": ablation.name,
        "question": ablation.question,
        "recipe": ablation.recipe,
        "num_trials": chosen.num_trials,
        "arms": list(chosen.arms),
        "baseline": chosen.baseline,
        "design": chosen.design,
        "resolution": chosen.resolution,
        "aliases": list(chosen.aliases),
        "references": chosen.references,
        "blocks": [{"seed": seed, "fold": fold} for seed, fold in chosen.blocks],
        "num_pairs": num_pairs,
        "tuning": _tuning_facts(before),
        "num_epochs": num_epochs + epochs_before,
        "core_seconds": seconds * (chosen.num_trials + num_before) if seconds else None,
        "alpha": ablation.stats.alpha,
        "num_comparisons": chosen.num_comparisons,
        "min_p": min_attainable_p(num_pairs),
        "pairs_needed": pairs_needed(ablation.stats.alpha, max(1, chosen.num_comparisons)),
        "detectable_effect_sd": detectable_effect(num_pairs, alpha=ablation.stats.alpha),
        "notes": list(chosen.notes),
    }


def _design(chosen: Plan) -> str:
    if chosen.resolution is None:
        return "named arms" if chosen.ablation.arms else chosen.design
    return f"{chosen.design}, resolution {roman(chosen.resolution)}"


def _against(chosen: Plan) -> dict[str, str]:
    """What arms are compared with, where that is not the baseline."""
    references = chosen.references
    if chosen.design == "cumulative":
        return {"against": "each arm the one before it"}
    rows = [
        f"{other} for {', '.join(arm for arm in references if references[arm] == other)}"
        for other in dict.fromkeys(references.values())
    ]
    return {"against": "; ".join(rows)} if rows else {}


def _tuning_facts(before: TuningPlan | None) -> dict[str, Any] | None:
    """The trials that come first, by which each arm chooses for itself."""
    if before is None:
        return None
    return {
        "num_trials": before.plan.num_trials,
        "num_trials_per_arm_and_fold": len(before.candidates),
        "metric": before.metric,
        "seed": before.plan.seeds[0],
        "candidates": list(before.candidates),
    }


def _tuning(facts: dict[str, Any]) -> dict[str, str]:
    if (tuning := facts["tuning"]) is None:
        return {}
    num_folds = len({block["fold"] for block in facts["blocks"]})
    told = (
        f"{tuning['num_trials']} trials first: {tuning['num_trials_per_arm_and_fold']} for each of "
        f"{len(facts['arms'])} arms × {num_folds} folds, by {tuning['metric']}: "
        + "; ".join(format_values(values) for values in tuning["candidates"][:NUM_SHOWN])
    )
    return {"tuning": told + "; …" * (len(tuning["candidates"]) > NUM_SHOWN)}


def _cost(facts: dict[str, Any]) -> str:
    epochs = f"{facts['num_epochs']} epochs"
    if facts["core_seconds"] is None:
        return f"{epochs}; the time is known once the first trial has run"
    cores = num_cores()
    left = format_elapsed(facts["core_seconds"] / cores)
    return f"{epochs}; about {left} on {cores} core{'s' * (cores > 1)}"


def _smallest_p(facts: dict[str, Any]) -> str:
    m, least = facts["num_comparisons"], facts["min_p"]
    text = f"{least:.2g} for one comparison, {min(1.0, least * m):.2g} after Holm over {m}"
    if least * m > facts["alpha"]:
        needed = facts["pairs_needed"]
        text += f": above {facts['alpha']:g}, so no arm can win; {needed} pairs are needed"
    return text
