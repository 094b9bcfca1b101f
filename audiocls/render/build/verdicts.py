"""The table of verdicts: a row for each arm, and what a reader needs beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from audiocls import stats
from audiocls.analysis.family import Estimate as Contrast
from audiocls.analysis.results import ArmResult, Comparison, Failed
from audiocls.formatting import NONE, format_count, format_duration, format_percent, plural
from audiocls.render.build.headline import worst_pair
from audiocls.render.build.method import method_text, scope_sentence
from audiocls.render.document import Block, Items, Section
from audiocls.render.table import LAST, Column, Depth, Estimate, Interval, PValue, Table
from audiocls.render.table import Cell as TableCell
from audiocls.store.record import Cell

COSTS = ("params", "MACs", "time")
"""Columns that are the same for every metric."""
REASON = Column("reason", "remark", drop=1)


def verdict_table(comparison: Comparison) -> Table:
    """Return one row for each arm, the baseline first; `against` only where references differ."""
    reasons = {arm.arm: remark(comparison, arm) for arm in comparison.arms}
    table = _table(comparison, reasons, has_claims=True)
    return replace(
        table,
        rows=(*table.rows, *_untrained(comparison, table)),
        caption=_caption(comparison),
        notes=_notes(comparison),
        claim=claim_of(comparison, len(comparison.compared), "comparison"),
    )


def _untrained(comparison: Comparison, table: Table) -> Iterator[tuple[TableCell, ...]]:
    """Yield a row for each arm that is beyond its budget, which is all that it reached."""
    for arm, text in comparison.over_budget.items():
        cells = {"arm": arm, "verdict": "over budget", "reason": text}
        yield tuple(cells.get(column.name, NONE) for column in table.columns)


def secondary_table(comparison: Comparison) -> Table:
    """Return the table of a metric that decides nothing: numbers, without verdicts and costs."""
    reasons = {arm.arm: arm.reason if arm.p_holm is None else "" for arm in comparison.arms}
    table = _table(comparison, reasons, has_claims=False)
    title = f"{secondary_title(comparison)}."
    caption = (comparison.question, title, _intervals(comparison))
    return replace(table.without("verdict", *COSTS), caption=caption)


def secondary_title(comparison: Comparison) -> str:
    """Return `test/loss, minimize: beside the metric that decides`."""
    return f"{comparison.metric}, {comparison.goal}: beside the metric that decides"


def _table(comparison: Comparison, reasons: Mapping[str, str], has_claims: bool) -> Table:
    table = Table(
        columns=_columns(comparison),
        rows=tuple(
            _row(result, comparison.scale, reasons[result.arm], has_claims and result.is_claim)
            for result in comparison.arms
        ),
        label=f"{comparison.study}-{comparison.metric}",
    )
    against = () if comparison.has_references else ("against",)
    return table.without(*against, *needless(comparison, comparison.compared))


def claim_of(comparison: Comparison, num: int, what: str) -> str:
    """Return `Holm's correction for 3 comparisons`."""
    return f"{comparison.correction.capitalize()}'s correction for {plural(num, what)}"


def _columns(comparison: Comparison) -> tuple[Column, ...]:
    unit = "%" if comparison.scale == 100 else ""
    return (
        Column("arm", "name"),
        Column("against", "name"),
        Column("pairs", drop=7),
        Column(comparison.metric, unit=unit, level=comparison.interval_level, drop=LAST + 1),
        *evidence_columns(comparison),
        Column("verdict", "verdict"),
        Column("params", is_detail=True, is_drawn=True, drop=3),
        Column("MACs", is_detail=True, is_drawn=True, drop=2),
        Column("time", is_detail=True, is_drawn=True, drop=4),
        REASON,
    )


def _row(result: ArmResult, scale: int, reason: str, is_claim: bool) -> tuple[TableCell, ...]:
    return (
        result.arm,
        result.against,
        str(result.num_pairs),
        Estimate(result.mean, result.mean_ci_low, result.mean_ci_high, scale),
        *evidence_cells(result, scale, is_claim),
        result.verdict,
        format_count(result.num_params),
        format_count(result.macs),
        format_duration(result.seconds),
        reason,
    )


def remark(comparison: Comparison, result: ArmResult) -> str:
    """Return an arm's reason, with what a reader must know beside its verdict."""
    beside = "by less than the margin" if comparison.is_within_margin(result) else ""
    if result.verdict == "equivalent":
        share = format_percent(float(f"{stats.rarest_excluded(result.num_pairs):.2g}"))
        trainings = plural(result.num_pairs, "training")
        collapses = f"{trainings} cannot exclude that up to {share} of them collapse"
        beside = f"worst pair {worst_pair(comparison, [result])}; {collapses}"
    return "; ".join(filter(None, [result.reason, beside]))


