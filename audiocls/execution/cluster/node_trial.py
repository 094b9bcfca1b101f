"""One trial on a node: its folder there, and what of it goes home."""

import shutil
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls.execution.cluster.stages import Archives, StageReports
from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Ended, Epoch, Event, Lost, Stage, to_json
from audiocls.execution.pretraining_stage import STAGES
from audiocls.store import StudyFolder
from audiocls.store.transfer import UNDERWAY, packed, rows_after

SNAPSHOT_EVERY_S = 20.0
"""Between two snapshots that go home: what a node's death costs at most, beside the epoch."""


@dataclass(frozen=True)
class TrialReport:
    """What has happened to a trial since the last one."""

    id: str
    events: tuple[str, ...] = ()
    rows: bytes = b""
    """Lines of its history."""
    has_all_rows: bool = False
    """Whether these are all, and not those that were added."""
    snapshot: bytes = b""
    """What it resumes from while it runs, as an archive of its folder."""
    study: bytes = b""
    """What it has left at its end, as an archive of the study's folder."""
    stage: Archives = ()
    """Of its pre-training stage, which this worker trains."""

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        return bool(self.study)


class NodeTrial:
    """A trial in a study's folder that it has for itself; at home the study has another one."""

    def __init__(self, job: AnyJob, study: StudyFolder, home: str):
        self.job = replace(job, study_folder=study.path, trial=study.trial(job.id))
        self._study, self._home = study, home
        self._stage: StageReports | None = None
        self._num_sent: int | None = None
        self._sent_at = time.monotonic()

    def follow_stage(self, folder: Path) -> None:
        """Report on a pre-training stage that is trained here, too."""
        self._stage = StageReports(folder, SNAPSHOT_EVERY_S)

    def report(self, events: Sequence[Event], is_last: bool = False) -> TrialReport:
        """Return what is to be told at home; all that is left, and no folder here, at its end."""
        trial_id, is_over = self.job.id, is_last or has_ended(events)
        lines = tuple(to_json(self._for_home(event)) for event in events)
        stage = self._stage_report(events, is_over)
        if is_over:
            shutil.rmtree(self._study.path / STAGES, ignore_errors=True)
            report = TrialReport(trial_id, lines, study=packed(self._study.path), stage=stage)
            shutil.rmtree(self._study.path.parent, ignore_errors=True)
            return report
        if not any(isinstance(event, Epoch) for event in events):
            return TrialReport(trial_id, lines, stage=stage)
        snapshot, has_all = self._snapshot(), self._num_sent is None  # of no more than the rows
        rows, self._num_sent = rows_after(self.job.trial, self._num_sent or 0)
        return TrialReport(trial_id, lines, rows, has_all, snapshot, stage=stage)

    def _stage_report(self, events: Sequence[Event], is_over: bool) -> Archives:
        has_epoch = any(isinstance(event, Stage) for event in events)
        return self._stage.next(has_epoch, is_over) if self._stage else ()

    def _snapshot(self) -> bytes:
        if time.monotonic() - self._sent_at < SNAPSHOT_EVERY_S:
            return b""
        self._sent_at = time.monotonic()
        return packed(self.job.trial.path, UNDERWAY)

    def _for_home(self, event: Event) -> Event:
        """Return an event whose words name the folder at home, and whose fault this host."""
        if not isinstance(event, Ended):
            return event
        note = event.note.replace(str(self._study.path), self._home)
        fault = f"{socket.gethostname()}: {event.fault}" if event.fault else ""
        return replace(event, note=note, fault=fault)


def has_ended(events: Sequence[Event]) -> bool:
    """Whether a trial's end is among the events."""
    return any(isinstance(event, Ended | Lost) for event in events)
