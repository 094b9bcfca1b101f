"""A study's answer: read from the store, compared, and rendered in each format."""

from dataclasses import dataclass
from pathlib import Path

from audiocls import console
from audiocls.report import (
    Table,
    compare,
    headline,
    secondary_table,
    to_html,
    to_json,
    to_markdown,
    verdict_table,
)
from audiocls.report.html import Failed
from audiocls.report.results import Comparison
from audiocls.store import Record, Study, StudyFolder
from audiocls.store.atomic import write_text

EXPENDABLE = ("reason", "MACs", "params", "time", "p (t)", "p (flip)", "pairs")
"""Columns of the verdict table that a narrow terminal goes without, the first of them first."""


@dataclass(frozen=True)
class Answer:
    """A study, what is recorded of it, and what follows."""

    folder: StudyFolder
    study: Study
    records: dict[str, Record]
    comparison: Comparison

    @property
    def is_comparable(self) -> bool:
        """Whether at least one arm could be compared with the baseline, or there is none."""
        verdicts = [arm.verdict for arm in self.comparison.arms if arm.verdict != "baseline"]
        return not verdicts or any(verdict != "not_comparable" for verdict in verdicts)

    def failures(self) -> list[Failed]:
        """The trials whose last attempt failed, and why."""
        found = self.folder.failures(self.study.cells)
        return [
            (cell, found[cell.id].cause, found[cell.id].message)
            for cell in self.study.cells
            if cell.id in found
        ]


def read(folder: StudyFolder) -> Answer:
    """Everything recorded so far, read once and compared."""
    study = folder.study()
    records = folder.records(study.cells)
    return Answer(folder, study, records, compare(study, records))


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
