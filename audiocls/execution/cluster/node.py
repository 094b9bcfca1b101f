"""`NodeWorker`: one worker of a launch on a node that sees neither the study nor its data.

It runs the executor that a launch on this machine would have, with room for one trial, in a folder
of its own; what the trial leaves goes home in reports. One call is answered after the other.
"""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from audiocls import writers
from audiocls.atomic import build_once, write_bytes, write_text
from audiocls.errors import AudioclsError, MachineFault
from audiocls.execution.accelerators import available_devices
from audiocls.execution.cluster.stages import Archives, StageDelivery, StageReports
from audiocls.execution.cluster.tables import TABLES, is_table_here, keep_stage, keep_table
from audiocls.execution.devices import kind_of
from audiocls.execution.executors import Executor
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.executors.subprocesses import SubprocessExecutor
from audiocls.execution.job import AnyJob, CommandSpec, NativeSpec, job_from_json
from audiocls.execution.messages import Ended, Epoch, Event, Lost, Stage, to_json
from audiocls.execution.pretraining_stage import STAGES
from audiocls.execution.provenance import code_digest, torch_version
from audiocls.execution.temporary import cache_folder
from audiocls.machine import fault_of
from audiocls.parts.modules import PLACES
from audiocls.store import StudyFolder
from audiocls.store.transfer import UNDERWAY, packed, rows_after, unpack

SNAPSHOT_EVERY_S = 20.0
"""Between two snapshots that go home: what a node's death costs at most, beside the epoch."""
GATHER_S = 0.2
"""After a first event, for further ones to go home with it: epochs may be many a second."""
PREFIX, OWNER = "audiocls-node-", "owner"
LOG_TAIL = 2000
"""Characters of the workers' output that an error carries."""


@dataclass(frozen=True)
class NodeSetup:
    """What a worker is told when it starts."""

    study: str
    """Its folder at home."""
    is_on_gpu: bool = False
    is_program: bool = False
    """Whether its trials are programs of the user's."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of the machine that launches: W&B's, and whom it trusts."""
    program: Mapping[str, bytes] = field(default_factory=dict)
    """The program's files, by their paths in its working directory."""


@dataclass(frozen=True)
class Node:
    """What decides whether a worker's trials can be compared with others."""

    host: str
    kind: str
    """Product name of its device, or `cpu`."""
    code: str
    torch: str


@dataclass(frozen=True)
class Delivery:
    """A trial on its way to a worker, with what the node may lack."""

    job: str
    files: bytes
    """What the trial resumes from, as an archive of its folder."""
    modules: Mapping[str, bytes] = field(default_factory=dict)
    """Own modules, by their paths in the folder that they are imported from."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Files and folders that have to be there, by the keys that name them."""
    tables: Mapping[str, Any] = field(default_factory=dict)
    """Fingerprint of a data set → reference to its list of clips."""
    folders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Folder of the cache → its files → references to their contents."""
    stage: StageDelivery | None = None
    """Its pre-training, if it has one."""


@dataclass(frozen=True)
class Report:
    """What has happened since the last one."""

    events: tuple[str, ...] = ()
    rows: bytes = b""
    """Lines of the trial's history."""
    has_all_rows: bool = False
    """Whether these are all, and not those that were added."""
    snapshot: bytes = b""
    """What a running trial resumes from, as an archive of its folder."""
    study: bytes = b""
    """What an ended trial has left, as an archive of the study's folder."""
    stage: Archives = ()
    """Of the pre-training stage that this worker trains."""
    fault: str = ""
    """Why this node can train nothing."""


