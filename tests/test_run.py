"""Scheduling and running: what comes next, what counts as failed, and why."""

import errno
import subprocess
import threading
from collections.abc import Sequence

import pytest
from helpers.recipes import TINY
from helpers.records import COST, PROVENANCE
from helpers.trials import dotted, make_job, train, trainable_job

from audiocls.config import resolve
from audiocls.console import stderr
from audiocls.console.progress import progress_view, summary
from audiocls.errors import UsageError
from audiocls.execution import time_left
from audiocls.execution.devices import slots, worker_environment
from audiocls.execution.gpus import Gpu, installed_gpus, visible_gpus
from audiocls.execution.job import NativeJob, NativeSpec, job_from_json
from audiocls.execution.messages import (
    Done,
    Epoch,
    Extraction,
    Failed,
    Interrupted,
    Lost,
    Running,
    Stage,
    Status,
    from_json,
    to_json,
)
from audiocls.execution.scheduler import MAX_LOSSES, Launch, Limits
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Cell, Record, Study, StudyFolder, TrialFolder
from audiocls.store.attempts import Attempts
from audiocls.studies.sources.fixed import FixedSource
from audiocls.training.fit import Signal


def trained(tmp_path, cache, **changes):
    """The last event of a tiny trial under dotted changes, and its job."""
    job = trainable_job(resolve([TINY, dotted(changes)], "tiny"), tmp_path, cache)
    return train(job, cache), job


@pytest.mark.parametrize(
    ("changes", "cause", "said"),
    [
        ({"optim__lr": 1e30}, "nan", "lower optim.lr"),
        ({"budget__max_params": 1}, "error", "max_params"),
        ({"fold": 9}, "data", "fold"),
    ],
)
def test_a_failure_is_told_and_kept_by_cause_with_its_traceback(
    tmp_path, cache, changes, cause, said
):
    event, one = trained(tmp_path, cache, **changes)
    kept = one.trial.failure()
    assert isinstance(event, Failed)
    assert event.cause == kept.cause == cause
    assert said in event.message
    assert "Traceback" in kept.traceback
    assert kept.attempt == 1


def test_a_failure_is_told_even_if_the_disk_takes_no_file(tmp_path, cache, monkeypatch):
    def full(self, failure):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TrialFolder, "fail", full)
    event, _ = trained(tmp_path, cache, budget__max_params=1)
    assert "max_params" in event.message
    assert "No space left" in event.message


def test_a_trial_asked_to_stop_is_interrupted_and_goes_on_where_it_was(tmp_path, cache):
    config = resolve([TINY, {"train.epochs": 3}], "tiny")
    one = trainable_job(config, tmp_path, cache)
    events = []
    train_trial(one, WorkerCache(cache), events.append, lambda: Signal.STOP)
    assert isinstance(events[-1], Interrupted)
    train_trial(one, WorkerCache(cache), events.append, lambda: Signal.CONTINUE)
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [1, 2, 3]
    assert one.trial.record().attempt == 2


def test_a_trial_whose_worker_was_killed_behind_its_record_leaves_no_snapshot(tmp_path, cache):
    one = trainable_job(resolve([TINY], "tiny"), tmp_path, cache)
    train(one, cache)
    one.trial.write_resume(b"snapshot")
    assert train(one, cache) == Done(one.id)
    assert one.trial.resume() is None


def test_a_trial_that_has_seen_enough_is_tested_with_its_best_epoch_so_far(tmp_path, cache):
    config = resolve([TINY, {"train.epochs": 3}], "tiny")
    one = trainable_job(config, tmp_path, cache)
    events = []
    train_trial(one, WorkerCache(cache), events.append, lambda: Signal.FINISH)
    assert isinstance(events[-1], Done)
    record = one.trial.record()
    assert record.early_stopped
    assert record.cost.epochs == record.metrics["best/epoch"] == 1
    assert "test/accuracy" in record.metrics


