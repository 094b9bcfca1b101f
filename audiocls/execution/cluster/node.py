"""`NodeWorker`: one worker of a launch on a node that sees neither the study nor its data.

It runs the executor that a launch on this machine would have, with one worker; what its trials
leave goes home in reports. One call is answered after the other.
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

from audiocls.atomic import build_once, write_bytes
from audiocls.errors import AudioclsError, MachineFault
from audiocls.execution.accelerators import available_devices, obstacles
from audiocls.execution.cluster.node_trial import NodeTrial, TrialReport, has_ended
from audiocls.execution.cluster.stages import StageDelivery
from audiocls.execution.cluster.tables import TABLES, is_table_here, keep_stage, keep_table
from audiocls.execution.devices import PerDevice, kind_of
from audiocls.execution.executors import Executor
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.executors.subprocesses import SubprocessExecutor
from audiocls.execution.job import AnyJob, CommandSpec, NativeSpec, job_from_json
from audiocls.execution.messages import Event
from audiocls.execution.provenance import code_digest, torch_version
from audiocls.execution.temporary import OWNER, cache_folder, is_used, own
from audiocls.machine import fault_of
from audiocls.parts.modules import PLACES
from audiocls.store import StudyFolder
from audiocls.store.transfer import unpack

GATHER_S = 0.2
"""After a first event, for further ones to go home with it: epochs may be many a second."""
PREFIX = "audiocls-node-"
NO_GPU = "no driver lists as many as Ray was told of"
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
    per_device: PerDevice = 1
    """Trials that the worker trains at once."""
    devices_per_trial: int = 1


@dataclass(frozen=True)
class Node:
    """What decides whether a worker's trials can be compared with others."""

    host: str
    kind: str
    """Product name of its device, or `cpu`."""
    code: str
    torch: str
    obstacle: str = ""
    """What keeps our own trials from the GPUs that Ray has given it."""


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
    """What has happened to a worker's trials since the last one."""

    trials: tuple[TrialReport, ...] = ()
    room: int = 0
    """For how many trials at once, where it has none; 0 while it has some."""
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
        os.environ.update(setup.variables)
        os.environ[TABLES] = str(self._scratch / "tables")
        os.environ[PLACES] = str(self._scratch / "modules")
        _write_all(setup.program, self._scratch / "program")
        num_devices = setup.devices_per_trial
        gpus = available_devices(not setup.is_program) if setup.is_on_gpu else []
        self._device = ",".join(gpus[:num_devices] or ["cpu"] * num_devices)
        has_too_few = setup.is_on_gpu and not setup.is_program and len(gpus) < num_devices
        self._obstacle = "; ".join(obstacles() or [NO_GPU]) if has_too_few else ""
        self._cache = cache_folder().absolute()
        self._executor = self._open()
        self._trials: dict[str, NodeTrial] = {}

    def _open(self) -> Executor[Any]:
        if self._setup.is_program:
            return SubprocessExecutor([self._device])
        log, pack = self._scratch / "workers.log", self._setup.per_device
        return LocalExecutor([self._device], self._cache, log, per_device=pack)

    def describe(self) -> Node:
        """Return what this node is; of a program the code is its own affair."""
        torch = "" if self._setup.is_program else torch_version()
        kind = kind_of(self._device)
        return Node(socket.gethostname(), kind, code_digest(), torch, self._obstacle)

    def run(self, deliveries: Sequence[Delivery], timeout_s: float) -> Report:
        """Start trials, as a pack where they are several; return the first report."""
        needed = dict.fromkeys(pair for each in deliveries for pair in each.paths.items())
        missing = [f"{key}: {path}" for key, path in needed if not _is_here(path)]
        if missing:
            return Report(fault=f"has not {', '.join(missing)}, which a trial reads")
        try:
            trials = [self._received(each) for each in deliveries]
        except (OSError, MachineFault) as error:
            if (fault := fault_of(error, self._scratch, self._cache)) is None:
                raise
            return Report(fault=str(fault))
        for trial in trials:
            self._trials[trial.job.id] = trial
            self._executor.submit(trial.job)
        return self.poll(timeout_s)

    def _received(self, delivery: Delivery) -> NodeTrial:
        """Write a trial and all that came with it; return it."""
        job, tables = self._job_of(delivery.job), self._scratch / "tables"
        study = StudyFolder(self._scratch / f"trial-{job.id}" / Path(self._setup.study).name)
        trial = NodeTrial(job, study, self._setup.study)
        _write_all(delivery.modules, self._scratch / "modules")
        for fingerprint, table in delivery.tables.items():
            if not is_table_here(tables, fingerprint):
                keep_table(tables, fingerprint, bytes(self._fetch(table)))
        for name, files in delivery.folders.items():
            build_once(self._cache / name, partial(self._fill, files))
        if (stage := delivery.stage) is not None:
            keep_stage(tables, job.id, stage.stage)
            folder = stage.put(study.path, self._cache, self._fill)
            if not stage.finished:
                trial.follow_stage(folder)
        unpack(delivery.files, trial.job.trial.path)
        return trial

    def _fill(self, files: Mapping[str, Any], folder: Path) -> None:
        for name, reference in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("wb") as file:
                file.write(memoryview(self._fetch(reference)))

    def _job_of(self, line: str) -> AnyJob:
        """Return a job as it was sent, but for the working directory of a program."""
        if not self._setup.is_program:
            return job_from_json(line, NativeSpec)
        command = job_from_json(line, CommandSpec)
        return replace(command, spec=replace(command.spec, cwd=str(self._scratch / "program")))

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
        """Stop all trials after their epoch, and close; return what they have left."""
        report = self._report(self._executor.stop(grace_s), is_last=True)
        shutil.rmtree(self._scratch, ignore_errors=True)
        return report

    def _report(self, events: Sequence[Event], is_last: bool = False) -> Report:
        """Return what there is to tell of each trial; those that have ended are here no more."""
        reports = []
        for trial_id, trial in list(self._trials.items()):
            own = [event for event in events if event.id == trial_id]
            if (report := trial.report(own, is_last)) != TrialReport(trial_id):
                reports.append(report)
            if has_ended(own):
                del self._trials[trial_id]
        room = 0 if self._trials else self._executor.num_free()
        return Report(tuple(reports), room)

    def _log_tail(self) -> str:
        with suppress(OSError):
            text = (self._scratch / "workers.log").read_text(encoding="utf-8", errors="replace")
            return text.strip()[-LOG_TAIL:]
        return ""


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
    for scratch in temporary.glob(f"{PREFIX}*"):
        if (scratch / OWNER).exists() and not is_used(scratch):
            shutil.rmtree(scratch, ignore_errors=True)
    scratch = Path(tempfile.mkdtemp(prefix=PREFIX))
    own(scratch)
    return scratch
