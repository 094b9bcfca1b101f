"""`compare`: a study and its records become one verdict for each arm, computed and never chosen."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from audiocls.analysis.caveats import caveats
from audiocls.analysis.comparability import COMPUTE
from audiocls.analysis.contrasts.arms import baseline_result, decided_arms
from audiocls.analysis.contrasts.effects import effects_of
from audiocls.analysis.differences import InfluencesOf
from audiocls.analysis.interim import at_look, decided_by_looks, looks_note
from audiocls.analysis.limits import limits
from audiocls.analysis.pairing import Causes, RecordGrid
from audiocls.analysis.results import Comparison, Effects
from audiocls.analysis.scope import method_of, num_all_folds, scope_of
from audiocls.errors import ConfigError, NotComparable, did_you_mean
from audiocls.store.record import Objective, Record, Study

NO_INFLUENCES: Mapping[str, InfluencesOf] = MappingProxyType({})


def compare(
    study: Study,
    records: Mapping[str, Record],
    causes: Causes = MappingProxyType({}),
    influences: Mapping[str, InfluencesOf] = NO_INFLUENCES,
) -> Comparison:
    """Compare every arm with its reference, paired by seed and fold.

    `records`, and `causes` (why a trial has none), by trial id; `influences` of recordings by
    metric and trial id, without which folds are the units. A study without a finished trial
    has a comparison too: all its cells are `missing`. Raises `NotComparable` where no record has
    the study's metric, `ConfigError` for an unknown rule.
    """
    _check(study, records)

    def grid_of(part: Study) -> RecordGrid:
        return RecordGrid.of(part, records, causes, influences.get(part.metric, {}))

    grid = grid_of(study)
    primary = _by_one_metric(grid)
    names = {name for record in records.values() for name in record.metrics}
    known = [each for each in study.secondary if each.name in names or not names]
    unknown = [each.name for each in study.secondary if each not in known]
    note = f"No record has the secondary metric {', '.join(unknown)}."
    others = [grid_of(_decided_by(study, each)) for each in known]
    return replace(
        primary,
        notes=(*primary.notes, *([note] if unknown else [])),
        secondary=tuple(map(_by_one_metric, others)),
        effects=_effects(grid, primary),
    )


def _effects(grid: RecordGrid, comparison: Comparison) -> Effects:
    if len(grid.study.factors) < 2:
        return Effects()
    odd = [result for result in comparison.compared if result.verdict == "not_comparable"]
    part = at_look(grid, 1) if grid.study.looks else grid
    return effects_of(part, {result.arm: result.reason for result in odd})


def _decided_by(study: Study, objective: Objective) -> Study:
    name, goal, margin = objective.name, objective.goal, objective.margin
    return replace(study, metric=name, goal=goal, margin=margin, secondary=(), notes=())


def _by_one_metric(grid: RecordGrid) -> Comparison:
    study = grid.study
    if study.looks:
        arms, looked = decided_by_looks(grid), [looks_note(study)]
    else:
        arms, looked = decided_arms(grid, grid.compared), []
    measured = [arm for arm in arms if arm.components is not None]
    unknown = {arm.arm: arm.without_recordings for arm in measured if arm.without_recordings}
    return Comparison(
        study=study.name,
        question=study.question,
        metric=study.metric,
        goal=study.goal,
        baseline=study.baseline,
        alpha=study.alpha,
        correction=study.correction,
        margin=study.margin,
        method=method_of(grid, unknown, len(measured)),
        scope=scope_of(grid, bool(measured) and not unknown),
        num_folds=len(study.folds),
        num_all_folds=num_all_folds(grid),
        ratio=grid.ratio,
        command=study.command,
        num_expected=len(study.cells),
        missing=tuple(cell for cell in study.cells if cell.id not in grid.records),
        arms=(baseline_result(grid), *arms),
        notes=(
            *study.notes,
            *looked,
            *caveats(study, list(grid.pairs.values())),
            *limits(grid, measured),
        ),
        looks=study.looks,
        max_pairs=study.max_pairs,
        over_budget=study.over_budget,
    )


def _check(study: Study, records: Mapping[str, Record]) -> None:
    rules = {
        "goal": (study.goal, ("maximize", "minimize")),
        "correction": (study.correction, ("holm",)),
        "match": (study.match, (*COMPUTE, "none")),
        "baseline": (study.baseline, tuple(study.arms)),
        **{f"reference of {a}": (b, tuple(study.arms)) for a, b in study.references.items()},
    }
    problems = [
        f"{key}: got {got!r}, allowed: {', '.join(allowed)}.{did_you_mean(got, allowed)}"
        for key, (got, allowed) in rules.items()
        if got not in allowed
    ]
    if problems:
        raise ConfigError(f"study {study.name}", problems)
    names = {name for record in records.values() for name in record.metrics}
    if records and study.metric not in names:
        raise NotComparable(
            f"study {study.name}: no record has the metric {study.metric!r}; they have "
            f"{', '.join(sorted(names))}.{did_you_mean(study.metric, names)} "
            "Correct `metric` in the ablation and launch it again: nothing is trained twice."
        )
