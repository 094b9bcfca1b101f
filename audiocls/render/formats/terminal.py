"""A document in a terminal, or piped: what fits on a screen."""

from collections.abc import Sequence

from audiocls import console
from audiocls.console.layout import Grid
from audiocls.render.document import (
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
from audiocls.render.table import LAST, Depth, Table, plain_rows

MAX_RANKED = 10
"""Rows of a ranked table."""


def show(document: Document) -> None:
    """Print the document on stdout."""
    _show(visible(document, Depth.SCREEN))


def to_text(document: Document) -> str:
    """Return what `show` prints into a pipe."""
    with console.collected() as text:
        show(document)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).rstrip()


def _show(blocks: Sequence[Block]) -> None:
    for block in blocks:
        if isinstance(block, Section):
            if block.heading <= Depth.SCREEN:
                console.heading(block.title)
            _show(block.blocks)
        else:
            _show_block(block)


def _show_block(block: Block) -> None:
    match block:
        case Title():
            console.title(f"{block.name}: {block.question}" if block.question else block.name)
        case Headline():
            console.say(f"{block.text} {block.caution}".rstrip())
        case Note():
            console.say(f"Note: {block.text}")
        case Text() | Command():
            console.say(block.text)
        case Items():
            for line in block.lines:
                console.say(f"- {line}")
        case Facts():
            console.show_facts(dict(block.items))
        case Table():
            _show_table(block)


def _show_table(table: Table) -> None:
    titled = zip(table.columns, table.titles, strict=True)
    ordered = sorted((column.drop, title) for column, title in titled if column.drop)
    grid = Grid(
        table.titles,
        plain_rows(table, MAX_RANKED),
        text=[column.title for column in table.columns if column.is_text],
        droppable=[title for drop, title in ordered if drop < LAST],
        prose=[column.title for column in table.columns if column.kind == "prose"],
        whole=[column.title for column in table.columns if column.kind == "id"],
        names=[column.title for column in table.columns if column.kind == "name"],
        last=[title for drop, title in ordered if drop >= LAST],
    )
    console.show_table(grid)
    beyond = len(table.rows) - MAX_RANKED
    if table.all_rows and beyond > 0:
        console.note(f"{beyond} more: {table.all_rows}")