class Scripted:
    """An executor that answers each submission with the events it was given."""

    def __init__(self, answers, num_slots=1):
        self.answers = {trial: list(events) for trial, events in answers.items()}
        self.free = num_slots
        self.submitted: list[str] = []
        self.events: list[object] = []
        self.ended: list[str] = []
        self.is_stopped = False

    def num_free(self) -> int:
        return self.free

    def submit(self, one: NativeJob) -> None:
        self.submitted.append(one.id)
        self.free -= 1
        self.events.append(self.answers[one.id].pop(0))

    def end(self, trial_id: str) -> None:
        self.ended.append(trial_id)

    def poll(self, timeout_s: float) -> Sequence[object]:
        events, self.events = self.events, []
        self.free += len(events)
        return events

    def stop(self, grace_s: float) -> Sequence[object]:
        self.is_stopped = True
        return []


def fixed_source(tmp_path, names, source=FixedSource):
    """The source of a study with a cell of each name."""
    cells = tuple(Cell(name, "baseline", i, 1) for i, name in enumerate(names))
    study, folder = Study("s", cells=cells), StudyFolder(tmp_path / "s")
    return source(folder, study, lambda cell: make_job(tmp_path, cell))


def driven(tmp_path, answers, **how):
    executor, seen = Scripted(answers), []
    limits = Limits(how.get("max_s"), how.get("retries", 0), how.get("max_first_failures"))
    launch = Launch(fixed_source(tmp_path, answers), seen.append, limits)
    launch.drive(executor, how.get("stop") or threading.Event())
    return launch, executor, seen


def test_every_task_is_submitted_once_in_order(tmp_path):
    launch, executor, seen = driven(tmp_path, {"a": [Done("a")], "b": [Done("b")]})
    assert executor.submitted == ["a", "b"]
    assert executor.is_stopped
    assert launch.num_done == seen[-1].num_done == 2


@pytest.mark.parametrize(
    "death",
    [Lost("a", "worker killed by SIGKILL"), Interrupted("a", death="a process was killed")],
)
def test_a_trial_that_lost_a_process_comes_next_and_in_the_end_fails(tmp_path, death):
    lost = [death] * MAX_LOSSES
    launch, executor, seen = driven(tmp_path, {"a": lost, "b": [Done("b")]})
    assert executor.submitted == ["a"] * MAX_LOSSES + ["b"]
    assert (launch.num_done, launch.num_failed) == (1, 1)
    assert TrialFolder(tmp_path / "a").failure().cause == "signal"
    assert "3 times" in "".join(message for status in seen for message in status.messages)


def test_a_trial_whose_worker_dies_behind_its_record_is_no_failure_however_often(tmp_path):
    """Where a server has opened its run, it is logged again each time."""

    class Recording(Scripted):
        def submit(self, one: NativeJob) -> None:
            super().submit(one)
            if one.trial.record() is None:
                one.trial.finish(Record(one.id, 0, 1, 1, {}, COST, PROVENANCE, 30, 10, 10))

    answers, seen = {"a": [Lost("a", "worker killed")] * MAX_LOSSES}, []
    launch = Launch(fixed_source(tmp_path, answers), seen.append)
    launch.drive(Recording(answers), threading.Event())
    assert (launch.num_done, launch.num_failed) == (1, 0)
    assert TrialFolder(tmp_path / "a").failure() is None
    messages = "".join(message for status in seen for message in status.messages)
    assert "after its record was written: its W&B run is incomplete" in messages


def test_what_a_full_disk_keeps_from_one_trial_is_not_kept_from_the_others(tmp_path, monkeypatch):
    """Here the death of `a` cannot be counted, nor that `b` was stopped in order."""
    left, real = [], Attempts.close

    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def close(self):
        left.append(self.folder.name)
        full(self) if self.folder.name == "b" else real(self)

    monkeypatch.setattr(Attempts, "lose", full)
    monkeypatch.setattr(Attempts, "close", close)
    answers = {
        "a": [Lost("a", "worker killed")],
        "b": [Epoch("b", 1, 2)],
        "c": [Epoch("c", 1, 2)],
        "d": [Done("d")],
    }
    launch = Launch(fixed_source(tmp_path, answers), lambda status: None)
    launch.drive(Scripted(answers, num_slots=4), threading.Event())
    assert (launch.num_done, launch.stopped_by) == (1, "machine")
    assert "c" in left
    assert [TrialFolder(tmp_path / name).holder() for name in answers] == [None] * 4


