"""`Results`: what ended trials left, each file read once; running ones as far as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audiocls.analysis.differences import InfluencesOf
from audiocls.store import Failure, Record, State, Study, StudyFolder
from audiocls.store.trial import HISTORY
from audiocls.studies.predictions import SharedNames, read_influences

ENDED = ("done", "failed")


@dataclass
class Results:
    """Records, failures, histories and predictions of one study, by trial id."""

    folder: StudyFolder
    records: dict[str, Record] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    _read: dict[str, int] = field(default_factory=dict)
    """When a trial's folder had changed last as it was read."""
    _histories: dict[str, tuple[tuple[int, int], list[dict[str, Any]]]] = field(
        default_factory=dict
    )
    _influences: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By metric, as far as known."""
    _names: SharedNames = field(default_factory=SharedNames)

    def update(self, states: Mapping[str, State], changes: Mapping[str, int]) -> None:
        """Read the trials that ended since, and forget those that are pending again."""
        ended = {trial_id for trial_id, state in states.items() if state in ENDED}
        for trial_id in self._read.keys() - ended:
            self._forget(trial_id)
        for trial_id in ended:
            if self._read.get(trial_id) != changes.get(trial_id, 0):
                self._forget(trial_id)
                self._read_trial(trial_id)
                self._read[trial_id] = changes.get(trial_id, 0)

    def _read_trial(self, trial_id: str) -> None:
        trial = self.folder.trial(trial_id)
        record = trial.record()
        if record is not None:
            self.records[trial_id] = record
        elif (failure := trial.failure()) is not None:
            self.failures[trial_id] = failure

    def _forget(self, trial_id: str) -> None:
        stores: tuple[dict[str, Any], ...] = (self.records, self.failures, self._read)
        for known in (*stores, *self._influences.values()):
            known.pop(trial_id, None)

    def influences(self, study: Study) -> Mapping[str, InfluencesOf]:
        """Return what recordings add to the study's metrics, of the records so far.

        What a program means by its own metric is told by all its trials together, so those are
        read anew.
        """
        if study.program:
            return read_influences(self.folder, study, self.records, self._names)
        known = self._influences.get(study.metric, {})
        new = {id_: record for id_, record in self.records.items() if id_ not in known}
        for metric, added in read_influences(self.folder, study, new, self._names).items():
            self._influences.setdefault(metric, {}).update(added)
        return self._influences

    def histories(self, trial_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Return a row an epoch of each trial, read again where the file has grown."""
        return {trial_id: self._history(trial_id) for trial_id in trial_ids}

    def _history(self, trial_id: str) -> list[dict[str, Any]]:
        trial = self.folder.trial(trial_id)
        written = _written(trial.path / HISTORY)
        if self._histories.get(trial_id, (None,))[0] != written:
            self._histories[trial_id] = written, trial.history()
        return self._histories[trial_id][1]


def _written(file: Path) -> tuple[int, int]:
    """Return when a file was written last, and its bytes; zeros where it is not there."""
    try:
        known = file.stat()
    except FileNotFoundError:
        return 0, 0
    return known.st_mtime_ns, known.st_size
