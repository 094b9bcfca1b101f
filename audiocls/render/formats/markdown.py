"""A document as Markdown, for a pull request or a README."""

import re
from collections.abc import Iterable, Iterator, Sequence

from audiocls.render.document import (
    Audio,
    Block,
    Command,
    Document,
    Facts,
    Headline,
    Items,
    Note,
    Section,
    Text,
    Title,
)
from audiocls.render.formats import visible
from audiocls.render.table import Depth, Table, plain_rows

_MARKS = re.compile(r"[\\`*_|<\[\]$~&]")
_BLOCK = re.compile(r"^(\d*)([#>+.)-])(?= )")
"""What makes a line a heading, a quotation or an item of a list."""
TOP = 2
"""Level of the title's heading: a document is part of a page."""


def to_markdown(document: Document) -> str:
    """Return the whole document; figures and sounds are left to pages."""
    return "\n\n".join(markdown_parts(visible(document, Depth.TEXT), TOP)) + "\n"


def markdown_parts(blocks: Sequence[Block], level: int = TOP) -> Iterator[str]:
    """Yield a paragraph for each block that Markdown can hold."""
    for block in blocks:
        match block:
            case Section():
                if block.heading <= Depth.TEXT:
                    yield f"{'#' * (level + 1)} {escaped(block.title)}"
                yield from markdown_parts(block.blocks, level + 1)
            case _:
                yield from _parts(block, level)


def _parts(block: Block, level: int) -> Iterator[str]:
    match block:
        case Title():
            yield f"{'#' * level} {escaped(block.name)}"
            yield from [f"*{escaped(block.question)}*"] if block.question else []
        case Headline():
            yield f"**{escaped(block.text)}**" + (
                f" {escaped(block.caution)}" * bool(block.caution)
            )
        case Text():
            yield escaped(block.text)
        case Note():
            yield f"Note: {escaped(block.text)}"
        case Items():
            yield "\n".join(f"- {escaped(line)}" for line in block.lines)
        case Facts():
            lines = (f"- **{escaped(name)}**: {escaped(value)}" for name, value in block.items)
            yield "\n".join(lines)
        case Command():
            yield f"```\n{block.text}\n```"
        case Table():
            yield markdown_table(block)
        case Audio():
            yield "\n".join(f"- {escaped(s.title)}: {escaped(s.file)}" for s in block.sounds)


def markdown_table(table: Table, most: int | None = None) -> str:
    """Return the table alone; of ranked rows the first `most`."""
    return "\n".join(_lines(table, most))


def _lines(table: Table, most: int | None) -> Iterator[str]:
    yield _line(table.titles)
    yield f"|{'|'.join('---' if column.is_text else '--:' for column in table.columns)}|"
    yield from map(_line, plain_rows(table, most))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def escaped(text: str) -> str:
    """Return text that Markdown shows literally: arm names are full of underscores and pipes.

    Links, pictures, HTML and formulas (`$…$` of GitHub and Jupyter) are text as well, and so is a
    line that begins as a heading, a list or a quotation does.
    """
    marked = _MARKS.sub(r"\\\g<0>", " ".join(text.split()))
    return _BLOCK.sub(r"\g<1>\\\g<2>", marked)
