"""A study's answer, rendered in each format."""

from pathlib import Path

from audiocls import console
from audiocls.report import (
    Answer,
    Table,
    headline,
    secondary_table,
    to_html,
    to_json,
    to_latex,
    to_markdown,
    verdict_table,
)
from audiocls.store.atomic import write_text

EXPENDABLE = ("reason", "MACs", "params", "time", "p (t)", "p (flip)", "pairs")
"""Columns of the verdict table that a narrow terminal goes without, the first of them first."""


def show(answer: Answer) -> None:
    """The verdict table and the headline, in the terminal."""
    comparison = answer.comparison
    _show_table(verdict_table(comparison))
    console.say(headline(comparison))
    for secondary in map(secondary_table, comparison.secondary):
        _show_table(secondary)
    for note in comparison.notes:
        console.say(f"Note: {note}")
    if comparison.missing:
        console.say(f"{len(comparison.missing)} of {comparison.num_expected} trials are missing.")


def _show_table(table: Table) -> None:
    console.show_table(
        table.title, table.columns, table.rows, text=table.text, expendable=EXPENDABLE
    )


def show_as_json(answer: Answer) -> None:
    """The comparison as JSON."""
    console.show_json(to_json(answer.comparison))


def markdown(answer: Answer) -> str:
    """The comparison as Markdown."""
    return to_markdown(answer.comparison)


def latex(answer: Answer) -> str:
    """The comparison as LaTeX tables."""
    return to_latex(answer.comparison)


def html_path(answer: Answer) -> Path:
    """Where a study keeps its page."""
    return answer.folder.path / "report.html"


def write_html(answer: Answer, out: Path | None = None) -> Path:
    """The whole report as one HTML file, in the study's folder unless told otherwise."""
    study, folder = answer.study, answer.folder
    html = to_html(
        answer.comparison,
        study,
        folder.histories(study.cells),
        answer.failures(),
        [record.provenance for record in answer.records.values()],
    )
    path = out or html_path(answer)
    write_text(path, html)
    return path
