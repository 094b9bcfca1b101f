"""A study's answer, read from the store: what every command and notebook starts with."""

from dataclasses import dataclass

from audiocls.analysis.compare import compare
from audiocls.analysis.results import Comparison
from audiocls.store import Cell, Failure, Record, Study, StudyFolder

Failed = tuple[Cell, str, str]
"""A cell, the cause of its failure, and the message."""


@dataclass(frozen=True)
class StudyReport:
    """A study, what is recorded of it, and what follows."""

    folder: StudyFolder
    study: Study
    records: dict[str, Record]
    failed: dict[str, Failure]
    comparison: Comparison

    @property
    def is_comparable(self) -> bool:
        """Whether at least one arm could be compared with the baseline, or there is none."""
        verdicts = [arm.verdict for arm in self.comparison.arms if arm.verdict != "baseline"]
        return not verdicts or any(verdict != "not_comparable" for verdict in verdicts)

    def failures(self) -> list[Failed]:
        """The trials whose last attempt failed, and why."""
        failed = self.failed
        cells = (cell for cell in self.study.cells if cell.id in failed)
        return [(cell, failed[cell.id].cause, failed[cell.id].message) for cell in cells]


def load_report(folder: StudyFolder) -> StudyReport:
    """Everything recorded so far, read once and compared."""
    study = folder.study_with_arms()
    records = folder.records(study.cells)
    failed = folder.failures([cell for cell in study.cells if cell.id not in records])
    causes = {trial_id: f"failed: {failure.cause}" for trial_id, failure in failed.items()}
    return StudyReport(folder, study, records, failed, compare(study, records, causes))