def _caption(comparison: Comparison) -> tuple[str, ...]:
    method = method_text(comparison, has_simultaneous=False)
    return (comparison.question, _intervals(comparison), method)


def _intervals(comparison: Comparison) -> str:
    level = comparison.interval_level
    return (
        f"Means of {comparison.metric} and differences with their {level} intervals: ± half of it, "
        "or both ends where they lie unevenly."
    )


def _notes(comparison: Comparison) -> tuple[str, ...]:
    done = [finished(comparison)] if comparison.missing else []
    return (scope_sentence(comparison), *done, *comparison.notes)


def finished(comparison: Comparison) -> str:
    """Return `103 of 105 trials finished.`."""
    done = comparison.num_expected - len(comparison.missing)
    return f"{done} of {comparison.num_expected} trials finished."


def missing(comparison: Comparison, failures: Sequence[Failed]) -> Iterator[Block]:
    """Yield every trial without a record, by name; with its cause if it failed."""
    causes = {cell.id: f": {cause.replace('_', ' ')}, {why}" for cell, cause, why in failures}
    lines = tuple(f"{name_of(cell)}{causes.get(cell.id, '')}" for cell in comparison.missing)
    if lines:
        yield Section("Missing and failed", (Items(lines),), depth=Depth.TEXT)


def name_of(cell: Cell) -> str:
    """Return `dropout=0.1, seed 0, fold 3 (a1b2c3d4e5f6)`."""
    return f"{cell.arm}, seed {cell.seed}, fold {cell.fold} ({cell.id})"


SIMULTANEOUS, OF_UNITS = "simultaneous", "p (trainings and recordings)"


def evidence_columns(comparison: Comparison, name: str = "Δ") -> tuple[Column, ...]:
    """Return the columns of what was found, by a comparison's level and largest units."""
    unit = "points" if comparison.scale == 100 else ""
    level = format_percent(1 - comparison.alpha)
    return (
        Column(name, unit=unit, level=level),
        Column(SIMULTANEOUS, unit=unit, level=level, is_detail=True, drop=5),
        Column(OF_UNITS, is_detail=True, depth=Depth.PAGE),
        Column(_of_replicates(comparison), is_detail=True, depth=Depth.PAGE),
        Column("p", is_detail=True, drop=6),
        Column("p (Holm)", drop=LAST),
    )


def _of_replicates(comparison: Comparison) -> str:
    return "p (folds)" if comparison.num_folds > 1 else "p (seeds)"


def evidence_cells(contrast: Contrast, scale: int, is_claim: bool) -> tuple[TableCell, ...]:
    """Return the cells of these columns."""
    return (
        difference(contrast, scale, is_claim),
        Interval(contrast.simultaneous_low, contrast.simultaneous_high, scale),
        PValue(contrast.p_units),
        PValue(contrast.p_replicates),
        PValue(contrast.p),
        PValue(contrast.p_holm),
    )


def difference(contrast: Contrast, scale: int, is_claim: bool) -> Estimate:
    """Return a contrast's mean difference as a cell."""
    return Estimate(contrast.delta, contrast.ci_low, contrast.ci_high, scale, True, is_claim)


def needless(comparison: Comparison, family: Sequence[Contrast]) -> list[str]:
    """Return the names of columns that would say nothing of this family.

    One contrast alone has its own interval for the family's, and where recordings are unknown,
    p has one part.
    """
    names = [SIMULTANEOUS] if len(family) < 2 else []
    if all(each.p_units is None for each in family):
        names += [OF_UNITS, _of_replicates(comparison)]
    return names