class NodeWorker:
    """A worker, in a process of its own; `fetch` gets what a reference of a delivery means."""

    def __init__(self, setup: NodeSetup, fetch: Callable[[Any], Any]):
        self._setup, self._fetch = setup, fetch
        self._scratch = _new_scratch()
        try:
            Path.cwd()
        except FileNotFoundError:  # a node outlives the folder that it was started in
            os.chdir(self._scratch)
        self._study = StudyFolder(self._scratch / Path(setup.study).name)
        os.environ.update(setup.variables)
        os.environ[TABLES] = str(self._scratch / "tables")
        os.environ[PLACES] = str(self._scratch / "modules")
        _write_all(setup.program, self._scratch / "program")
        gpus = available_devices(not setup.is_program) if setup.is_on_gpu else []
        self._device = gpus[0] if gpus else "cpu"
        self._cache = cache_folder().absolute()
        self._executor = self._open()
        self._job: AnyJob | None = None
        self._stage: StageReports | None = None
        self._num_sent: int | None = None
        self._sent_at = 0.0

    def _open(self) -> Executor[Any]:
        if self._setup.is_program:
            return SubprocessExecutor([self._device])
        return LocalExecutor([self._device], self._cache, self._scratch / "workers.log")

    def describe(self) -> Node:
        """Return what this node is; of a program the code is its own affair."""
        torch = "" if self._setup.is_program else torch_version()
        return Node(socket.gethostname(), kind_of(self._device), code_digest(), torch)

    def run(self, delivery: Delivery, timeout_s: float) -> Report:
        """Start a trial; return its first report."""
        missing = [f"{key}: {path}" for key, path in delivery.paths.items() if not _is_here(path)]
        if missing:
            return Report(fault=f"has not {', '.join(missing)}, which a trial reads")
        job = self._job_here(delivery.job)
        try:
            self._receive(delivery, job)
            unpack(delivery.files, job.trial.path)
        except (OSError, MachineFault) as error:
            if (fault := fault_of(error, self._scratch, self._cache)) is None:
                raise
            return Report(fault=str(fault))
        self._job, self._num_sent, self._sent_at = job, None, time.monotonic()
        self._executor.submit(job)
        return self.poll(timeout_s)

    def _receive(self, delivery: Delivery, job: AnyJob) -> None:
        tables = self._scratch / "tables"
        _write_all(delivery.modules, self._scratch / "modules")
        for fingerprint, table in delivery.tables.items():
            if not is_table_here(tables, fingerprint):
                keep_table(tables, fingerprint, bytes(self._fetch(table)))
        for name, files in delivery.folders.items():
            build_once(self._cache / name, partial(self._fill, files))
        self._stage = None
        if (stage := delivery.stage) is not None:
            keep_stage(tables, job.id, stage.stage)
            folder = stage.put(self._study.path, self._cache, self._fill)
            self._stage = None if stage.finished else StageReports(folder, SNAPSHOT_EVERY_S)

    def _fill(self, files: Mapping[str, Any], folder: Path) -> None:
        for name, reference in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as file:
                file.write(memoryview(self._fetch(reference)))

    def _job_here(self, line: str) -> AnyJob:
        """Return the job in this worker's folder, which nobody else writes."""
        job: AnyJob
        if self._setup.is_program:
            command = job_from_json(line, CommandSpec)
            job = replace(command, spec=replace(command.spec, cwd=str(self._scratch / "program")))
        else:
            job = job_from_json(line, NativeSpec)
        return replace(job, study_folder=self._study.path, trial=self._study.trial(job.id))

    def poll(self, timeout_s: float) -> Report:
        """Return what has happened; wait up to `timeout_s` for something, and not for more."""
        try:
            events = self._gathered(time.monotonic() + timeout_s)
        except AudioclsError as error:
            return Report(fault=f"{error}: {self._log_tail()}")
        return self._report(events)

    def _gathered(self, deadline: float) -> list[Event]:
        """Return events up to the end of a trial, or those of a moment after the first one."""
        events = list(self._executor.poll(deadline - time.monotonic()))
        deadline = min(deadline, time.monotonic() + GATHER_S)
        while events and not has_ended(events) and (left := deadline - time.monotonic()) > 0:
            events += self._executor.poll(left)
        return events

    def end(self, trial_id: str) -> None:
        """Finish a trial early with its results so far."""
        self._executor.end(trial_id)

    def stop(self, grace_s: float) -> Report:
        """Stop the trial after its epoch, and close; return what it has left."""
        report = self._report(self._executor.stop(grace_s), is_last=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
        return report

    def _report(self, events: Sequence[Event], is_last: bool = False) -> Report:
        job = self._job
        if job is None:
            return Report()
        lines = tuple(to_json(self._for_home(event, job)) for event in events)
        is_over = is_last or has_ended(events)
        stage = self._stage_report(events, is_over)
        if is_over:
            shutil.rmtree(self._study.path / STAGES, ignore_errors=True)
            report = Report(lines, study=packed(self._study.path), stage=stage)
            shutil.rmtree(self._study.path, ignore_errors=True)
            self._job = None
            return report
        if not any(isinstance(event, Epoch) for event in events):
            return Report(lines, stage=stage)
        snapshot, has_all = self._snapshot(job), self._num_sent is None  # of no more than the rows
        rows, self._num_sent = rows_after(job.trial, self._num_sent or 0)
        return Report(lines, rows, has_all, snapshot, stage=stage)

    def _stage_report(self, events: Sequence[Event], is_over: bool) -> Archives:
        has_epoch = any(isinstance(event, Stage) for event in events)
        return self._stage.next(has_epoch, is_over) if self._stage else ()

    def _snapshot(self, job: AnyJob) -> bytes:
        if time.monotonic() - self._sent_at < SNAPSHOT_EVERY_S:
            return b""
        self._sent_at = time.monotonic()
        return packed(job.trial.path, UNDERWAY)

    def _for_home(self, event: Event, job: AnyJob) -> Event:
        """Return an event whose words name the folder at home, and whose fault this host."""
        if not isinstance(event, Ended):
            return event
        note = event.note.replace(str(self._study.path), self._setup.study)
        fault = f"{socket.gethostname()}: {event.fault}" if event.fault else ""
        return replace(event, note=note, fault=fault)

    def _log_tail(self) -> str:
        with suppress(OSError):
            text = (self._scratch / "workers.log").read_text(encoding="utf-8", errors="replace")
            return text.strip()[-LOG_TAIL:]
        return ""


def has_ended(events: Sequence[Event]) -> bool:
    """Whether a trial's end is among the events."""
    return any(isinstance(event, Ended | Lost) for event in events)


def _is_here(path: str) -> bool:
    return Path(path).expanduser().exists()


def _write_all(files: Mapping[str, bytes], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != content:
            write_bytes(folder / name, content)


def _new_scratch() -> Path:
    """Return a new folder of this worker's; those of workers of this host that have ended go."""
    temporary = Path(tempfile.gettempdir())
    for owner in temporary.glob(f"{PREFIX}*/{OWNER}"):
        with suppress(OSError):
            if writers.has_ended(owner.read_text(encoding="utf-8"), owner.stat().st_mtime):
                shutil.rmtree(owner.parent, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX))
    write_text(scratch / OWNER, writers.writer_name())
    return scratch
