"""What a plan says before anything runs: its facts as plain values, and what it could show."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audiocls.analysis.power import PowerAnalysis, power_of_plan
from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import DataSet
from audiocls.config import Config
from audiocls.design import Plan
from audiocls.execution.content import unchecked_budgets
from audiocls.execution.devices import num_cores, slots
from audiocls.search import TrialResult, grid_size, propose
from audiocls.studies.noise_estimate import noise_estimate, program_noise, recordings_of
from audiocls.studies.preparation import Preparation, preparation_of
from audiocls.studies.program_ablation import baseline_identity, command_of, num_folds_of
from audiocls.studies.request import AblationRequest
from audiocls.studies.resolve import folds_of
from audiocls.studies.runnable import Configs
from audiocls.studies.sweep_request import SweepRequest
from audiocls.studies.tuning import TuningPlan, tuning_plan

NUM_SHOWN = 3
"""Proposals of a sweep that its plan shows."""
ELSEWHERE = {"slurm": "SLURM's tasks", "ray": "Ray's workers"}
"""Executor → what trains, where that is another machine."""


@dataclass(frozen=True)
class Workplace:
    """Where the trials of a plan would be trained, as far as it tells how long that takes."""

    num_cores: int | None
    """Of this machine: each trains one trial at a time. None where others train."""
    others: str = ""
    """What trains then, such as `SLURM's tasks`."""


def workplace_of(executor: str, devices: str) -> Workplace:
    """Return where an executor would train; raises `UsageError` for devices that are not here."""
    if executor in ELSEWHERE:
        return Workplace(None, ELSEWHERE[executor])
    names = dict.fromkeys(slots(devices, None))
    if list(names) != ["cpu"]:
        return Workplace(None, ", ".join(names))
    return Workplace(1 if executor == "inline" else num_cores())


def plan_facts(
    request: AblationRequest,
    chosen: Plan,
    configs: Configs,
    tables: Mapping[DataSet, ClipTable | None],
) -> dict[str, Any]:
    """Return the plan as plain values.

    The trials' time is known where they run as the ablation was written, without overrides.
    """
    ablation, num_pairs = chosen.ablation, len(chosen.blocks)
    is_as_written = not request.overrides and request.is_own_recipe
    seconds = ablation.budget.trial_seconds if is_as_written else None
    before = tuning_plan(chosen, request.recipe, request.overrides) if ablation.tune else None
    num_before, epochs_before = (before.plan.num_trials, before.num_epochs) if before else (0, 0)
    num_epochs = num_pairs * sum(c.train.epochs for c in configs.values()) + epochs_before
    first = preparation_of(chosen, configs, tables)
    return {
        "study": ablation.name,
        "question": ablation.question,
        "recipe": ablation.recipe,
        **({"program": command_of(ablation)} if ablation.is_program else {}),
        "num_trials": chosen.num_trials,
        "arms": list(chosen.arms),
        "baseline": chosen.baseline,
        "design": chosen.design,
        "resolution": chosen.resolution,
        "aliases": list(chosen.aliases),
        **({"over_budget": chosen.over_budget} if chosen.over_budget else {}),
        "references": chosen.references,
        "blocks": [{"seed": seed, "fold": fold} for seed, fold in chosen.blocks],
        "num_pairs": num_pairs,
        "tuning": _tuning_facts(before),
        "num_epochs": None if ablation.is_program else num_epochs,
        **({"preparation": asdict(first)} if first != Preparation() else {}),
        "core_seconds": seconds and seconds * (chosen.num_trials + num_before) + first.core_seconds,
        "alpha": ablation.stats.alpha,
        "num_comparisons": chosen.num_comparisons,
        "notes": [*chosen.notes, *unchecked_budgets(configs.values())],
    }


def _tuning_facts(before: TuningPlan | None) -> dict[str, Any] | None:
    """Return the trials that come first, by which each arm chooses for itself."""
    if before is None:
        return None
    return {
        "num_trials": before.plan.num_trials,
        "num_trials_per_arm_and_fold": len(before.candidates),
        "metric": before.metric,
        "seed": before.plan.seeds[0],
        "candidates": list(before.candidates),
    }


def power_of(
    chosen: Plan, baseline: Config, runs: Path, wanted: float | None, cache: Path
) -> PowerAnalysis:
    """Return the effect that the plan can detect, by what is known of the noise from `runs`.

    `wanted` is in units of the metric; `cache` is where clip tables are kept.
    """
    num_folds = len(folds_of(baseline, cache))
    known = noise_estimate(chosen, baseline, runs, cache)
    num_recordings, _, few = recordings_of(chosen, baseline, cache)
    is_counted = not (num_recordings and few)  # Where the data is not there yet, that is unknown.
    return power_of_plan(chosen, num_folds, wanted, *known, has_recordings=is_counted)


def power_of_program(
    chosen: Plan, overrides: Mapping[str, Any], runs: Path, wanted: float | None
) -> PowerAnalysis:
    """Return the effect that the plan of a program can detect, where its noise was measured.

    `wanted` is in units of the metric.
    """
    known = program_noise(chosen, baseline_identity(chosen, overrides), runs)
    return power_of_plan(chosen, num_folds_of(chosen), wanted, *known)


def search_facts(request: SweepRequest) -> dict[str, Any]:
    """Return a sweep as plain values; the first proposals are those of a fresh launch."""
    sweep = request.sweep
    known = [n for n in (grid_size(sweep), sweep.run_cap) if n is not None]
    tried: list[TrialResult] = []
    while len(tried) < NUM_SHOWN and (parameters := propose(sweep, tried)) is not None:
        tried.append(TrialResult(parameters, "running"))
    return {
        "study": request.study_name,
        "method": sweep.method,
        "runs": request.runs,
        "metric": sweep.metric.name if sweep.metric else None,
        "goal": sweep.metric.goal if sweep.metric else None,
        "parameters": list(sweep.parameters),
        "num_trials": min(known) if known else None,
        "first": [one.parameters for one in tried],
    }
