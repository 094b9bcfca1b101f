"""A full disk, a refused folder, no memory: the machine's fault, by which no trial fails."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from helpers.processes import is_worker
from helpers.recipes import TINY
from helpers.trials import OFFLINE, make_job, train, trainable_job
from typer.testing import CliRunner

from audiocls.audio import feature_cache
from audiocls.cli import app
from audiocls.config import resolve
from audiocls.errors import DataError, MachineFault
from audiocls.execution import snapshots
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Done, Failed, Interrupted, Lost
from audiocls.execution.scheduler import Launch
from audiocls.execution.temporary import TemporaryFolders
from audiocls.execution.trial_source import SourceProgress
from audiocls.machine import disk, fault_in, fault_of, memory
from audiocls.store import Cell, StudyFolder, TrialFolder
from audiocls.store.lease import require_shareable
from audiocls.store.proposals import Proposal
from audiocls.studies import launch_summary
from audiocls.studies.launch import exit_code_of
from audiocls.tracking import Ending, FinishReport
from audiocls.tracking.wandb import run as wandb_run
from audiocls.tracking.wrappers import BackgroundTracker

THE_MACHINES = ["ENOSPC", "EDQUOT", "EROFS", "EFBIG", "EIO", "ESTALE", "EMFILE", "ENFILE", "ENOMEM"]
GIB = 1 << 30


def error_of(name: str, path: Path | None = None) -> OSError:
    number = getattr(errno, name)
    words = [os.strerror(number), *([str(path)] if path else [])]
    return OSError(number, *words)


# What is whose


@pytest.mark.parametrize("name", THE_MACHINES)
def test_errors_of_the_system_are_told_with_their_folder_and_what_to_do(name, tmp_path):
    fault = fault_of(error_of(name, tmp_path / "a/file"))
    assert fault is not None
    said = str(fault)
    assert os.strerror(getattr(errno, name)) in said
    assert str(tmp_path) in said or name in ("EMFILE", "ENFILE", "ENOMEM")
    assert "--runs" in said or "--workers" in said
    assert fault.exit_code == 75


def test_an_error_without_a_path_is_told_with_the_fullest_of_the_folders(tmp_path):
    assert str(tmp_path) in str(fault_of(error_of("ENOSPC"), tmp_path))
    assert "are free" in str(fault_of(error_of("ENOSPC"), tmp_path))


def test_a_file_above_its_limit_is_not_told_to_free_room(tmp_path):
    said = str(fault_of(error_of("EFBIG", tmp_path / "file")))
    assert "ulimit -f" in said
    assert "free" not in said


def test_what_lies_behind_an_error_is_found():
    error = DataError("a.wav: cannot be read")
    error.__cause__ = error_of("EMFILE")
    assert fault_of(error) is not None


@pytest.mark.parametrize(
    "error",
    [
        DataError("a.wav: no sound"),
        FileNotFoundError(2, "No such file", "/a"),
        ValueError("disk"),
        PermissionError(13, "Permission denied", "/data/a.wav"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_are_the_trials_own(error, tmp_path):
    assert fault_of(error, tmp_path) is None


def test_a_folder_of_ours_that_refuses_is_the_machines_fault(tmp_path):
    refused = PermissionError(13, "Permission denied", str(tmp_path / "trial/history.jsonl"))
    assert fault_of(refused, tmp_path) is not None
    assert fault_of(refused, tmp_path / "elsewhere") is None


def test_numpys_words_for_a_full_disk_are_understood(tmp_path):
    assert fault_of(OSError("1000 requested and 512 written"), tmp_path) is not None


def test_memory_that_the_machine_has_is_missing_by_the_machines_fault():
    with pytest.raises(MemoryError) as caught:
        np.empty(1 << 60, np.uint8)
    assert fault_of(caught.value) is None, "more than any machine has"
    error = MemoryError()
    error.shape, error.dtype = (1 << 20,), np.dtype(np.float32)  # type: ignore[attr-defined]
    assert "4.0 MiB were requested" in str(fault_of(error))
    words = (
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate {} bytes."
    )
    assert fault_of(RuntimeError(words.format(1 << 20))) is not None
    assert fault_of(RuntimeError(words.format(1 << 60))) is None


def test_a_process_that_holds_nearly_all_memory_has_used_it_up_itself(monkeypatch):
    held = psutil.Process().memory_info().rss
    monkeypatch.setattr(memory, "_container", lambda: iter([held + 100]))
    assert fault_of(MemoryError()) is None
    monkeypatch.setattr(memory, "_container", lambda: iter([held + GIB]))
    assert fault_of(MemoryError()) is not None


def test_too_many_threads_are_the_machines_fault():
    assert "ulimit -u" in str(fault_of(RuntimeError("can't start new thread")))


@pytest.mark.parametrize(
    ("text", "is_fault"),
    [
        ("OSError: [Errno 28] No space left on device: 'x.pt'", True),
        ("write /a/run.wandb: no space left on device", True),
        ("Disk quota exceeded", True),
        ("touch: cannot touch 'x': Read-only file system", True),
        ("ValueError: no space between classes left", False),
        ("", False),
    ],
)
def test_other_programs_are_understood_by_what_they_write(text, is_fault):
    assert (fault_in(text) is not None) is is_fault


def test_of_folders_on_one_disk_the_first_is_named_although_others_fill_it_meanwhile(
    tmp_path, monkeypatch
):
    left = iter(range(100, 0, -1))
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=next(left)))
    folders = [tmp_path / name for name in ("runs", "cache", "temporary")]
    assert f"No space left on device: {folders[0]} " in str(fault_of(error_of("ENOSPC"), *folders))


# A trial


def tiny_job(folder: Path, cache: Path, **changes: Any) -> NativeJob:
    return trainable_job(resolve([TINY, changes], "tiny"), folder, cache)


def full(*_: Any, **__: Any) -> None:
    raise error_of("ENOSPC")


WRITES = ["begin", "write_config", "append_history", "write_resume", "write_checkpoint", "finish"]


@pytest.mark.parametrize("name", THE_MACHINES)
def test_every_fault_of_the_machine_interrupts(tmp_path, cache, monkeypatch, name):
    def refuse(*_: Any) -> None:
        raise error_of(name)

    monkeypatch.setattr(snapshots, "EVERY_S", 0.0)
    monkeypatch.setattr(TrialFolder, "write_resume", refuse)
    job = tiny_job(tmp_path, cache)
    event = train(job, cache)
    assert isinstance(event, Interrupted)
    assert event.fault
    assert job.trial.state() == "pending"


@pytest.mark.parametrize("write", WRITES)
def test_a_full_disk_leaves_the_trial_pending_whatever_was_being_written(
    tmp_path, cache, monkeypatch, write
):
    job = tiny_job(tmp_path, cache)
    monkeypatch.setattr(snapshots, "EVERY_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, write, full)
        event = train(job, cache)
    assert isinstance(event, Interrupted)
    assert f"No space left on device: {tmp_path}" in event.fault
    assert job.trial.state() == "pending"
    assert isinstance(train(job, cache), Done)


def test_a_trial_interrupted_by_a_full_disk_goes_on_to_the_same_numbers(
    tmp_path, cache, monkeypatch
):
    whole, job = (
        tiny_job(tmp_path / name, cache, **{"train.epochs": 4}) for name in ("whole", "job")
    )
    train(whole, cache)
    append = TrialFolder.append_history

    def until_epoch_3(self: TrialFolder, row: dict[str, Any]) -> None:
        if row["epoch"] == 3:
            raise error_of("ENOSPC")
        append(self, row)

    monkeypatch.setattr(snapshots, "EVERY_S", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "append_history", until_epoch_3)
        assert isinstance(train(job, cache), Interrupted)
    assert job.trial.resume() is not None
    assert isinstance(train(job, cache), Done)
    assert job.trial.record().metrics == whole.trial.record().metrics
    assert job.trial.checkpoint.read_bytes() == whole.trial.checkpoint.read_bytes()


def test_a_cache_without_room_interrupts_and_is_named(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(feature_cache, "reserve", full)
    job = tiny_job(tmp_path, cache, **{"features.n_mels": 9})
    event = train(job, cache)
    assert isinstance(event, Interrupted)
    assert str(cache) in event.fault
    assert "MiB are needed" in event.fault


def test_memory_that_others_hold_interrupts_and_a_trial_too_large_fails(
    tmp_path, cache, monkeypatch
):
    def missing(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(TrialFolder, "append_history", missing)
    assert isinstance(train(tiny_job(tmp_path / "a", cache), cache), Interrupted)
    monkeypatch.setattr(memory, "_container", lambda: iter([1]))
    event = train(tiny_job(tmp_path / "b", cache), cache)
    assert isinstance(event, Failed)
    assert event.cause == "out_of_memory"


def test_a_trial_that_fails_by_itself_on_a_full_disk_stops_the_launch_too(
    tmp_path, cache, monkeypatch
):
    monkeypatch.setattr(TrialFolder, "fail", full)
    event = train(tiny_job(tmp_path, cache, **{"budget.max_params": 1}), cache)
    assert isinstance(event, Failed)
    assert "No space left" in event.fault


# Tracking


def test_a_full_disk_under_tracking_is_reported_as_a_fault(tmp_path):
    report = BackgroundTracker(full, folder=tmp_path).finish(Ending())
    assert str(tmp_path) in report.fault


def test_a_trial_whose_tracking_met_a_full_disk_is_done_and_says_so(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(wandb_run, "media_of", full)
    job = replace(tiny_job(tmp_path, cache), tracking=OFFLINE)
    event = train(job, cache)
    assert isinstance(event, Done)
    assert "is incomplete" in event.note
    assert "No space left" in event.fault


def test_tracking_that_fails_otherwise_is_no_fault_of_the_machine():
    def broken() -> Any:
        raise ValueError("no server")

    assert BackgroundTracker(broken).finish(Ending()) == FinishReport(
        "tracking stopped: ValueError: no server"
    )


# A launch


class Answering:
    """An executor with room for two trials, which ends each by the event given for it."""

    def __init__(self, answers: dict[str, Any]):
        self.answers, self.submitted, self.events = answers, [], []

    def num_free(self) -> int:
        return 2 - len(self.events)

    def submit(self, job: NativeJob) -> None:
        self.submitted.append(job.id)
        self.events.append(self.answers[job.id])

    def end(self, trial_id: str) -> None:
        """Nothing to do."""

    def poll(self, timeout_s: float) -> list[Any]:
        events, self.events = self.events, []
        return events

    def stop(self, grace_s: float) -> list[Any]:
        return []


class Source:
    """Trials by name."""

    def __init__(self, folder: Path, names: str):
        self.waiting, self.folder = list(names), folder

    def next(self) -> NativeJob | None:
        cell = Cell(self.waiting.pop(0), "a", 0, 1) if self.waiting else None
        return cell and make_job(self.folder, cell)

    def is_over(self) -> bool:
        return not self.waiting

    def tell(self, event: Any) -> None:
        """Nothing to do."""

    def trials_to_stop(self) -> tuple[str, ...]:
        return ()

    def progress(self) -> Any:
        return SourceProgress()


FAULTS = {
    "interrupted": Interrupted("a", fault="disk full"),
    "done": Done("a", fault="disk full"),
    "failed": Failed("a", "error", "m", fault="disk full"),
    "lost": Lost("a", "worker killed by SIGBUS", fault="disk full"),
}


@pytest.mark.parametrize("event", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("names", ["a", "abcdef"])
def test_the_first_fault_stops_the_launch_and_nothing_is_tried_again(tmp_path, event, names):
    executor = Answering({name: event if name == "a" else Done(name) for name in names})
    launch = Launch(Source(tmp_path, names), lambda status: None)
    launch.drive(executor, threading.Event())
    assert (launch.stopped_by, launch.fault) == ("machine", "disk full")
    assert executor.submitted == list(names[:2])
    assert exit_code_of(launch.stopped_by, {"done": 0, "pending": 1}) == 75
    assert not (tmp_path / "a" / "failure.json").exists() or isinstance(event, Failed)


def test_a_scheduler_that_cannot_write_itself_stops_resumably(tmp_path, monkeypatch):
    launch = Launch(Source(tmp_path, "a"), lambda status: None)
    launch.source.tell = full  # type: ignore[method-assign]
    launch.drive(Answering({"a": Done("a")}), threading.Event())
    assert launch.stopped_by == "machine"
    assert "No space left" in launch.fault


def test_any_other_error_of_a_scheduler_is_raised(tmp_path):
    launch = Launch(Source(tmp_path, "a"), lambda status: None)

    def broken(event: Any) -> None:
        raise FileNotFoundError(2, "No such file")

    launch.source.tell = broken  # type: ignore[method-assign]
    with pytest.raises(FileNotFoundError):
        launch.drive(Answering({"a": Done("a")}), threading.Event())


def test_a_study_that_cannot_be_begun_on_a_full_disk_is_resumable(tmp_path, monkeypatch):
    monkeypatch.setattr("audiocls.store.lease.os.link", full)
    with pytest.raises(MachineFault):
        require_shareable(tmp_path / "s")


@pytest.mark.parametrize("name", ["ENOSPC", "EACCES", "EMFILE"])
def test_a_command_ends_with_75_and_a_sentence(tmp_path, monkeypatch, name):
    def refuse(*_: Any, **__: Any) -> None:
        raise error_of(name, Path("relative/file"))

    monkeypatch.setattr("audiocls.library.available", refuse)
    ended = CliRunner().invoke(app, ["ablation", "list"])
    assert ended.exit_code == 75
    assert os.strerror(getattr(errno, name)) in ended.output
    assert "Nothing that was finished is lost" in ended.output


# Workers and their temporary files


@contextmanager
def worker_of(tmp_path: Path, cache: Path) -> Iterator[LocalExecutor]:
    executor = LocalExecutor(["cpu"], cache, tmp_path / "study/workers.log")
    try:
        yield executor
    finally:
        executor.stop(10)


def end_of(executor: LocalExecutor) -> Any:
    for _ in range(600):
        for event in executor.poll(0.1):
            if isinstance(event, Done | Failed | Interrupted | Lost):
                return event
    raise AssertionError("no end")


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [each for each in found if is_worker(each)]


def test_a_worker_that_dies_on_a_mapped_file_is_the_machines_fault_and_leaves_nothing(
    tmp_path, cache, monkeypatch
):
    """Its temporary files lie in the study, and go with it."""
    (tmp_path / "system").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "system"))
    study = tmp_path / "study"
    config = resolve([TINY, {"train.epochs": 100_000}], "tiny")
    with worker_of(tmp_path, cache) as executor:
        executor.submit(replace(trainable_job(config, study, cache), tracking=OFFLINE))
        while not list(study.glob("tmp/*/*/*")):
            executor.poll(0.1)
        (worker,) = children()
        worker.kill()
        assert isinstance(end_of(executor), Lost)
        short = trainable_job(
            resolve([TINY], "tiny"), study, cache, cell=Cell("b", "baseline", 0, 1)
        )
        executor.submit(replace(short, tracking=OFFLINE))
        assert isinstance(end_of(executor), Done)
    assert not (study / "tmp").exists()
    assert list((tmp_path / "system").iterdir()) == []


@dataclass
class DeadWorker:
    """A worker that was killed, as the executor sees it."""

    trial_ids: tuple[str, ...] = ()
    is_for_memory: bool = True

    def exit_reason(self) -> str:
        return "worker killed by SIGKILL"

    def is_killed_by(self, number: int) -> bool:
        return number == signal.SIGKILL

    def is_killed_for_memory(self) -> bool:
        return self.is_for_memory


@pytest.mark.parametrize("others", [[], ["b"], ["b", "c"]])
def test_a_worker_killed_for_memory_is_the_machines_fault_unless_it_ran_alone(tmp_path, others):
    workers = [
        DeadWorker(trial_ids) for trial_ids in [*[(each,) for each in others], ()]
    ]  # it is replaced already
    executor: Any = SimpleNamespace(_workers=workers, _cache=tmp_path)
    lost = LocalExecutor._lost(executor, DeadWorker(), "a")  # type: ignore[arg-type]
    assert lost.cause == "out_of_memory"
    assert bool(lost.fault) is bool(others)
    other = LocalExecutor._lost(executor, DeadWorker(is_for_memory=False), "a")  # type: ignore[arg-type]
    assert (other.cause, other.fault) == ("signal", "")


def test_what_a_killed_launch_left_is_removed_by_the_next_and_a_living_ones_is_not(tmp_path):
    words = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from audiocls.execution.temporary import TemporaryFolders\n"
        "folders = TemporaryFolders(Path(sys.argv[1]))\n"
        "(folders.new() / 'left').write_text('x')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", words, str(tmp_path)], check=False)
    assert list(tmp_path.glob("tmp/*/*/left"))
    living = TemporaryFolders(tmp_path)
    mine = living.new()
    assert not list(tmp_path.glob("tmp/*/*/left"))
    TemporaryFolders(tmp_path).close()
    assert mine.is_dir()
    living.close()
    assert not (tmp_path / "tmp").exists()


@pytest.mark.parametrize("call", ["mkdir", "listdir"])
def test_launches_that_begin_and_end_together_may_remove_the_folder_of_all_of_theirs(
    tmp_path, monkeypatch, call
):
    """It is empty then; another launch may have seen it a moment before."""
    real, removed = getattr(os, call), []

    def meanwhile(path: Any, *given: Any) -> Any:
        others = tmp_path / "tmp"
        if tmp_path < Path(path) and others.is_dir() and not removed:
            removed.append(others.rmdir())
        return real(path, *given)

    if call == "listdir":
        (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(os, call, meanwhile)
    folders = TemporaryFolders(tmp_path)
    assert removed == [None]
    assert folders.new().is_dir()
    folders.close()
    assert not (tmp_path / "tmp").exists()


def test_what_cells_will_write_is_told_although_another_launch_removes_its_files(tmp_path):
    folder = StudyFolder(tmp_path / "runs" / "a")
    trial = folder.trial("abc").path
    trial.mkdir(parents=True)
    (trial / "record.json").write_bytes(bytes(1 << 20))
    (trial / ".lease").symlink_to(trial / "removed")  # listed, and not there
    counts = {"done": 1, "failed": 0, "running": 0, "pending": 3}
    study = SimpleNamespace(name="a", kind="ablation", search=None, of="")
    fault = {"fault": "disk full", "stopped_by": "machine", "study": study, "counts": counts}
    said = launch_summary._needed(SimpleNamespace(**fault), folder)
    assert "3.0 MiB" in said


# Real limits of this process


@contextmanager
def limited(resource_: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(resource_)
    resource.setrlimit(resource_, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource_, before)


def test_too_many_open_files_interrupt_a_trial(tmp_path, cache):
    job = tiny_job(tmp_path, cache)
    with limited(resource.RLIMIT_NOFILE, 3):
        event = train(job, cache)
    assert isinstance(event, Interrupted)
    assert "Too many open files" in event.fault
    assert isinstance(train(job, cache), Done)


def test_a_file_larger_than_allowed_interrupts_a_trial(tmp_path, cache):
    job = tiny_job(tmp_path, cache)
    with limited(resource.RLIMIT_FSIZE, 4096):
        event = train(job, cache)
    assert isinstance(event, Interrupted)
    assert "File too large" in event.fault
    assert json.loads(json.dumps(event.fault))
    assert isinstance(train(job, cache), Done)


def test_a_proposal_that_the_disk_does_not_take_names_the_study_and_is_no_trial(tmp_path):
    study = StudyFolder(tmp_path)
    study.propose(Proposal("a1", {"lr": 0.1}))
    length = (tmp_path / "proposals.jsonl").stat().st_size
    with (
        limited(resource.RLIMIT_FSIZE, length + 3),
        pytest.raises(MachineFault, match=re.escape(str(tmp_path))),
    ):
        study.propose(Proposal("b2", {"lr": 0.2}))
    assert study.all_proposals() == [Proposal("a1", {"lr": 0.1})]
    study.propose(Proposal("c3", {"lr": 0.3}))
    assert [proposal.id for proposal in study.all_proposals()] == ["a1", "c3"]
