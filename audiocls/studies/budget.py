"""Arms beyond their budget: set aside before anything is trained, and told as a result."""

from collections.abc import Mapping
from dataclasses import replace

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.config import Config
from audiocls.design import Plan
from audiocls.execution.content import used_parts
from audiocls.extras import is_installed
from audiocls.studies.runnable import Configs, require_runnable

BY_ARM = ("arms", "ofat", "leave_one_out", "both")
"""Designs whose other comparisons stand without an arm; the others need each of theirs."""


def runnable(
    plan: Plan, configs: Configs, tables: Mapping[DataSet, ClipTable | None]
) -> tuple[Plan, Configs]:
    """Return what is within its budget; raise what `require_runnable` does for it."""
    plan, configs = within_budget(plan, configs, tables)
    require_runnable(plan, configs, tables)
    return plan, configs


def within_budget(
    plan: Plan, configs: Configs, tables: Mapping[DataSet, ClipTable | None]
) -> tuple[Plan, Configs]:
    """Return plan and configurations without the arms that exceed their budget, which it tells.

    Unchanged where that would leave no comparison, or one without its reference: the study is then
    refused as a whole.
    """
    over, known = {}, dict[tuple[int, ...], str]()
    for arm, config in configs.items():
        if (parts := used_parts(config)) not in known:
            known[parts] = _excess(config, tables[config.data])
        if text := known[parts]:
            over[arm] = text
    kept = {arm: changes for arm, changes in plan.arms.items() if arm not in over}
    used = {plan.baseline, *(plan.references.get(arm, plan.baseline) for arm in kept)}
    if not over or used & over.keys() or len(kept) < 2 or plan.design not in BY_ARM:
        return plan, configs
    references = {arm: other for arm, other in plan.references.items() if arm in kept}
    narrowed = replace(plan, arms=kept, references=references, over_budget=over)
    return narrowed, {arm: configs[arm] for arm in kept}


def _excess(config: Config, table: ClipTable | None) -> str:
    """Return by how much the model exceeds its budget, in words; empty if it does not."""
    if table is None or not (config.budget.is_limited and is_installed("train")):
        return ""
    from audiocls.training.budget import excesses, in_words
    from audiocls.training.cost import trained_network

    num_classes = len(table.labels)
    network, _ = trained_network(config, num_classes)
    return in_words(excesses(config, network, num_classes))
