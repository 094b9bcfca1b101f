"""A study's answer, rendered in each format."""

from pathlib import Path

from audiocls import console
from audiocls.analysis import pareto
from audiocls.atomic import write_text
from audiocls.cli import clips
from audiocls.cli.clips import ClipsWish
from audiocls.render import (
    Table,
    effect_remarks,
    effect_table,
    headline,
    secondary_table,
    to_html,
    to_json,
    to_latex,
    to_markdown,
    verdict_table,
)
from audiocls.studies.reports import StudyReport

EXPENDABLE = ("reason", "MACs", "params", "time", "p (t)", "p (flip)", "pairs", "blocks")
"""Columns of the verdict table that a narrow terminal goes without, the first of them first."""


def show(answer: StudyReport, has_clips: bool = False) -> None:
    """The verdict table and the headline, in the terminal."""
    comparison = answer.comparison
    _show_table(verdict_table(comparison))
    console.say(headline(comparison))
    for secondary in map(secondary_table, comparison.secondary):
        _show_table(secondary)
    if comparison.effects.estimates:
        _show_table(effect_table(comparison))
    for remark in (*effect_remarks(comparison), *pareto.sentences(comparison)):
        console.say(remark)
    for note in comparison.notes:
        console.say(f"Note: {note}")
    if comparison.missing:
        console.say(f"{len(comparison.missing)} of {comparison.num_expected} trials are missing.")
    if has_clips:
        clips.show(answer)


def _show_table(table: Table) -> None:
    console.show_table(
        table.title, table.columns, table.rows, text=table.text, droppable=EXPENDABLE
    )


def show_as_json(answer: StudyReport, has_clips: bool = False) -> None:
    """The comparison as JSON."""
    by_clip = {"clips": clips.to_json(answer)} if has_clips else {}
    console.show_json(to_json(answer.comparison) | by_clip)


def markdown(answer: StudyReport, has_clips: bool = False) -> str:
    """The comparison as Markdown."""
    by_clip = "\n" + clips.to_markdown(answer) if has_clips else ""
    return to_markdown(answer.comparison) + by_clip


def latex(answer: StudyReport) -> str:
    """The comparison as LaTeX tables."""
    return to_latex(answer.comparison)


def html_path(answer: StudyReport) -> Path:
    """Where a study keeps its page."""
    return answer.folder.path / "report.html"


def write_html(answer: StudyReport, out: Path | None = None, wish: ClipsWish | None = None) -> Path:
    """The whole report as one HTML file, in the study's folder unless told otherwise."""
    study, folder = answer.study, answer.folder
    html = to_html(
        answer.comparison,
        study,
        folder.histories(study.cells),
        answer.failures(),
        [record.provenance for record in answer.records.values()],
        clips.section(answer, wish or ClipsWish()),
    )
    path = out or html_path(answer)
    write_text(path, html)
    return path
