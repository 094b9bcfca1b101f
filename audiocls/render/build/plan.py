"""A plan as a document: what would run, what it would cost, and what it could show."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from audiocls.analysis.power import PowerAnalysis
from audiocls.design import Plan, roman
from audiocls.formatting import format_arm, format_elapsed, format_values, plural
from audiocls.render.build.power import power_facts, size_table
from audiocls.render.document import Block, Document, Facts, Note, Section, Title
from audiocls.studies.planning import Workplace

NUM_SHOWN = 3
"""Candidates of the tuning, and proposals of a sweep, that a plan shows."""


def plan(
    chosen: Plan,
    facts: Mapping[str, Any],
    power: PowerAnalysis,
    workplace: Workplace,
    measuring: str,
) -> Document:
    """Return the document of an ablation's plan.

    `facts` are the plan as plain values, `measuring` is the command that would measure the
    baseline's noise.
    """
    seconds = facts["core_seconds"] and facts["core_seconds"] / chosen.num_trials
    num_seeds, num_folds = plural(len(chosen.seeds), "seed"), plural(len(chosen.folds), "fold")
    items = {
        **({"program": facts["program"]} if "program" in facts else {"recipe": facts["recipe"]}),
        "baseline": chosen.baseline,
        "design": _design(chosen),
        "arms": ", ".join(map(partial(_named, chosen.ablation.labels), chosen.arms)),
        **_over_budget(chosen),
        **_against(chosen),
        "blocks": f"{len(facts['blocks'])} ({num_seeds} × {num_folds})",
        "cells": f"{facts['num_trials']} trials",
        **_tuning(facts),
        "pairs": f"{facts['num_pairs']} per comparison, {chosen.num_comparisons} comparisons",
        "cost": _cost(facts, chosen.ablation.budget.trial_seconds, workplace),
        **power_facts(power, chosen, seconds, measuring),
    }
    table = size_table(power, chosen, seconds)
    blocks: tuple[Block, ...] = (
        Title(chosen.ablation.name, chosen.ablation.question),
        Facts(tuple(items.items())),
        *([Section("More seeds", (table,))] if table else []),
        *map(Note, facts["notes"]),
    )
    values = {**facts, "promise": power.to_mapping()}
    return Document(name=f"{chosen.ablation.name}-plan", blocks=blocks, data=lambda: values)


def search_plan(facts: Mapping[str, Any], first: Sequence[str], description: str) -> Document:
    """Return the document of a sweep's plan; `first` are the labels of its first proposals."""
    num = facts["num_trials"]
    items = {
        "method": facts["method"],
        "runs": facts["runs"],
        "metric": f"{facts['metric']}, {facts['goal']}" if facts["metric"] else "none",
        "parameters": ", ".join(facts["parameters"]),
        "trials": f"{num:,}" if num is not None else "unlimited: --count or run_cap sets a limit",
        "first": "; ".join(first),
    }
    blocks = (Title(facts["study"], description), Facts(tuple(items.items())))
    return Document(name=f"{facts['study']}-plan", blocks=blocks, data=lambda: dict(facts))


def with_placement(
    document: Document, facts: Mapping[str, str], values: Mapping[str, object]
) -> Document:
    """Return a plan that says as well where, how and at what cost its trials would be trained.

    Args:
        facts: sentences by name.
        values: the same, or more, as plain values by name.
    """
    blocks = tuple(
        Facts((*block.items, *facts.items())) if isinstance(block, Facts) else block
        for block in document.blocks
    )
    every = {**document.data(), **values}
    return replace(document, blocks=blocks, data=lambda: every)


def _named(labels: Mapping[str, str], arm: str) -> str:
    """Return an arm's name, with what reports call it."""
    return f"{format_arm(arm)} ({labels[arm]})" if arm in labels else format_arm(arm)


def _design(chosen: Plan) -> str:
    if chosen.resolution is None:
        return "named arms" if chosen.ablation.arms else chosen.design
    return f"{chosen.design}, resolution {roman(chosen.resolution)}"


def _over_budget(chosen: Plan) -> dict[str, str]:
    """Return the arms that are not trained, for that is their result."""
    over = "; ".join(f"{arm} {text}" for arm, text in chosen.over_budget.items())
    return {"not trained": over} if over else {}


def _against(chosen: Plan) -> dict[str, str]:
    """Return what arms are compared with, where that is not the baseline."""
    references = chosen.references
    if chosen.design == "cumulative":
        return {"against": "each arm the one before it"}
    rows = [
        f"{other} for {', '.join(arm for arm in references if references[arm] == other)}"
        for other in dict.fromkeys(references.values())
    ]
    return {"against": "; ".join(rows)} if rows else {}


def _tuning(facts: Mapping[str, Any]) -> dict[str, str]:
    if (tuning := facts["tuning"]) is None:
        return {}
    num_folds = len({block["fold"] for block in facts["blocks"]})
    candidates = tuning["candidates"]
    text = (
        f"{tuning['num_trials']} trials first: {tuning['num_trials_per_arm_and_fold']} for each of "
        f"{len(facts['arms'])} arms × {num_folds} folds, by {tuning['metric']}: "
        + "; ".join(format_values(values) for values in candidates[:NUM_SHOWN])
    )
    return {"tuning": text + "; …" * (len(candidates) > NUM_SHOWN)}


def _before(preparation: Mapping[str, Any]) -> str:
    """Return `, 100 epochs in 5 pre-trainings, 800 s of audio through EnCodec`."""
    if not preparation:
        return ""
    epochs, num = preparation["num_stage_epochs"], preparation["num_stages"]
    stages = f", {epochs} epochs in {plural(num, 'pre-training')}" if num else ""
    encoded = preparation["encoded_s"]
    return stages + (f", {encoded:,.0f} s of audio through EnCodec" if encoded else "")


def _cost(facts: Mapping[str, Any], trial_core_s: float | None, workplace: Workplace) -> str:
    """Return what the plan costs, and of what that is the time."""
    known = facts["num_epochs"]
    epochs = f"{facts['num_trials']} trials" if known is None else f"{known} epochs"
    epochs += _before(facts.get("preparation", {}))
    if facts["core_seconds"] is None or trial_core_s is None:
        return f"{epochs}; the time is known once the first trial has run"
    by = f"(estimated: its file says {trial_core_s:g} s of a core for a trial)"
    if (number := workplace.num_cores) is None:
        about = f"about {format_elapsed(facts['core_seconds'])} of a core {by}"
        return f"{epochs}; {about}; on {workplace.others}: known once a trial has run"
    left = format_elapsed(facts["core_seconds"] / number)
    cores = "1 core" if number == 1 else f"the {number} cores"
    return f"{epochs}; about {left} on {cores} of this machine {by}"
