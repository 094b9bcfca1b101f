"""What every table has: its frame, its marks and its numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audiocls.formatting import NONE, format_fixed, format_p, format_signed, num_decimals
from audiocls.render.latex.escape import escaped

DAGGER = r"\rlap{$^{\dagger}$}"
"""Takes no room, so that numbers stay below one another."""


@dataclass(frozen=True)
class Sheet:
    """A table's parts, all of them LaTeX already."""

    label: str
    caption: Sequence[str]
    columns: Sequence[tuple[str, str]]
    """`l` or `r`, and the title."""
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Below the table."""


def written(sheet: Sheet) -> str:
    """The table, with its caption above and its notes below."""
    label = "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in sheet.label)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_lines(sheet.caption)}}}",
        rf"\label{{tab:{label}}}",
        r"\par\medskip\small",
        rf"\begin{{tabular}}{{@{{}}{''.join(kind for kind, _ in sheet.columns)}@{{}}}}",
        r"\toprule",
        _row(title for _, title in sheet.columns),
        r"\midrule",
        *map(_row, sheet.rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {note}\par}}" for note in sheet.notes),
        r"\end{table}",
    ]
    return _lines(lines) + "\n"


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _row(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def with_half_width(
    value: float | None,
    low: float | None,
    high: float | None,
    scale: int,
    is_signed: bool = False,
) -> str:
    """`$+2.1 \\pm 1.3$`: an interval of the t test lies evenly about its mean."""
    if value is None:
        return escaped(NONE)
    write = format_signed if is_signed else format_fixed
    half = None if low is None or high is None else scale * (high - low) / 2
    decimals = num_decimals(scale * value if half is None else half)
    number = write(scale * value, decimals).replace("−", "-")
    return f"${number}$" if half is None else rf"${number} \pm {format_fixed(half, decimals)}$"


def p_cell(p: float | None) -> str:
    """`$0.0241$`, or a dash."""
    return escaped(NONE) if p is None else f"${format_p(p)}$"


def numbered(reasons: Iterable[str]) -> dict[str, str]:
    """Each reason once, with the mark that stands for it."""
    once = dict.fromkeys(filter(None, reasons))
    return {reason: f"$^{{{number}}}$" for number, reason in enumerate(once, start=1)}


def explained(marks: dict[str, str]) -> list[str]:
    """The notes that tell what `numbered` marks stand for."""
    return [f"{mark}{escaped(reason)}." for reason, mark in marks.items()]


def dagger_told(family: str) -> str:
    """The caption's sentence on the dagger; `family` is what was corrected for."""
    return rf"$^{{\dagger}}$Significant after {escaped(family)}."
