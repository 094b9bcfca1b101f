r"""A document's tables as LaTeX for `\input` in a paper, which need the package booktabs alone.

Tables only: a paper has its own text, and each table's caption holds what is needed to read it.
Plain ASCII wherever the text allows it, so that pdfLaTeX sets it whatever the font's encoding.
"""

from collections.abc import Iterable, Iterator

from audiocls.formatting import NONE, format_fixed, format_p, format_signed, num_decimals
from audiocls.render.document import Document, Facts, Title, of_kind
from audiocls.render.formats import visible
from audiocls.render.formats.latex_escape import escaped
from audiocls.render.table import (
    Cell,
    Column,
    Depth,
    Estimate,
    Interval,
    PValue,
    Table,
    interval_text,
    words,
)

DAGGER = r"\rlap{$^{\dagger}$}"
"""Takes no room, so that numbers stay below one another."""
MAX_RANKED = 20
"""Rows of a ranked table."""


def to_latex(document: Document) -> str:
    """Return a `table` for each table of the document, or for its facts where it has none."""
    blocks = visible(document, Depth.SCREEN)
    tables = list(of_kind(visible(document, Depth.TEXT), Table))
    tables = tables or [_as_table(facts, document) for facts in of_kind(blocks, Facts)]
    return "\n".join([r"% Needs \usepackage{booktabs}.", *map(_written, tables)])


def _as_table(facts: Facts, document: Document) -> Table:
    columns = (Column("", "name"), Column("", "prose"))
    title = next(of_kind(document.blocks, Title), Title(document.name))
    caption = tuple(filter(None, (f"{title.name}.", title.question)))
    return Table(columns, facts.items, label=document.name, caption=caption)


def _written(table: Table) -> str:
    """Return the table, with its caption above and its notes below."""
    shown = [i for i, column in enumerate(table.columns) if _is_shown(column)]
    columns = [table.columns[i] for i in shown]
    rows = table.rows[:MAX_RANKED] if table.all_rows else table.rows
    remarks = [_remark(row, table) for row in rows]
    marks = _numbered(remarks)
    body = [
        _row([row[i] for i in shown], columns, marks.get(remark, ""), bool(table.claim))
        for row, remark in zip(rows, remarks, strict=True)
    ]
    notes = [*(f"{mark}{escaped(text)}." for text, mark in marks.items()), *_notes(table)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_lines(_caption(table))}}}",
        rf"\label{{tab:{_label(table.label)}}}",
        r"\par\medskip\small",
        rf"\begin{{tabular}}{{@{{}}{''.join(map(_alignment, columns))}@{{}}}}",
        r"\toprule",
        *([_joined(map(_title, columns)), r"\midrule"] if any(c.name for c in columns) else []),
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\smallskip{{\footnotesize {note}\par}}" for note in notes),
        r"\end{table}",
    ]
    return _lines(lines) + "\n"


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _joined(cells: Iterable[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _label(text: str) -> str:
    return "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in text)


def _is_shown(column: Column) -> bool:
    return column.kind != "remark" and not column.is_detail


def _alignment(column: Column) -> str:
    if column.kind == "prose":
        return r"p{0.72\linewidth}"
    return "l" if column.is_text else "r"


def _title(column: Column) -> str:
    r"""Return `$\Delta$ (points)`; the caption gives the level of intervals."""
    name = column.name.capitalize() if column.name.isalpha() else column.name
    unit = f" ({escaped(column.unit)})" if column.unit else ""
    text = f"$p$ {escaped(name[2:])}" if name.startswith("p (") else escaped(name)
    return text + unit


def _caption(table: Table) -> Iterator[str]:
    yield from map(escaped, table.caption)
    cells = (cell for row in table.rows for cell in row)
    if table.claim and any(isinstance(cell, Estimate) and cell.is_claim for cell in cells):
        yield rf"$^{{\dagger}}$Significant after {escaped(table.claim)}."


def _notes(table: Table) -> Iterator[str]:
    yield from map(escaped, table.notes)
    if table.all_rows and len(table.rows) > MAX_RANKED:
        yield f"The first {MAX_RANKED} of {len(table.rows)} rows."


def _remark(row: tuple[Cell, ...], table: Table) -> str:
    """Return what the row's remarks say: a footnote, since a paper has no room for sentences."""
    cells = zip(table.columns, row, strict=True)
    remarks = [(column.name, str(cell)) for column, cell in cells if column.kind == "remark"]
    return "; ".join(
        text if name == "reason" else f"{name} {text}" for name, text in remarks if text
    )


def _numbered(remarks: Iterable[str]) -> dict[str, str]:
    """Return each remark once, with the mark that stands for it."""
    once = dict.fromkeys(filter(None, remarks))
    return {remark: f"$^{{{number}}}$" for number, remark in enumerate(once, start=1)}


def _row(cells: list[Cell], columns: list[Column], mark: str, has_claims: bool) -> str:
    """Return a row with the mark of its remark, beside its verdict where it has one."""
    kinds = [column.kind for column in columns]
    marked = kinds.index("verdict") if "verdict" in kinds else 0
    texts = [_cell(cell, column, has_claims) for cell, column in zip(cells, columns, strict=True)]
    texts[marked] += mark
    return _joined(texts)


def _cell(cell: Cell, column: Column, has_claims: bool) -> str:
    if isinstance(cell, Estimate):
        return _estimate(cell) + (DAGGER if cell.is_claim and has_claims else "")
    if isinstance(cell, Interval):
        return escaped(interval_text(cell))
    if isinstance(cell, PValue):
        return escaped(NONE) if cell.value is None else f"${format_p(cell.value)}$"
    return escaped(words(cell, column))


def _estimate(cell: Estimate) -> str:
    r"""Return `$+2.1 \pm 1.3$`, or `$+2.1$ {[}$+0.4$, $+3.0${]}` where the interval is lopsided."""
    if cell.value is None:
        return escaped(NONE)
    value = cell.scale * cell.value
    if cell.low is None or cell.high is None:
        return f"${_number(value, num_decimals(value), cell.is_signed)}$"
    low, high = cell.scale * cell.low, cell.scale * cell.high
    half = (high - low) / 2
    decimals = num_decimals(half)
    number = _number(value, decimals, cell.is_signed)
    # That of a difference lies evenly about its mean; that of a share or a bootstrap need not.
    if abs(value - (low + high) / 2) > 1e-6 * max(half, 1e-12):
        ends = (_number(end, decimals, cell.is_signed) for end in (low, high))
        return f"${number}$ {{[}}${'$, $'.join(ends)}${{]}}"
    return rf"${number} \pm {format_fixed(half, decimals)}$"


def _number(value: float, decimals: int, is_signed: bool) -> str:
    write = format_signed if is_signed else format_fixed
    return write(value, decimals).replace("−", "-")
