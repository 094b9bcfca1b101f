"""The answer as a table, as Markdown and as JSON."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from audiocls.report.headline import headline
from audiocls.report.notation import NONE, count, duration, estimate, p_value, percent, plural
from audiocls.report.results import ArmResult, Comparison
from audiocls.store.record import Cell

VERDICT_MEANINGS = {
    "better": "significant after correction, the interval excludes 0, and in the wanted direction",
    "worse": "the same, in the unwanted direction",
    "equivalent": "shown to differ from the baseline by less than the margin, either way",
    "no_evidence": "enough pairs, but neither an effect nor its absence could be shown",
    "too_few_pairs": "even perfectly consistent pairs could not have been significant",
    "not_comparable": "unequal compute, code, data or environment, or missing pairs",
}


@dataclass(frozen=True)
class Table:
    """Text in rows, ready for any renderer."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: tuple[str, ...] = ("arm", "verdict", "reason")
    """The columns that hold words, and align left."""


def verdict_table(comparison: Comparison) -> Table:
    """One row an arm, the baseline first."""
    is_share = comparison.scale == 100
    level = percent(1 - comparison.alpha)
    return Table(
        title=f"{comparison.study}: {comparison.question}",
        columns=(
            "arm",
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
        ),
        rows=tuple(_row(result, comparison.scale) for result in comparison.arms),
    )


def _row(result: ArmResult, scale: int) -> tuple[str, ...]:
    return (
        result.arm,
        str(result.num_pairs),
        estimate(result.mean, result.mean_ci_low, result.mean_ci_high, scale),
        estimate(result.delta, result.ci_low, result.ci_high, scale, is_signed=True),
        p_value(result.p_corrected_t),
        p_value(result.p_sign_flip),
        p_value(result.p_holm),
        result.verdict,
        count(result.num_params),
        count(result.macs),
        duration(result.seconds),
        result.reason or NONE,
    )


def method_text(comparison: Comparison) -> str:
    """How the numbers came about, in plain words."""
    num = len(comparison.compared)
    scale = comparison.scale
    return (
        f"Arms are compared with {comparison.baseline} in pairs of the same seed and fold. "
        f"Interval and first p: {comparison.method}. Second p: sign-flip permutation test, exact "
        "up to 16 pairs. The larger of the two is corrected for "
        f"{plural(num, 'comparison')} by Holm's method, α = {comparison.alpha:g}. "
        f"Equivalence: two one-sided tests against ±{comparison.margin * scale:g}"
        f"{' points' if scale == 100 else ''}, uncorrected."
    )


def name_of(cell: Cell) -> str:
    """`dropout=0.1, seed 0, fold 3 (a1b2c3d4e5f6)`."""
    return f"{cell.arm}, seed {cell.seed}, fold {cell.fold} ({cell.id})"


def to_markdown(comparison: Comparison) -> str:
    """Headline, table, method, missing cells and the command, for a pull request or a README."""
    table = verdict_table(comparison)
    done = comparison.num_expected - len(comparison.missing)
    parts = [
        f"## {_escaped(comparison.study)}",
        f"*{_escaped(comparison.question)}*",
        f"**{_escaped(headline(comparison))}**",
        *(f"Note: {_escaped(note)}" for note in comparison.notes),
        markdown_table(table),
        _escaped(method_text(comparison)),
        f"{done} of {comparison.num_expected} trials finished.",
    ]
    if comparison.missing:
        names = "\n".join(f"- {_escaped(name_of(cell))}" for cell in comparison.missing)
        parts.append(f"Missing:\n\n{names}")
    if comparison.command:
        parts.append(f"Reproduce:\n\n```\n{comparison.command}\n```")
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """The table alone, as Markdown."""
    return "\n".join(_markdown_rows(table))


def _markdown_rows(table: Table) -> Iterable[str]:
    yield _markdown_line(table.columns)
    yield f"|{'|'.join('---' if name in table.text else '--:' for name in table.columns)}|"
    yield from (_markdown_line(row) for row in table.rows)


def _markdown_line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Text as Markdown shows it literally: arm names are full of underscores and pipes."""
    for mark in "\\`*_|<":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Plain JSON in units of the metric; every number is finite or null."""
    mapping = asdict(comparison)
    arms = mapping.pop("arms")
    for arm in arms:
        arm["differences"] = [
            {"seed": seed, "fold": fold, "difference": difference}
            for seed, fold, difference in arm["differences"]
        ]
    return {**mapping, "headline": headline(comparison), "arms": arms}
