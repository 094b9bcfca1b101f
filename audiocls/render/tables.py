"""The answer as tables and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from audiocls.analysis.pareto import fronts
from audiocls.analysis.results import ArmResult, Comparison, Effect
from audiocls.formatting import (
    NONE,
    format_count,
    format_duration,
    format_estimate,
    format_p,
    plural,
)
from audiocls.render.headline import headline
from audiocls.store.record import Cell

VERDICT_MEANINGS = {
    "better": "significant after correction, the interval excludes 0, and in the wanted direction",
    "worse": "the same, in the unwanted direction",
    "equivalent": "shown to differ from what it is compared with by less than the margin",
    "no_evidence": "enough pairs, but neither an effect nor its absence could be shown",
    "too_few_pairs": "even perfectly consistent pairs could not have been significant",
    "not_comparable": "unequal compute, other code, data, environment or protocol, missing pairs, "
    "or a change that had no effect",
}


SAID_BEFORE = ("params", "MACs", "time")
"""Columns that are the same for every metric."""


@dataclass(frozen=True)
class Table:
    """Text in rows, ready for any renderer."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: tuple[str, ...] = ("arm", "against", "verdict", "reason")
    """The columns that hold words, and align left."""


def verdict_table(comparison: Comparison) -> Table:
    """One row an arm, the baseline first; `against` only where that is not always the baseline."""
    columns = _columns(comparison)
    rows = [_row(result, comparison.scale) for result in comparison.arms]
    if not comparison.has_references:
        place = columns.index("against")
        columns, rows = _without(columns, place), [_without(row, place) for row in rows]
    return Table(f"{comparison.study}: {comparison.question}", columns, tuple(rows))


def _columns(comparison: Comparison) -> tuple[str, ...]:
    is_share = comparison.scale == 100
    level = comparison.interval_level
    return (
        "arm",
        "against",
        "pairs",
        f"{comparison.metric}{' %' if is_share else ''} [{level}]",
        f"Δ{' points' if is_share else ''} [{level}]",
        "p (t)",
        "p (flip)",
        "p (Holm)",
        "verdict",
        "params",
        "MACs",
        "time",
        "reason",
    )


def _row(result: ArmResult, scale: int) -> tuple[str, ...]:
    return (
        result.arm,
        result.against or NONE,
        str(result.num_pairs),
        format_estimate(result.mean, result.mean_ci_low, result.mean_ci_high, scale),
        format_estimate(result.delta, result.ci_low, result.ci_high, scale, is_signed=True),
        format_p(result.p_corrected_t),
        format_p(result.p_sign_flip),
        format_p(result.p_holm),
        result.verdict,
        format_count(result.num_params),
        format_count(result.macs),
        format_duration(result.seconds),
        result.reason or NONE,
    )


def _without(row: tuple[str, ...], place: int) -> tuple[str, ...]:
    return (*row[:place], *row[place + 1 :])


def secondary_table(comparison: Comparison) -> Table:
    """The verdict table of a metric that decides nothing, without what the first table says."""
    whole = verdict_table(comparison)
    kept = [place for place, name in enumerate(whole.columns) if name not in SAID_BEFORE]
    title = f"{comparison.metric}, {comparison.goal}: beside the metric that decides"
    columns, *rows = (tuple(row[place] for place in kept) for row in (whole.columns, *whole.rows))
    return Table(title, columns, tuple(rows))


def method_text(comparison: Comparison) -> str:
    """How the numbers came about, in plain words."""
    num = len(comparison.compared)
    scale = comparison.scale
    other = "the arm named under against" if comparison.has_references else comparison.baseline
    return (
        f"Arms are compared with {other} in pairs of the same seed and fold. "
        f"Interval and first p: {comparison.method}. Second p: sign-flip permutation test, exact "
        "up to 16 pairs. The larger of the two is corrected for "
        f"{plural(num, 'comparison')} by Holm's method, α = {comparison.alpha:g}. "
        f"Equivalence: two one-sided tests against ±{comparison.margin * scale:g}"
        f"{' points' if scale == 100 else ''}, uncorrected."
        f"{_looking(comparison)}"
    )


def _looking(comparison: Comparison) -> str:
    """What a study that grew until it was decided did besides."""
    if not comparison.looks:
        return ""
    return (
        f" The study grew until it was decided. Each look has an α of its own, which takes the "
        f"place of {comparison.alpha:g} in all of the above; all of them together are at most "
        f"{comparison.alpha:g}: half of it for the first look with enough pairs to claim anything, "
        "and of the other half, after n times as many pairs, all but one nth (alpha spending, "
        "Lan and DeMets 1983, with the union bound). What was decided stays as it was decided."
    )


def name_of(cell: Cell) -> str:
    """`dropout=0.1, seed 0, fold 3 (a1b2c3d4e5f6)`."""
    return f"{cell.arm}, seed {cell.seed}, fold {cell.fold} ({cell.id})"


def markdown_table(table: Table) -> str:
    """The table alone, as Markdown."""
    return "\n".join(_markdown_rows(table))


def _markdown_rows(table: Table) -> Iterable[str]:
    yield _markdown_line(table.columns)
    yield f"|{'|'.join('---' if name in table.text else '--:' for name in table.columns)}|"
    yield from (_markdown_line(row) for row in table.rows)


def _markdown_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def escaped(text: str) -> str:
    """Text as Markdown shows it literally: arm names are full of underscores and pipes."""
    for mark in "\\`*_|<":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


# fmt: off
ARM_KEYS = (
    "arm", "changes", "num_pairs", "mean", "mean_ci_low", "mean_ci_high", "delta", "ci_low",
    "ci_high", "p_corrected_t", "p_sign_flip", "p_holm", "verdict", "reason", "num_params", "macs",
    "seconds", "step", "against", "differences", "look", "alpha",
)
"""Of an arm in JSON, in order."""
EFFECT_KEYS = (
    "name", "against", "kind", "num_blocks", "delta", "ci_low", "ci_high", "p_corrected_t",
    "p_sign_flip", "p_holm", "verdict", "reason", "aliases", "parts",
)
"""Of an effect in JSON, in order."""
# fmt: on


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return plain JSON in units of the metric; every number is finite or null."""
    arms, effects = comparison.arms, comparison.effects
    rest = replace(comparison, arms=(), secondary=(), effects=replace(effects, estimates=()))
    plain = asdict(rest)
    estimates = [_effect_to_json(effect) for effect in effects.estimates]
    return {
        **plain,
        "arms": [arm_to_json(result) for result in arms],
        "secondary": [to_json(each) for each in comparison.secondary],
        "effects": {**plain["effects"], "estimates": estimates},
        "headline": headline(comparison),
        "fronts": [asdict(front) for front in fronts(comparison)],
    }


def arm_to_json(result: ArmResult) -> dict[str, Any]:
    """Return the fields of one arm, each difference with its block."""
    differences = [
        {"seed": seed, "fold": fold, "difference": difference}
        for seed, fold, difference in result.differences
    ]
    values = {**asdict(replace(result, differences=())), "differences": differences}
    return {name: values[name] for name in ARM_KEYS}


def _effect_to_json(effect: Effect) -> dict[str, Any]:
    values = asdict(replace(effect, differences=()))
    values["num_blocks"] = effect.num_pairs
    return {name: values[name] for name in EFFECT_KEYS}
