"""A document as a W&B Report: its words and tables, and the panels over its runs."""

from collections.abc import Sequence
from typing import Any

from audiocls.render.document import (
    Block,
    Command,
    Document,
    Facts,
    Headline,
    Items,
    Note,
    Runs,
    Section,
    Text,
    Title,
    of_kind,
)
from audiocls.render.formats import visible
from audiocls.render.formats.markdown import markdown_table
from audiocls.render.formats.wandb.panels import metric_columns, pair_panels, sections
from audiocls.render.formats.wandb.workspaces_adapter import Panel, name_parts, show_only, wr
from audiocls.render.run_selection import Condition, PairsRun, RunSelection
from audiocls.render.table import Depth, Table
from audiocls.tracking.project import ProjectRef

LONGEST_TITLE = 128
"""Characters that W&B takes."""
MAX_RANKED = 50
"""Rows of a ranked table; the table of runs below it holds them all."""
HALF, WHOLE, HEIGHT = 12, 24, 9
"""Of a grid's 24 columns, and rows."""

Blocks = list[Any]


def report_of(document: Document, ref: ProjectRef) -> wr.Report:
    """Return the whole report, ready to be saved or written."""
    blocks = visible(document, Depth.TEXT)
    title = next(of_kind(blocks, Title), Title(document.name))
    return wr.Report(
        project=ref.project,
        entity=ref.entity,
        title=_shortened(title.name),
        description=title.question,
        blocks=_of(blocks, has_runs=any(of_kind(blocks, Runs))),
        width="fixed",
    )


def _of(blocks: Sequence[Block], has_runs: bool) -> Blocks:
    parts: Blocks = []
    notes: list[Any] = []
    for block in blocks:
        if isinstance(block, Note):
            notes.append(block.text)
            continue
        parts += _as_list(notes)
        notes = []
        if isinstance(block, Section):
            is_headed = block.heading <= Depth.TEXT
            if not (block.is_live and has_runs):
                parts += [
                    *([wr.H2(block.title)] if is_headed else []),
                    *_of(block.blocks, has_runs),
                ]
        else:
            parts += _block(block)
    return parts + _as_list(notes)


def _as_list(lines: list[Any]) -> Blocks:
    return [wr.UnorderedList(lines)] if lines else []


def _block(block: Block) -> Blocks:
    match block:
        case Headline():
            return [wr.CalloutBlock(f"{block.text} {block.caution}".rstrip())]
        case Text():
            return [wr.P(block.text)]
        case Items():
            return _as_list(list(block.lines))
        case Facts():
            return _as_list([f"{name}: {value}" for name, value in block.items])
        case Command():
            return [wr.CodeBlock(block.text, language="markdown")]
        case Table():
            return [wr.MarkdownBlock(markdown_table(block, MAX_RANKED))]
        case Runs():
            return [*_pairs(block.pairs, block.selection), *_panels(block.selection)]
        case _:
            return []


def _pairs(pairs: PairsRun | None, selection: RunSelection) -> Blocks:
    if pairs is None:
        return []
    runset = wr.Runset(name="answer")
    show_only(runset, (Condition("run", "name", "=", pairs.id),))
    grid = _grid(f"{selection.study}/Pairs", runset, pair_panels(pairs))
    return [wr.H2("Pairs"), grid]


def _panels(selection: RunSelection) -> Blocks:
    """Return a heading and a grid a section; the table of runs lies below the first alone."""
    shown: Blocks = []
    for title, panels in sections(selection).items():
        grid = _grid(f"{selection.study}/{title}", _runset(selection), panels)
        grid.hide_run_sets = bool(shown)
        shown += [wr.H2(title), grid]
    return shown


def _runset(selection: RunSelection) -> wr.Runset:
    columns = [f"config:{key}.value" for key in (selection.arm, *selection.block) if key]
    runset = wr.Runset(
        name=selection.study,
        pinned_columns=["run:displayName", *columns, *metric_columns(selection)],
    )
    show_only(runset, selection.answered)
    return runset


def _grid(name: str, runset: wr.Runset, panels: Sequence[Panel]) -> wr.PanelGrid:
    """Return two panels a row; one that is alone in its row takes all of it."""
    for index, panel in enumerate(panels):
        is_alone = index % 2 == 0 and index == len(panels) - 1
        width = WHOLE if is_alone else HALF
        x, y = HALF * (index % 2), HEIGHT * (index // 2)
        panel.layout = wr.Layout(x=x, y=y, w=width, h=HEIGHT)
    name_parts(name, [runset, *panels])
    return wr.PanelGrid(runsets=[runset], panels=list(panels))


def _shortened(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
