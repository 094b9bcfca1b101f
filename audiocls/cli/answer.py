"""A study's answer: read from the store, compared, and rendered in each format."""

from pathlib import Path

from audiocls import console
from audiocls.report import compare, headline, to_html, to_json, to_markdown, verdict_table
from audiocls.report.compare import Comparison
from audiocls.store import StudyFolder
from audiocls.store.atomic import write_text

TEXT_COLUMNS = ("arm", "verdict", "reason")
EXPENDABLE = ("reason", "MACs", "params", "time", "p (t)", "p (flip)", "pairs")
"""Columns of the verdict table that a narrow terminal goes without, the first of them first."""


def comparison_of(folder: StudyFolder) -> Comparison:
    """The comparison of everything recorded so far."""
    study = folder.study()
    return compare(study, folder.records(study.cells))


def show_answer(folder: StudyFolder) -> None:
    """The headline and the verdict table, in the terminal."""
    comparison = comparison_of(folder)
    table = verdict_table(comparison)
    console.show_table(
        table.title, table.columns, table.rows, text=TEXT_COLUMNS, expendable=EXPENDABLE
    )
    console.say(headline(comparison))
    if comparison.missing:
        console.say(f"{len(comparison.missing)} of {comparison.num_expected} trials are missing.")


def show_json(folder: StudyFolder) -> None:
    """The comparison as JSON."""
    console.show_json(to_json(comparison_of(folder)))


def markdown(folder: StudyFolder) -> str:
    """The comparison as Markdown."""
    return to_markdown(comparison_of(folder))


def write_html(folder: StudyFolder, out: Path | None = None) -> Path:
    """The whole report as one HTML file, in the study's folder unless told otherwise."""
    study = folder.study()
    records = folder.records(study.cells)
    failures = folder.failures(study.cells)
    html = to_html(
        compare(study, records),
        study,
        folder.histories(study.cells),
        [
            (c, failures[c.id].cause, failures[c.id].message)
            for c in study.cells
            if c.id in failures
        ],
        [record.provenance for record in records.values()],
    )
    path = out or folder.path / "report.html"
    write_text(path, html)
    return path
