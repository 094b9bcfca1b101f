"""`compare`: a study and its records become one verdict an arm, computed and never chosen."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from audiocls import stats
from audiocls.analysis import pairing
from audiocls.analysis.caveats import caveats
from audiocls.analysis.comparability import incomparability
from audiocls.analysis.compute import COMPUTE
from audiocls.analysis.effects import Effects, effects_of
from audiocls.analysis.interim import by_looks, first_look, looks_note
from audiocls.analysis.measured import step_of, with_statistics
from audiocls.analysis.pairing import Causes, Grid, Pairs
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.analysis.verdicts import assign_verdicts
from audiocls.errors import ConfigError, NotComparable, did_you_mean
from audiocls.store.record import Objective, Record, Study


def compare(
    study: Study, records: Mapping[str, Record], causes: Causes = MappingProxyType({})
) -> Comparison:
    """Every arm against the one it is to be compared with, paired by seed and fold.

    `records`, and `causes` (why a trial has none), by trial id. A study without a finished trial
    is an answer too: all its cells are `missing`. Raises `NotComparable` where no record has the
    study's metric, `ConfigError` for an unknown rule.
    """
    _check(study, records)
    primary = _by_one_metric(study, records, causes)
    names = {name for record in records.values() for name in record.metrics}
    known = [each for each in study.secondary if each.name in names or not names]
    absent = [each.name for each in study.secondary if each not in known]
    unknown = f"No record has the secondary metric {', '.join(absent)}."
    return replace(
        primary,
        notes=(*primary.notes, *([unknown] if absent else [])),
        secondary=tuple(
            _by_one_metric(_decided_by(study, each), records, causes) for each in known
        ),
        effects=_effects(study, records, primary),
    )


def _effects(study: Study, records: Mapping[str, Record], comparison: Comparison) -> Effects:
    if study.looks:
        study = first_look(study)
    found = pairing.usable(study, records)
    ratio, _ = variance(study, found)
    odd = [result for result in comparison.compared if result.verdict == "not_comparable"]
    return effects_of(study, found, ratio, {result.arm: result.reason for result in odd})


def _decided_by(study: Study, objective: Objective) -> Study:
    name, goal, margin = objective.name, objective.goal, objective.margin
    return replace(study, metric=name, goal=goal, margin=margin, secondary=(), notes=())


def _by_one_metric(study: Study, records: Mapping[str, Record], causes: Causes) -> Comparison:
    found = pairing.usable(study, records)
    causes = {**causes, **dict.fromkeys(records.keys() - found.keys(), f"no {study.metric}")}
    ratio, method = variance(study, found)
    grid = pairing.grid_of(study)
    baseline = _describe(study, study.baseline, _own(grid, study.baseline, found), ratio)
    others = [arm for arm in study.arms if arm != study.baseline]
    pairs = [pairing.pairs_of(study, grid, arm, found, causes) for arm in others]
    looked = [looks_note(study)] if study.looks else []
    if study.looks:
        arms = by_looks(study, lambda part, due, num: _judged(part, due, found, causes, num))
    else:
        arms = _judged(study, others, found, causes)
    return Comparison(
        study=study.name,
        question=study.question,
        metric=study.metric,
        goal=study.goal,
        baseline=study.baseline,
        alpha=study.alpha,
        correction=study.correction,
        margin=study.margin,
        method=method,
        ratio=ratio,
        command=study.command,
        num_expected=len(study.cells),
        missing=tuple(cell for cell in study.cells if cell.id not in found),
        arms=(baseline, *arms),
        notes=(*study.notes, *looked, *caveats(study, pairs)),
        looks=study.looks,
        max_pairs=study.max_pairs,
    )


def _judged(
    study: Study,
    arms: Collection[str],
    found: Mapping[str, Record],
    causes: Causes,
    num_settled: int = 0,
) -> list[ArmResult]:
    """The arms' results over the study's cells; `num_settled` others count in the family."""
    known = {cell.id: found[cell.id] for cell in study.cells if cell.id in found}
    ratio, _ = variance(study, known)
    grid = pairing.grid_of(study)
    pairs = [pairing.pairs_of(study, grid, arm, known, causes) for arm in arms]
    tested = [_test(study, each, _own(grid, each.arm, known), ratio) for each in pairs]
    return assign_verdicts(study, tested, ratio, num_settled)


def _check(study: Study, records: Mapping[str, Record]) -> None:
    rules = {
        "goal": (study.goal, ("maximize", "minimize")),
        "correction": (study.correction, ("holm",)),
        "match": (study.match, tuple(COMPUTE)),
        "baseline": (study.baseline, tuple(study.arms)),
        **{f"reference of {a}": (b, tuple(study.arms)) for a, b in study.references.items()},
    }
    faults = [
        f"{key}: got {got!r}, allowed: {', '.join(allowed)}.{did_you_mean(got, allowed)}"
        for key, (got, allowed) in rules.items()
        if got not in allowed
    ]
    if faults:
        raise ConfigError(f"study {study.name}", faults)
    names = {name for record in records.values() for name in record.metrics}
    if records and study.metric not in names:
        raise NotComparable(
            f"study {study.name}: no record has the metric {study.metric!r}; they have "
            f"{', '.join(sorted(names))}.{did_you_mean(study.metric, names)} "
            "Correct `metric` in the ablation and launch it again: nothing is trained twice."
        )


def variance(study: Study, records: Mapping[str, Record]) -> tuple[float, str]:
    """The test/train ratio of the corrected variance, and what was done, in words."""
    num_seeds = len(study.seeds)
    num_folds = len(study.folds)
    if num_folds < 2:
        return 0.0, "plain paired t test over seeds (one fold: of this split of the data alone)"
    ratio, told = _test_train_ratio(records.values(), num_folds)
    over = "all seed × fold pairs" if num_seeds > 1 else "the folds of one seed"
    source = "Bouckaert and Frank 2004" if num_seeds > 1 else "Nadeau and Bengio 2003"
    return ratio, f"corrected t test over {over}, {told} ({source})"


def _test_train_ratio(records: Collection[Record], num_folds: int) -> tuple[float, str]:
    """As recorded, or else as if each fold was tested on once and the others trained on."""
    ratios = [r.num_test / r.num_train for r in records if r.num_test and r.num_train]
    if ratios or not records:
        ratio = math.fsum(ratios) / len(ratios) if ratios else 0.0
        return ratio, f"test/train ratio {ratio:.3g}"
    ratio = 1 / (num_folds - 1)
    return ratio, f"test/train ratio not recorded, taken as {ratio:.3g} for {num_folds} folds"


def _own(grid: Grid, arm: str, records: Mapping[str, Record]) -> list[Record]:
    return [records[cell.id] for cell in grid[arm].values() if cell.id in records]


def _describe(study: Study, arm: str, own: Sequence[Record], ratio: float) -> ArmResult:
    """What the arm reached and cost in these trials, before any comparison."""
    values = [record.metrics[study.metric] for record in own]
    seconds = [record.cost.wall_s for record in own if record.cost.wall_s is not None]
    test = stats.corrected_t(values, ratio, study.alpha) if values else None
    has_spread = test is not None and test.df > 0
    return ArmResult(
        arm=arm,
        changes=dict(study.arms[arm]),
        num_pairs=len(own),
        mean=test.mean if test else None,
        mean_ci_low=test.ci_low if test and has_spread else None,
        mean_ci_high=test.ci_high if test and has_spread else None,
        num_params=own[0].cost.num_params if own else None,
        macs=own[0].cost.macs if own else None,
        seconds=math.fsum(seconds) / len(seconds) if seconds else None,
    )


def _test(study: Study, pairs: Pairs, own: Sequence[Record], ratio: float) -> ArmResult:
    """The arm with its pairs and p values, or with the reason why it may have none.

    Compared, its mean is over the pairs: a trial without one tells nothing of a difference.
    """
    reason = incomparability(study, pairs)
    heard = own if reason else [pair.arm for pair in pairs.found]
    described = _describe(study, pairs.arm, heard, ratio)
    result = replace(
        described,
        num_pairs=len(pairs.found),
        against=pairs.reference,
        step=step_of(study.metric, heard),
    )
    if reason:
        return replace(result, verdict="not_comparable", reason=reason)
    differences = tuple((p.seed, p.fold, p.difference(study.metric)) for p in pairs.found)
    return with_statistics(result, differences, ratio, study.alpha, len(study.arms) - 1)
