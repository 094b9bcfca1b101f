"""From a plan to the trials of a study: configurations checked, data known, ids computed.

Where `config` and `plan` meet: neither knows the other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiocls.audio.clips import ClipTable, fingerprint
from audiocls.audio.datasets import DataSet
from audiocls.config import (
    Config,
    SharedParts,
    merge,
)
from audiocls.config.layers import ArmConfigs, check_no_inactive_factors
from audiocls.design import MAX_ARMS, Ablation, Plan, within_folds
from audiocls.errors import ConfigError
from audiocls.execution.content import decode_ahead, identity_of, require_usable
from audiocls.execution.job import NativeJob, TrackingConfig, native_job
from audiocls.execution.probe import Tried
from audiocls.parts import OWN_FILES, Origin, has_own_parts
from audiocls.store import Cell, Objective, Request, Study, StudyFolder
from audiocls.studies.budget import runnable
from audiocls.studies.runnable import (
    Configs,
    check_arms_differ,
    check_configs_differ,
    notes_on_data,
    tables_of,
)

MOST_KEPT = 10_000
"""Clips of a data set whose table outlives its plan, some megabytes."""


@dataclass(frozen=True)
class Resolved:
    """A study that can be launched: its plan, and the configuration of each of its arms."""

    study: Study
    configs: Configs
    fingerprints: dict[str, str]
    """Arm → fingerprint of its data."""
    notes: tuple[str, ...]
    tuned: Mapping[tuple[str, int], Config] = field(default_factory=dict)
    """Arm and fold → the arm's configuration with what it chose for that fold."""
    tables: Mapping[DataSet, ClipTable] = field(default_factory=dict)
    """The clips of the data sets that have few enough to be kept until they are decoded."""

    def config_of(self, cell: Cell) -> Config:
        """Return the configuration that is trained in that cell."""
        config = self.tuned.get((cell.arm, cell.fold), self.configs[cell.arm])
        return config.model_copy(update={"seed": cell.seed, "fold": cell.fold})

    def decode_ahead(self, cache: Path) -> None:
        """Write the packs that workers would write first, where that is quick; raises nothing."""
        for data, arm in {config.data: arm for arm, config in self.configs.items()}.items():
            if (table := self.tables.get(data)) is not None:
                decode_ahead(data, table, self.fingerprints[arm], cache)

    @property
    def data_roots(self) -> dict[str, str | None]:
        """The folder of each arm's data, by the fingerprint of its clips."""
        return {known: self.configs[arm].data.root for arm, known in self.fingerprints.items()}

    def only(self, arm: str) -> "Resolved":
        """Return the study with that arm's cells alone."""
        cells = tuple(cell for cell in self.study.cells if cell.arm == arm)
        return replace(self, study=replace(self.study, cells=cells))


def configs_of(
    plan: Plan,
    recipe: Mapping[str, Any],
    overrides: Mapping[str, Any],
    origin: Origin = OWN_FILES,
) -> Configs:
    """Return every arm's configuration.

    Raises `ConfigError` with the faults of all arms at once.

    The overrides lie under the arm's own changes: a factor stays a factor whatever is set.
    """
    if len(plan.arms) > MAX_ARMS:
        fault = f"got {len(plan.arms):,} arms; at most {MAX_ARMS:,}: fewer levels, or --arms"
        raise ConfigError(plan.ablation.name, [fault])
    configs: Configs = {}
    faults: dict[str, None] = {}
    arms = ArmConfigs(merge([recipe, plan.ablation.base(), overrides]), origin)
    for arm in plan.arms:
        try:
            configs[arm] = arms.of(arm, plan.arms[arm])
        except ConfigError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise ConfigError(f"{plan.ablation.name} (recipe {plan.ablation.recipe})", faults)
    check_factors_are_free(plan, overrides)
    _check_equally_long(plan, configs)
    check_no_inactive_factors(plan.ablation.name, configs)
    check_configs_differ(plan, configs)
    return configs


def _check_equally_long(plan: Plan, configs: Configs) -> None:
    """Raise `ConfigError` for early stopping: arms must be trained equally long."""
    stopping = [arm for arm, config in configs.items() if config.train.patience > 0]
    if stopping:
        fault = (
            f"train.patience: got {configs[stopping[0]].train.patience} in {', '.join(stopping)}; "
            "allowed in an ablation: 0, for its arms must be trained equally long. Stop early in "
            "single trials (audiocls train), and fix train.epochs here"
        )
        raise ConfigError(plan.ablation.name, [fault])


