"""A table's cells as plain text: what terminals and Markdown write."""

from audiocls.formatting import NONE, format_estimate, format_p
from audiocls.render.table import Cell, Column, Estimate, Table


def plain_cell(cell: Cell, column: Column) -> str:
    """`+2.1 [+0.8, +3.4]`, `0.0156`, `better`; a dash where a text is empty."""
    if isinstance(cell, Estimate):
        return format_estimate(cell.value, cell.low, cell.high, cell.scale, cell.is_signed)
    if isinstance(cell, str):
        return cell or (NONE if column.is_text else "")
    return format_p(cell.value)


def plain_rows(table: Table, most: int | None = None) -> list[tuple[str, ...]]:
    """Return the rows as text; of ranked rows the first `most`."""
    rows = table.rows[:most] if table.all_rows else table.rows
    return [tuple(map(plain_cell, row, table.columns)) for row in rows]