def test_a_lost_program_is_said_to_start_anew_and_a_lost_trial_to_go_on(tmp_path):
    answers = {
        "a": [Lost("a", "killed", is_resumable=False), Done("a")],
        "b": [Lost("b", "killed"), Done("b")],
    }
    *_, seen = driven(tmp_path, answers)
    messages = [message for status in seen for message in status.messages]
    assert [message.rpartition("from ")[2] for message in messages] == [
        "its beginning",
        "its last snapshot",
    ]


def test_the_first_status_knows_what_was_started(tmp_path):
    *_, seen = driven(tmp_path, {"a": [Done("a")], "b": [Done("b")]})
    assert len(seen[0].running) == 1


def test_of_programs_the_time_left_is_told_by_whole_trials_and_none_is_left_at_the_end(tmp_path):
    answers = {name: [Done(name)] for name in "abc"}
    *_, seen = driven(tmp_path, answers)
    left = [(status.num_done, status.left_s) for status in seen]
    assert all((seconds is None) == (num_done == 0) for num_done, seconds in left)
    assert left[-1] == (3, 0.0)


def test_one_note_of_forty_trials_is_said_once_with_their_number(tmp_path):
    folder = tmp_path / "s/trials"

    def left_behind(name: str) -> Done:
        why = "no route to host. It lies in {folder}/{name}/wandb; upload it with: audiocls sync s"
        run = f"W&B run {name} was not uploaded: {why.format(folder=folder, name=name)}"
        return Done(name, note=run)

    answers = {f"t{i:02}": [left_behind(f"t{i:02}")] for i in range(40)}
    answers["last"] = [Done("last", note="tracking stopped: full")]
    launch, _, seen = driven(tmp_path, answers)
    messages = [message for status in seen for message in status.messages]
    assert [message.rpartition(" ")[2] for message in messages] == ["s", "full"]
    first, last = launch.notes.sentences()
    assert first.startswith("40 trials (baseline s0 f1, baseline s1 f1, ")
    assert " and 37 more): W&B run … was not uploaded: no route to host. It lies in …" in first
    assert first.endswith("upload it with: audiocls sync s")
    assert last.endswith(": tracking stopped: full")


def test_a_failed_trial_is_not_tried_again(tmp_path):
    launch, executor, _ = driven(tmp_path, {"a": [Failed("a", "nan", "m")], "b": [Done("b")]})
    assert executor.submitted == ["a", "b"]
    assert launch.num_failed == 1


def test_a_failed_trial_is_tried_again_as_often_as_asked_for(tmp_path):
    failing = [Failed("a", "error", "m"), Failed("a", "error", "m"), Done("a")]
    launch, executor, _ = driven(tmp_path, {"a": failing, "b": [Done("b")]}, retries=2)
    assert executor.submitted.count("a") == 3
    assert (launch.num_done, launch.num_failed) == (2, 0)


def test_a_machine_on_which_every_trial_fails_does_not_burn_the_sweep(tmp_path):
    failing = {name: [Failed(name, "error", "m")] for name in "abcdef"}
    launch, executor, _ = driven(tmp_path, failing, max_first_failures=3)
    assert executor.submitted == ["a", "b", "c"]
    assert launch.stopped_by == "failures"


def test_one_success_shows_that_the_machine_is_sound(tmp_path):
    answers = {"a": [Done("a")]} | {name: [Failed(name, "error", "m")] for name in "bcdef"}
    launch, executor, _ = driven(tmp_path, answers, max_first_failures=3)
    assert executor.submitted == list("abcdef")
    assert launch.stopped_by is None


def test_what_has_seen_enough_is_ended_by_its_name(tmp_path):
    class Impatient(FixedSource):
        def trials_to_stop(self):
            return ["a"]

    executor = Scripted({"a": [Done("a")]})
    source = fixed_source(tmp_path, ["a"], Impatient)
    Launch(source, lambda status: None).drive(executor, threading.Event())
    assert executor.ended == ["a"]


