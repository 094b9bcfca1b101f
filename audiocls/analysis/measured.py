"""One result's numbers from its differences, before any correction or word."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypedDict

from audiocls import stats
from audiocls.analysis.results import ArmResult, Difference
from audiocls.store.record import Record

COUNTED = ("test/accuracy", "test/balanced_accuracy", "test/macro_f1")
"""Metrics that move in steps of about one test clip."""


def step_of(metric: str, records: Iterable[Record]) -> float:
    """The smallest change that `metric` can show on the records' test clips; 0 where unknown."""
    counts = [record.num_test for record in records if record.num_test]
    return 1 / min(counts) if counts and metric in COUNTED else 0.0


def with_statistics(
    result: ArmResult,
    differences: tuple[Difference, ...],
    ratio: float,
    alpha: float,
    num_comparisons: int = 1,
) -> ArmResult:
    """`result` with mean, interval at level 1 − `alpha` and both p values of its differences.

    `ratio` is n_test/n_train where folds share clips, else 0. The p are fine enough for a family
    of `num_comparisons`.
    """
    values = [difference for *_, difference in differences]
    result = replace(result, num_pairs=len(values), verdict="no_evidence", differences=differences)
    num_resamples = stats.resamples_for(alpha / num_comparisons)
    return replace(result, **numbers_of(values, ratio, alpha, num_resamples))


class Numbers(TypedDict, total=False):
    """Fields that every result of a test has; `None` or left out where there is nothing to say."""

    delta: float | None
    ci_low: float
    ci_high: float
    p_corrected_t: float
    p_sign_flip: float


def numbers_of(values: Sequence[float], ratio: float, alpha: float, num_resamples: int) -> Numbers:
    """By the names that results give them: mean, interval, and both p values.

    One value has no spread, and so neither interval nor p.
    """
    if len(values) < 2:
        return {"delta": values[0] if values else None}
    test = stats.corrected_t(values, ratio, alpha)
    return {
        "delta": test.mean,
        "ci_low": test.ci_low,
        "ci_high": test.ci_high,
        "p_corrected_t": test.p,
        "p_sign_flip": stats.sign_flip_p(values, num_resamples=num_resamples),
    }
