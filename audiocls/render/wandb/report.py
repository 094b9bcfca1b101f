"""An ablation's answer as a W&B Report: the words and tables of the page, the panels of W&B."""

from collections.abc import Sequence
from typing import Any

from audiocls.analysis import pareto
from audiocls.analysis.results import Comparison, Failed
from audiocls.render.effect_table import effect_remarks, effect_table
from audiocls.render.headline import headline
from audiocls.render.tables import (
    Table,
    markdown_table,
    method_text,
    name_of,
    secondary_table,
    verdict_table,
)
from audiocls.render.wandb.pairs import answer_id, has_pairs, pair_panels
from audiocls.render.wandb.panels import metric_columns, sections
from audiocls.render.wandb.run_selection import Condition, Place, RunSelection
from audiocls.render.wandb.workspaces_adapter import Panel, name_parts, show_only, wr

LONGEST_TITLE = 128
"""Characters that W&B takes."""
HALF, WHOLE, HEIGHT = 12, 24, 9
"""Of a grid's 24 columns, and rows."""

Blocks = list[Any]


def report_of(
    subject: RunSelection, comparison: Comparison, failures: Sequence[Failed], place: Place
) -> wr.Report:
    """The whole report, ready to be saved or written."""
    before = [*_words(comparison), *_pairs(comparison)]
    after = [*_missing(comparison, failures), *command_blocks(comparison.command)]
    return assembled(subject, place, comparison.question, before, after)


def assembled(
    subject: RunSelection, place: Place, description: str, before: Blocks, after: Blocks
) -> wr.Report:
    """The panels between what is said first and what is said last."""
    return wr.Report(
        project=place.project,
        entity=place.entity,
        title=_shortened(subject.study),
        description=description,
        blocks=[*before, *_panels(subject), *after],
        width="fixed",
    )


def _words(comparison: Comparison) -> Blocks:
    done = comparison.num_expected - len(comparison.missing)
    return [
        wr.CalloutBlock(headline(comparison)),
        *([wr.UnorderedList(list(comparison.notes))] if comparison.notes else []),
        wr.H2("Verdicts"),
        wr.MarkdownBlock(markdown_table(verdict_table(comparison))),
        wr.P(method_text(comparison)),
        wr.P(f"{done} of {comparison.num_expected} trials finished."),
        *(block for each in comparison.secondary for block in _titled(secondary_table(each))),
        *(_titled(effect_table(comparison)) if comparison.effects.estimates else []),
        *map(wr.P, [*effect_remarks(comparison), *pareto.sentences(comparison)]),
    ]


def _titled(table: Table) -> Blocks:
    return [wr.H2(table.title), wr.MarkdownBlock(markdown_table(table))]


def _pairs(comparison: Comparison) -> Blocks:
    if not has_pairs(comparison):
        return []
    runset = wr.Runset(name="answer")
    show_only(runset, (Condition("run", "name", "=", answer_id(comparison)),))
    grid = _grid(f"{comparison.study}/Pairs", runset, pair_panels(comparison))
    return [wr.H2("Pairs"), grid]


def _panels(subject: RunSelection) -> Blocks:
    """A heading and a grid a section; the table of runs lies below the first alone."""
    found: Blocks = []
    for title, panels in sections(subject).items():
        grid = _grid(f"{subject.study}/{title}", _runset(subject), panels)
        grid.hide_run_sets = bool(found)
        found += [wr.H2(title), grid]
    return found


def _runset(subject: RunSelection) -> wr.Runset:
    columns = [f"config:{key}.value" for key in (subject.arm, *subject.block) if key]
    runset = wr.Runset(
        name=subject.study,
        pinned_columns=["run:displayName", *columns, *metric_columns(subject)],
    )
    show_only(runset, subject.answered)
    return runset


def _grid(name: str, runset: wr.Runset, panels: Sequence[Panel]) -> wr.PanelGrid:
    """Two panels a row; one that is alone in its row takes all of it."""
    for place, panel in enumerate(panels):
        is_alone = place % 2 == 0 and place == len(panels) - 1
        width = WHOLE if is_alone else HALF
        x, y = HALF * (place % 2), HEIGHT * (place // 2)
        panel.layout = wr.Layout(x=x, y=y, w=width, h=HEIGHT)
    name_parts(name, [runset, *panels])
    return wr.PanelGrid(runsets=[runset], panels=list(panels))


def _missing(comparison: Comparison, failures: Sequence[Failed]) -> Blocks:
    """Every cell without a record, by name; with its cause if it failed."""
    causes = {cell.id: f": {cause.replace('_', ' ')}, {why}" for cell, cause, why in failures}
    lines = [f"{name_of(cell)}{causes.get(cell.id, '')}" for cell in comparison.missing]
    return list_blocks("Missing and failed", lines)


def list_blocks(title: str, lines: Sequence[str]) -> Blocks:
    """A heading and its points, if there are any."""
    points: Blocks = list(lines)
    return [wr.H2(title), wr.UnorderedList(points)] if points else []


def command_blocks(command: str) -> Blocks:
    """How to do it again."""
    return [wr.H2("Reproduce"), wr.CodeBlock(command, language="markdown")] if command else []


def _shortened(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
