"""Each arm against its reference: the contrast with weights 1 and −1."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from audiocls import stats
from audiocls.analysis.comparability import incomparability
from audiocls.analysis.family import Rule
from audiocls.analysis.pairing import RecordGrid
from audiocls.analysis.results import ArmResult
from audiocls.store.record import Record

COUNTED = ("test/accuracy", "test/balanced_accuracy", "test/macro_f1")
"""Metrics that move in steps of about one test clip."""


def decided_arms(
    grid: RecordGrid, arms: Sequence[str], alpha: float, num_settled: int = 0
) -> list[ArmResult]:
    """Return a result with its verdict for each of these arms, which are one family at `alpha`.

    `num_settled` other arms count in the family, each with a p of 1.
    """
    rule = Rule.of(grid.study, grid.ratio, len(grid.study.arms) - 1, alpha)
    return rule.decided([measured_arm(grid, arm, rule) for arm in arms], num_settled)


def measured_arm(grid: RecordGrid, arm: str, rule: Rule) -> ArmResult:
    """Return the arm with its differences and p values, or with the reason why it may have none.

    Compared, its mean is over the pairs: a trial without one says nothing of a difference.
    """
    pairs = grid.pairs[arm]
    reason = incomparability(grid.study, pairs)
    records = grid.records_of(arm) if reason else [pair.arm for pair in pairs.complete]
    result = replace(
        described_arm(grid, arm, records, rule),
        num_pairs=len(pairs.complete),
        against=pairs.reference,
        step=step_of(grid.study.metric, records),
    )
    if reason:
        return replace(result, verdict="not_comparable", reason=reason)
    return rule.measured(result, grid.differences({arm: 1.0, pairs.reference: -1.0}))


def baseline_result(grid: RecordGrid, alpha: float) -> ArmResult:
    """Return what the baseline reached and cost, over its own finished trials."""
    name = grid.study.baseline
    rule = Rule.of(grid.study, grid.ratio, 1, alpha)
    return described_arm(grid, name, grid.records_of(name), rule)


def described_arm(grid: RecordGrid, arm: str, records: Sequence[Record], rule: Rule) -> ArmResult:
    """Return what the arm reached and cost in these trials, before any comparison."""
    values = [record.metrics[grid.study.metric] for record in records]
    seconds = [record.cost.wall_s for record in records if record.cost.wall_s is not None]
    test = stats.corrected_t(values, rule.ratio, rule.alpha) if values else None
    has_spread = test is not None and test.df > 0
    return ArmResult(
        kind="comparison",
        arm=arm,
        changes=dict(grid.study.arms[arm]),
        verdict="baseline",
        num_pairs=len(records),
        mean=test.mean if test else None,
        mean_ci_low=test.ci_low if test and has_spread else None,
        mean_ci_high=test.ci_high if test and has_spread else None,
        num_params=records[0].cost.num_params if records else None,
        macs=records[0].cost.macs if records else None,
        seconds=math.fsum(seconds) / len(seconds) if seconds else None,
    )


def step_of(metric: str, records: Iterable[Record]) -> float:
    """Return the smallest change that `metric` can show on these test clips; 0 if unknown."""
    counts = [record.num_test for record in records if record.num_test]
    return 1 / min(counts) if counts and metric in COUNTED else 0.0