def check_factors_are_free(plan: Plan, overrides: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for overrides of what the ablation varies."""
    hidden = [key for key in overrides if any(key in changes for changes in plan.arms.values())]
    if hidden:
        why = "it is what the ablation varies; narrow its arms with --arms"
        raise ConfigError("--set", [f"{key}: {why}" for key in hidden])


def on_available_folds(plan: Plan, config: Config, cache: Path, is_requested: bool) -> Plan:
    """Return `plan` on the test folds that its data set has; reads the disk only if needed."""
    return within_folds(plan, folds_of(config, cache), config.data.name, is_requested)


def folds_of(config: Config, cache: Path) -> tuple[int, ...]:
    """Return the test folds of a configuration's data."""
    num_folds = config.data.num_folds
    return tuple(range(1, num_folds + 1)) if num_folds else config.data.table(cache).folds


def study_of(
    plan: Plan,
    configs: Configs,
    overrides: Mapping[str, Any],
    cache: Path,
    name: str,
    request: Request | None = None,
) -> Resolved:
    """Return the study with the ids of all its cells; reads the data set's files once.

    Raises `ConfigError` if two arms are the same trial, and `DataError` for unusable data.
    """
    ablation, tables = plan.ablation, tables_of(configs, cache)
    plan, configs = runnable(plan, configs, tables)
    fingerprints = _fingerprints(configs, tables, cache)
    parts = SharedParts()
    identified = {arm: identity_of(config, cache, parts) for arm, config in configs.items()}
    study = Study(
        name=name,
        question=ablation.question,
        recipe=ablation.recipe,
        design=plan.design,
        metric=ablation.metric.recorded,
        goal=ablation.metric.goal,
        baseline=plan.baseline,
        arms=plan.arms,
        references=plan.references,
        factors=plan.factors,
        secondary=secondary_of(ablation),
        cells=_cells(plan, identified, fingerprints, parts),
        identities=_distinct_identities(plan, identified, fingerprints, parts),
        num_folds=configs[plan.baseline].data.num_folds,
        **ablation.judgement(),
        overrides={**ablation.base(), **overrides},
        command=request.line() if request else "",
        request=request,
        notes=_notes(plan, configs, tables, fingerprints, cache),
        over_budget=plan.over_budget,
    )
    return Resolved(study, configs, fingerprints, study.notes, tables=few_clips_of(tables))


def few_clips_of(tables: Mapping[DataSet, ClipTable]) -> dict[DataSet, ClipTable]:
    """Return the tables that are short enough to outlive a plan."""
    return {data: table for data, table in tables.items() if len(table.clips) <= MOST_KEPT}


def _notes(
    plan: Plan,
    configs: Configs,
    tables: Mapping[DataSet, ClipTable],
    fingerprints: Mapping[str, str],
    cache: Path,
) -> tuple[str, ...]:
    """Return what a reader must know of the plan, its data and its features."""
    oddities = notes_on_data(plan, configs, tables, fingerprints, cache)
    return (*plan.notes, *oddities, *_feature_notes(configs))


def secondary_of(ablation: Ablation) -> tuple[Objective, ...]:
    """Return the metrics that are reported beside the one that decides."""
    margin = ablation.stats.margin
    return tuple(
        Objective(each.recorded, each.goal, each.margin or margin) for each in ablation.secondary
    )


def identified_config(config: Config, table: ClipTable, cache: Path) -> dict[str, Any]:
    """Return the configuration that identifies a trial, whose files are checked before."""
    require_usable(config, table.labels)
    return identity_of(config, cache)


def _fingerprints(
    configs: Configs, tables: Mapping[DataSet, ClipTable], cache: Path
) -> dict[str, str]:
    """Return each arm's fingerprint; data that arms share is read once."""
    known = {data: fingerprint(table, cache) for data, table in tables.items()}
    return {arm: known[config.data] for arm, config in configs.items()}


def _feature_notes(configs: Configs) -> list[str]:
    """Return the caveats of the arms' front ends, each with its arms."""
    arms_of: dict[str, list[str]] = {}
    for arm, config in configs.items():
        for note in config.features.notes():
            arms_of.setdefault(note, []).append(arm)
    return [
        f"{note} in {'every arm' if len(arms) == len(configs) else ', '.join(arms)}."
        for note, arms in arms_of.items()
    ]


Identified = Mapping[str, Mapping[str, Any]]
"""Arm → its configuration as it identifies a trial."""


def identities_of(
    configs: Identified, fingerprints: Mapping[str, str], parts: SharedParts | None = None
) -> dict[str, str]:
    """Return what identifies each arm."""
    parts = parts or SharedParts()
    without_block: list[dict[str, int | None]] = [{"seed": None, "fold": None}]
    return {
        arm: parts.trial_ids(config, fingerprints[arm], without_block)[0]
        for arm, config in configs.items()
    }


def _distinct_identities(
    plan: Plan, configs: Identified, fingerprints: Mapping[str, str], parts: SharedParts
) -> dict[str, str]:
    """Return what identifies each arm; raises `ConfigError` if two are the same."""
    identities = identities_of(configs, fingerprints, parts)
    check_arms_differ(plan, identities)
    return identities


def _cells(
    plan: Plan, configs: Identified, fingerprints: Mapping[str, str], parts: SharedParts
) -> tuple[Cell, ...]:
    blocks = [{"seed": seed, "fold": fold} for seed, fold in plan.blocks]
    ids = {arm: parts.trial_ids(configs[arm], fingerprints[arm], blocks) for arm in plan.arms}
    by_block = zip(plan.blocks, zip(*ids.values(), strict=True), strict=True)
    return tuple(
        Cell(id=trial, arm=arm, seed=seed, fold=fold)
        for (seed, fold), trials in by_block
        for arm, trial in zip(ids, trials, strict=True)
    )


def tried_of(configs: Iterable[Config], cache: Path) -> list[Tried]:
    """Return the configurations that have own parts, with the number of classes of their data."""
    every = tuple(configs)
    parts = {id(part): part for config in every for _, part in config}  # arms share most of them
    own = {key for key, part in parts.items() if has_own_parts(part)}
    with_own_parts = [config for config in every if any(id(part) in own for _, part in config)]
    num_classes = {
        data: len(data.table(cache).labels) for data in {each.data for each in with_own_parts}
    }
    return [Tried(config, num_classes[config.data]) for config in with_own_parts]


def job_of(
    cell: Cell, resolved: Resolved, folder: StudyFolder, tracking: TrackingConfig
) -> NativeJob:
    """Return the job of one cell of a resolved ablation."""
    config, data = resolved.config_of(cell), resolved.fingerprints[cell.arm]
    return native_job(folder, cell, config, data, tracking.tagged(resolved.study.recipe))
