"""A document as one HTML file that needs nothing else: no network, no second file.

The templates in `page/` lay out blocks, one macro a kind; they know no analysis. The page's script
sorts and filters its tables; whoever blocks scripts reads the same tables.
"""

import gc
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

from audiocls.render.document import Block, Document, Figure, Section
from audiocls.render.figures.svg import BLUE, GREEN, ORANGE, new_figure, styled, to_svg
from audiocls.render.formats import visible
from audiocls.render.table import Cell, Column, Depth, Estimate, Table, is_empty, plain_cell

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from matplotlib.figure import Figure as Drawing

MAX_RANKED = 100
"""Rows of a ranked table."""
NO_BREAK = "\N{NO-BREAK SPACE}"


def to_html(document: Document) -> str:
    """Return the whole page."""
    blocks = visible(document, Depth.PAGE)
    opening = tuple(block for block in blocks if not isinstance(block, Section))
    sections = anchored(block for block in blocks if isinstance(block, Section))
    template = _template("page.html.j2", _is_shown)
    with _uncollected():
        return template.render(name=document.name, opening=opening, sections=sections)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let no garbage be looked for meanwhile: of drawings, all of it is found at once later."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def anchored(sections: Iterable[Section]) -> list[tuple[str, Section]]:
    """Return each section with the address that a page's contents lead to; each has its own.

    >>> [anchor for anchor, _ in anchored([Section("Per arm", ()), Section("Per arm!", ())])]
    ['per-arm', 'per-arm-2']
    """
    taken: Counter[str] = Counter()
    anchors = []
    for section in sections:
        words = re.sub(r"\W+", "-", section.title.lower()).strip("-") or "part"
        taken[words] += 1
        anchors.append((words if taken[words] == 1 else f"{words}-{taken[words]}", section))
    return anchors


def preload() -> None:
    """Import what a page with figures needs, by drawing one; that takes longer than the figures.

    It finds fonts, builds the parser of formulas and compiles templates, too: once a process.
    """
    figure = Figure("", _every_kind_of_text)
    to_html(Document("", (Section("", (figure,), depth=Depth.PAGE),), dict))


@styled
def _every_kind_of_text() -> "Drawing":
    figure = new_figure(1, 1)
    figure.text(0, 0, "plain")
    figure.text(0, 0, "bold", weight="bold")
    figure.text(0, 0, "$1$")
    return figure


def to_fragment(document: Document) -> str:
    """Return what a screen shows, as a part of another page: it takes that page's ink and ground.

    Its style applies to itself alone, and no figure is in it, so that its tables have all columns.
    """
    template = _template("fragment.html.j2", _is_in_line)
    return template.render(blocks=visible(document, Depth.SCREEN))


@cache
def _template(name: str, is_shown: Callable[[Column], bool]) -> "Template":
    return environment(is_shown).get_template(name)


def environment(is_shown: Callable[[Column], bool]) -> "Environment":
    """Return what the templates need; a table has the columns for which `is_shown` holds."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("audiocls.render.formats", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"kind": _kind, "drawn": _drawn, "sentence": _sentence}
    environment.tests["shown"] = is_shown
    environment.globals["look_of"] = _look_of
    environment.globals["rows"] = partial(_rows, is_shown)
    environment.globals["parts"] = _parts
    return environment


def _kind(block: Block) -> str:
    return type(block).__name__.lower()


def _sentence(text: str) -> tuple[str, str]:
    """Return a headline's first clause and the others; a unit stays beside its number."""
    first, mark, rest = text.replace(" %", f"{NO_BREAK}%").partition("; ")
    return first + mark.rstrip(), rest


def _drawn(figure: Figure, is_narrow: bool = False) -> str:
    """Return inline SVG in the page's own colours, which serve light and dark.

    `is_narrow` draws it for a phone.

    HTML knows the namespaces of an inline SVG: without them the file holds no address at all.
    """
    draw = figure.draw_narrow if is_narrow and figure.draw_narrow else figure.draw
    svg = to_svg(draw(), f"{figure.name}{'-narrow' * is_narrow}")
    for colour, variable in {BLUE: "better", ORANGE: "worse", GREEN: "equivalent"}.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)


def _rows(
    is_shown: Callable[[Column], bool], table: Table
) -> Iterator[tuple[list[tuple[Column, Cell]], list[str]]]:
    """Yield for each row its cells beside their columns, and its remarks."""
    for row in table.rows[:MAX_RANKED] if table.all_rows else table.rows:
        cells = list(zip(table.columns, row, strict=True))
        remarks = [
            text if column.name == "reason" else f"{column.name} {text}"
            for column, text in cells
            if column.kind == "remark" and isinstance(text, str) and text
        ]
        yield [each for each in cells if is_shown(each[0])], remarks


def _look_of(column: Column, cell: Cell) -> str:
    """Return a cell's classes of style: how it is aligned, and what a phone may leave out."""
    special = {"name": "arm", "verdict": "verdict", "prose": "wrap"}.get(column.kind, "")
    left_out = "empty" if is_empty(cell) else "detail" if column.is_detail else ""
    return " ".join(filter(None, ["text" * column.is_text, special, left_out]))


def _is_in_line(column: Column) -> bool:
    """Whether a column is one of the table's: remarks have lines of their own."""
    return column.kind != "remark"


def _is_shown(column: Column) -> bool:
    """Whether a page shows a column, and not a figure of the same document."""
    return _is_in_line(column) and not column.is_drawn


def _parts(cell: Cell, column: Column) -> list[str]:
    """Return `+2.1` and `[+0.8, +3.4]`: a value, and its interval if it has one."""
    text = plain_cell(cell, column)
    return text.split(" ", 1) if isinstance(cell, Estimate) else [text]
