"""Each arm against its reference: the contrast with weights 1 and −1."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from audiocls import stats
from audiocls.analysis.comparability import incomparability
from audiocls.analysis.pairing import RecordGrid
from audiocls.analysis.results import ArmResult
from audiocls.analysis.rule import Rule
from audiocls.store.record import Record

COUNTED = ("test/accuracy", "test/balanced_accuracy", "test/macro_f1")
"""Metrics that move in steps of about one test clip."""


def decided_arms(grid: RecordGrid, arms: Sequence[str], num_settled: int = 0) -> list[ArmResult]:
    """Return a result with its verdict for each of these arms, which are one family.

    `num_settled` other arms count in the family, each with a p of 1.
    """
    rule = Rule.of(grid)
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


def baseline_result(grid: RecordGrid) -> ArmResult:
    """Return what the baseline reached and cost, over its own finished trials."""
    name = grid.study.baseline
    rule = Rule.of(grid)
    return described_arm(grid, name, grid.records_of(name), rule)


def described_arm(grid: RecordGrid, arm: str, records: Sequence[Record], rule: Rule) -> ArmResult:
    """Return what the arm reached and cost in these trials, before any comparison."""
    seconds = [record.cost.wall_s for record in records if record.cost.wall_s is not None]
    mean, low, high = _mean_and_interval(grid, arm, records, rule)
    return ArmResult(
        kind="comparison",
        arm=arm,
        changes=dict(grid.study.arms[arm]),
        verdict="baseline",
        num_pairs=len(records),
        mean=mean,
        mean_ci_low=low,
        mean_ci_high=high,
        num_params=records[0].cost.num_params if records else None,
        macs=records[0].cost.macs if records else None,
        seconds=math.fsum(seconds) / len(seconds) if seconds else None,
    )


def _mean_and_interval(
    grid: RecordGrid, arm: str, records: Sequence[Record], rule: Rule
) -> tuple[float | None, float | None, float | None]:
    """Return the arm's mean over these trials, and its interval where its error is known."""
    blocks = {(record.seed, record.fold) for record in records}
    is_kept = np.array([block in blocks for block in grid.blocks])
    step = step_of(grid.study.metric, records)
    components = grid.differences({arm: 1.0}, is_kept).components(step)
    if components is None:
        return None, None, None
    mean, half = float(components.mean), rule.half_width(components, rule.alpha)
    if not math.isfinite(half):
        return mean, None, None
    if not rule.score_range:
        return mean, mean - half, mean + half
    return mean, *stats.share_interval(mean, half, components.num_recordings)


def step_of(metric: str, records: Iterable[Record]) -> float:
    """Return the smallest change that `metric` can show on these test clips; 0 if unknown."""
    counts = [record.num_test for record in records if record.num_test]
    return 1 / min(counts) if counts and metric in COUNTED else 0.0
