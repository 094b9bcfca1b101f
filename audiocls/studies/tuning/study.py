"""An ablation's tuning trials as a study, and its own study with what the arms chose."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from audiocls.config import Config, trial_id
from audiocls.design import Plan
from audiocls.design.tuning import (
    TUNING_SEED,
    Candidate,
    arm_of,
    arms_of_tuning,
    candidate_name,
)
from audiocls.errors import ConfigError, UsageError
from audiocls.execution.content import identity_of
from audiocls.store import Cell, Choice, Tuning, tuning_path
from audiocls.studies.program_ablation import ProgramStudy, digest_of, program_study
from audiocls.studies.resolve import Resolved, configs_of, study_of
from audiocls.studies.runnable import Configs
from audiocls.studies.tuning.candidates import candidates_of

S = TypeVar("S", bound=Resolved | ProgramStudy)


@dataclass(frozen=True)
class TuningPlan:
    """The trials before an ablation's own: every arm with every candidate on every fold."""

    plan: Plan
    configs: Configs
    candidates: Sequence[Candidate]
    metric: str
    """By which the arms choose, such as `val/accuracy`."""
    goal: str

    @property
    def num_epochs(self) -> int:
        return len(self.plan.blocks) * sum(each.train.epochs for each in self.configs.values())


def tuning_plan(plan: Plan, recipe: Mapping[str, Any], overrides: Mapping[str, Any]) -> TuningPlan:
    """Return what comes before the trials of `plan`, whose ablation has `tune`.

    Raises `ConfigError` for candidates that an arm cannot have.
    """
    ablation = plan.ablation
    _refuse(plan, overrides)
    candidates = candidates_of(ablation)
    arms = arms_of_tuning(plan.arms, candidates)
    wider = Plan(ablation=ablation, arms=arms, seeds=(TUNING_SEED,), folds=plan.folds)
    if (chooses := ablation.tune_metric) is not None:
        return TuningPlan(wider, {}, candidates, chooses.name, chooses.goal)
    configs, goal = configs_of(wider, recipe, overrides), ablation.metric.goal
    return TuningPlan(wider, configs, candidates, _validation_metric(plan, configs), goal)


def _refuse(plan: Plan, overrides: Mapping[str, Any]) -> None:
    if fixed := sorted(overrides.keys() & plan.ablation.tune.keys()):
        fault = "each arm chooses it for itself, as `tune` says; remove it from one of the two"
        raise ConfigError("--set", [f"{key}: {fault}" for key in fixed])
    if TUNING_SEED in plan.seeds:
        raise UsageError(f"seed {TUNING_SEED} is the tuning trials' own; leave it out of the seeds")


def _validation_metric(plan: Plan, configs: Configs) -> str:
    """Return the study's metric of validation clips.

    Raises `ConfigError` for one that is known of test clips alone.
    """
    if any(config.data.validation == "none" for config in configs.values()):
        fault = (
            "tune: data.validation is none, so that there are no clips to choose by; leave it out"
        )
        raise ConfigError(plan.ablation.name, [fault])
    metric = f"val/{plan.ablation.metric.recorded.rpartition('/')[2]}"
    known = set.intersection(*(_recorded(config) for config in configs.values()))
    if metric not in known:
        fault = (
            f"tune: {metric} is not recorded, so nothing could be chosen by it; recorded are "
            f"{', '.join(sorted(known))}. Set train.select to it, or choose another metric"
        )
        raise ConfigError(plan.ablation.name, [fault])
    return metric


def _recorded(config: Config) -> set[str]:
    usual = "val/map" if config.data.is_multi_label else "val/accuracy"
    metrics = {f"val/{metric.short}" for metric in config.train.metrics}
    return {"val/loss", usual, config.train.select, *metrics} - {"last"}


def tuning_study(before: TuningPlan, overrides: Mapping[str, Any], cache: Path, of: S) -> S:
    """Return the study of the trials before those of the study `of`."""
    ablation, name = before.plan.ablation, tuning_path(Path(of.study.name)).name
    resolved: Resolved | ProgramStudy
    if isinstance(of, ProgramStudy):
        resolved = program_study(before.plan, overrides, name, of.study.request, of.timeout_s)
    else:
        resolved = study_of(before.plan, before.configs, overrides, cache, name, of.study.request)
    study = replace(
        resolved.study,
        question=f"What suits each arm of {of.study.name}: {', '.join(ablation.tune)}?",
        design="tuning",
        kind="tuning",
        of=of.study.name,
        metric=before.metric,
        goal=before.goal,
        secondary=(),
        notes=(
            *resolved.study.notes,
            f"By these scores the arms choose; what follows from that is the answer of "
            f"{of.study.name}, and none of these differences is.",
        ),
    )
    return cast(S, replace(resolved, study=study))


def pending_trials(tuning: S, known: Collection[Choice]) -> S:
    """Return the tuning trials of those arms and folds for which nothing is chosen yet."""
    chosen = {(choice.arm, choice.fold) for choice in known}
    cells = [c for c in tuning.study.cells if (arm_of(c.arm), c.fold) not in chosen]
    return replace(tuning, study=replace(tuning.study, cells=tuple(cells)))


def with_candidates(resolved: S, before: TuningPlan) -> S:
    """Return `resolved` with arms that ask for these candidates too.

    Other candidates are another question.
    """
    study, candidates = resolved.study, list(before.candidates)
    identities = {
        arm: digest_of(identity, candidates)
        if isinstance(resolved, ProgramStudy)
        else trial_id({"arm": identity, "candidates": candidates}, resolved.fingerprints[arm])
        for arm, identity in study.identities.items()
    }
    return replace(resolved, study=replace(study, identities=identities))


def tuned(resolved: S, before: TuningPlan, choices: Collection[Choice], cache: Path) -> S:
    """Return the study with each arm's choices; an arm that could not choose has no trials."""
    rule = Tuning(len(before.candidates), before.metric, TUNING_SEED, tuple(choices))
    chosen: Resolved | ProgramStudy
    if isinstance(resolved, ProgramStudy):
        values = {(c.arm, c.fold): c.values for c in choices if c.values is not None}
        chosen = resolved.with_choices(values)
    else:
        chosen = _with_configs(resolved, before, choices, cache)
    return cast(S, replace(chosen, study=replace(chosen.study, tuning=rule)))


def _with_configs(
    resolved: Resolved, before: TuningPlan, choices: Collection[Choice], cache: Path
) -> Resolved:
    chosen = {
        (c.arm, c.fold): before.configs[candidate_name(c.arm, c.number, c.values)]
        for c in choices
        if c.number is not None and c.values is not None
    }
    identities = {arm_fold: identity_of(config, cache) for arm_fold, config in chosen.items()}
    cells = [
        _renamed(cell, identities[cell.arm, cell.fold], resolved.fingerprints[cell.arm])
        for cell in resolved.study.cells
        if (cell.arm, cell.fold) in identities
    ]
    study = replace(resolved.study, cells=tuple(cells))
    return replace(resolved, study=study, tuned=chosen)


def _renamed(cell: Cell, identity: Mapping[str, Any], fingerprint: str) -> Cell:
    """Return the same place in the study, under the id of what is trained there."""
    block = {"seed": cell.seed, "fold": cell.fold}
    return replace(cell, id=trial_id({**identity, **block}, fingerprint))