def test_nothing_is_submitted_once_somebody_wants_to_stop(tmp_path):
    stop = threading.Event()
    stop.set()
    launch, executor, _ = driven(tmp_path, {"a": [Done("a")]}, stop=stop)
    assert executor.submitted == []
    assert executor.is_stopped
    assert launch.stopped_by == "signal"


def test_somebody_who_wants_to_stop_is_told_that_it_was_heard_and_how_long_it_takes(tmp_path):
    stop = threading.Event()

    class Running(Scripted):
        def submit(self, one: NativeJob) -> None:
            self.free -= 1
            stop.set()

    seen: list[Status] = []
    launch = Launch(fixed_source(tmp_path, ["a"]), seen.append)
    launch.drive(Running({}), stop)
    (said,) = [message for status in seen for message in status.messages]
    assert said.startswith("stopping: ")
    assert f"{launch.limits.grace_s:g} s" in said


def test_an_exhausted_budget_stops(tmp_path):
    launch, executor, _ = driven(tmp_path, {"a": [Done("a")]}, max_s=0.0)
    assert launch.stopped_by == "budget"
    assert executor.submitted == []


def test_epochs_of_pre_training_are_shown_as_such_and_are_no_pace_of_the_trial(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(time_left, "LEAST_S", 0.0)
    statuses: list[Status] = []
    launch = Launch(fixed_source(tmp_path, ["a"]), statuses.append)
    launch._fill(Scripted({"a": [Done("a")]}))
    launch._handle([Stage("a", 3, 20)])
    [running] = statuses[-1].running
    assert (running.is_pretraining, running.epoch, running.num_epochs) == (True, 3, 20)
    assert statuses[-1].left_s is None
    assert "1 running (1 pre-training, epoch 3/20)" in summary(statuses[-1]).plain
    launch._handle([Epoch("a", 1, 2)])
    assert not statuses[-1].running[0].is_pretraining
    assert statuses[-1].left_s is not None
    assert "pre-training" not in summary(statuses[-1]).plain


def test_features_that_are_computed_are_shown_before_any_epoch(tmp_path):
    statuses: list[Status] = []
    launch = Launch(fixed_source(tmp_path, ["a"]), statuses.append)
    launch._fill(Scripted({"a": [Done("a")]}))
    launch._handle([Extraction("a", 64, 800)])
    assert "1 running (1 at features, clip 64/800)" in summary(statuses[-1]).plain
    assert statuses[-1].left_s is None
    launch._handle([Epoch("a", 1, 2)])
    assert "features" not in summary(statuses[-1]).plain


@pytest.mark.parametrize("width", [50, 80])
def test_a_launch_is_shown_in_a_line_each_however_narrow_the_terminal(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    running = (Running("lr=0.001," * 20, 3, 0), Running("b", 1, 40), Running("c", 0, 0))
    status = Status(num_total=12, num_done=3, running=running, elapsed_s=99.0)
    stderr().print(progress_view(status))
    lines = capsys.readouterr().err.rstrip().splitlines()
    assert len(lines) == 5 + (width < len(summary(status).plain))
    assert [line.split()[-1] for line in lines[-3:]] == ["logged", "1/40", "starting"]


@pytest.mark.parametrize(
    "event",
    [
        Epoch("a", 1, 2),
        Stage("a", 1, 2),
        Extraction("a", 64, 800),
        Done("a", "note"),
        Failed("a", "nan", "m"),
        Interrupted("a"),
        Lost("a", "h"),
    ],
)
def test_statuses_survive_the_pipe(event):
    assert from_json(to_json(event)) == event


def test_jobs_survive_the_pipe(tmp_path):
    one = make_job(tmp_path, config={"model": {"dropout": 0.1}})
    assert job_from_json(one.to_json(), NativeSpec) == one


def test_without_gpus_there_is_a_worker_per_core_and_as_many_as_asked_for(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert set(slots("auto", None)) == {"cpu"}
    assert slots("auto", 3) == ["cpu"] * 3
    with pytest.raises(UsageError, match="cuda:0"):
        slots("cuda:0", None)


LISTED = [f"GPU-{number:02}" for number in range(8)]


@pytest.fixture
def eight_gpus(monkeypatch):
    eight = [Gpu(str(number), "NVIDIA H200", uuid) for number, uuid in enumerate(LISTED)]
    monkeypatch.setattr("audiocls.execution.gpus.installed_gpus", lambda: eight)


def test_gpus_get_a_worker_each_and_more_workers_are_spread_over_them(monkeypatch, eight_gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert slots("auto", None) == ["cuda:0", "cuda:1"]
    assert slots("auto", 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert slots("cuda:1", None) == ["cuda:1"]


@pytest.mark.parametrize(
    ("variable", "visible"),
    [
        (None, ["0", "1", "2", "3", "4", "5", "6", "7"]),
        ("4,7", ["4", "7"]),
        (" 4 , 7", ["4", "7"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("3,-1,4", ["3"]),
        ("3,8,4", ["3"]),  # there are eight
        ("3,,4", ["3"]),
        ("3,4,3", []),
        ("2nd", ["2"]),
        ("GPU-06,GPU-01", ["6", "1"]),
        ("GPU-0", []),  # of all of them
        ("MIG-a,MIG-b", ["MIG-a"]),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(variable, visible):
    assert visible_gpus(variable, [*LISTED, "MIG-a"]) == visible


@pytest.mark.parametrize("variable", ["0", "-1", "0,1", "GPU-00"])
def test_without_a_driver_no_variable_makes_a_gpu(variable, monkeypatch):
    monkeypatch.setattr("audiocls.execution.gpus.installed_gpus", list)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    assert set(slots("auto", None)) == {"cpu"}


def test_the_kernel_lists_gpus_where_nvidia_smi_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("audiocls.execution.gpus.DRIVER", tmp_path / "gpus")
    installed_gpus.cache_clear()
    assert installed_gpus() == ()
    installed_gpus.cache_clear()
    for number in (0, 1):
        folder = tmp_path / f"gpus/0000:0{number}:00.0"
        folder.mkdir(parents=True)
        text = f"Model: \t H200\nGPU UUID: \t GPU-{number}\nVideo BIOS: \t 1\n"
        (folder / "information").write_text(text)
    assert installed_gpus() == (Gpu("0", "H200", "GPU-0"), Gpu("1", "H200", "GPU-1"))
    installed_gpus.cache_clear()


def test_parts_of_a_gpu_are_listed_with_its_name(monkeypatch):
    listing = (
        "GPU 0: NVIDIA A100 (UUID: GPU-a)\n  MIG 1g.5gb     Device  0: (UUID: MIG-b)\n"
        "GPU 1: NVIDIA T4 (UUID: GPU-c)\n"
    )
    listed = subprocess.CompletedProcess([], 0, stdout=listing)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: listed)
    installed_gpus.cache_clear()
    part = Gpu("MIG-b", "NVIDIA A100 MIG 1g.5gb", "MIG-b")
    assert installed_gpus() == (
        Gpu("0", "NVIDIA A100", "GPU-a"),
        part,
        Gpu("1", "NVIDIA T4", "GPU-c"),
    )
    installed_gpus.cache_clear()


def test_a_worker_sees_its_own_device_only_and_computes_on_one_thread(eight_gpus):
    inherited = {"CUDA_VISIBLE_DEVICES": "4,7", "HOME": "/home"}
    assert worker_environment(inherited, "cuda:1")["CUDA_VISIBLE_DEVICES"] == "7"
    tuned = worker_environment({}, "cpu")
    assert tuned["CUDA_VISIBLE_DEVICES"] == ""
    assert tuned["OMP_NUM_THREADS"] == "1"


def test_what_tracking_lacks_of_a_failed_trial_is_said_too(tmp_path):
    failing = Failed("a", "error", "no data", note="W&B run a-1 was not uploaded")
    _, _, seen = driven(tmp_path, {"a": [failing]})
    said = "".join(message for status in seen for message in status.messages)
    assert "no data; W&B run a-1 was not uploaded" in said
