"""The columns that every family of contrasts has: differences, their intervals, and p values."""

from collections.abc import Sequence

from audiocls.analysis.family import Estimate as Contrast
from audiocls.analysis.results import Comparison
from audiocls.formatting import format_percent
from audiocls.render.table import LAST, Cell, Column, Depth, Estimate, Interval, PValue

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


def evidence_cells(contrast: Contrast, scale: int, is_claim: bool) -> tuple[Cell, ...]:
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
