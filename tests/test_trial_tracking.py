"""What a trial's W&B run says of how the trial ended, and what its stop button does."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from helpers.trials import dotted, train, trainable_job
from helpers.wandb_runs import log_run
from wandb_server import Server

from audiocls.config import Config
from audiocls.execution.job import NativeJob, TrackingConfig
from audiocls.execution.messages import Done, Event, Failed, Interrupted, Recorded
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Cell, TrialFolder
from audiocls.training.fit import Signal

Run = Callable[..., tuple[NativeJob, Event]]


@pytest.fixture
def run(tmp_path: Path, cache: Path, tiny_config: Callable[..., Config]) -> Run:
    """Train a tiny trial online, as the run that a server has named."""

    def trained(poll_signal: Signal = Signal.CONTINUE, **changes: Any) -> tuple[NativeJob, Event]:
        config = tiny_config(dotted(changes))
        cell = Cell("0123456789ab", "baseline", config.seed, config.fold)
        study = tmp_path / "tiny"
        job = trainable_job(
            config,
            study,
            cache,
            study="tiny",
            cell=cell,
            trial=TrialFolder(study / "trials" / cell.id),
            tracking=TrackingConfig("online", "p", run_id="given"),
        )
        return job, train(job, cache, poll_signal)

    return trained


@pytest.mark.parametrize(
    "fault",
    [{"budget__max_params": 10}, {"fold": 9}, {"optim__lr": 1e30}],
    ids=lambda one: next(iter(one)),
)
def test_a_trial_that_fails_at_any_moment_is_a_failed_run(run: Run, wandb_server: Server, fault):
    _, event = run(**fault)
    assert isinstance(event, Failed)
    assert wandb_server.run("given").state == "failed"
    assert not wandb_server.unknown


def test_a_trial_that_is_interrupted_is_no_finished_run_and_is_gone_on_with(
    run: Run, wandb_server: Server
):
    _, event = run(Signal.STOP)
    assert isinstance(event, Interrupted)
    assert wandb_server.run("given").state == "failed"
    job, event = run()
    assert event == Done(job.id)
    logged = wandb_server.run("given")
    assert logged.state == "finished"
    assert [row["epoch"] for row in logged.history if "train/loss" in row] == [1, 2]


def test_a_stop_button_ends_the_trial_with_what_it_has_and_it_is_said(
    run: Run, wandb_server: Server, tmp_path: Path
):
    log_run("given", folder=tmp_path / "before", mode="online", project="p", code=1, rows=[])
    wandb_server.stop_run("given")
    job, event = run(train__epochs=100_000)
    assert isinstance(event, Done)
    assert event.note == "ended early: somebody stopped its W&B run"
    record = job.trial.record()
    assert record is not None
    assert record.early_stopped
    logged = wandb_server.run("given")
    assert logged.state == "killed"
    assert "test/accuracy" in logged.summary


def test_a_runs_upload_may_wait_until_the_next_trial_is_trained_and_nothing_is_lost(
    wandb_server: Server, tmp_path: Path, cache: Path, tiny_config: Callable[..., Config]
):
    events: list[Event] = []
    uploads: list[Callable[[], None]] = []
    for name, run_id in (("aaaaaaaaaaaa", ""), ("bbbbbbbbbbbb", "given")):
        config, cell = tiny_config(), Cell(name, "baseline", 0, 1)
        online = TrackingConfig("online", "p", run_id=run_id)
        job = trainable_job(config, tmp_path / "tiny", cache, cell=cell, tracking=online)
        keep_on = partial(train_trial, job, WorkerCache(cache), events.append)
        keep_on(lambda: Signal.CONTINUE, uploads.append)
        assert events[-1] == Recorded(name)
        assert job.trial.record() is not None
    assert not [run for run in wandb_server.runs() if run.state == "finished"]
    for upload in uploads:
        upload()
    assert events[-2:] == [Done("aaaaaaaaaaaa"), Done("bbbbbbbbbbbb")]
    for run in wandb_server.runs():
        assert run.state == "finished"
        assert [row["epoch"] for row in run.history if "train/loss" in row] == [1, 2]
    assert len(wandb_server.runs()) == 2


def test_a_run_by_whose_metrics_a_server_chooses_has_ended_before_its_worker_takes_another(
    wandb_server: Server, tmp_path: Path, cache: Path, tiny_config: Callable[..., Config]
):
    events: list[Event] = []
    awaited = TrackingConfig("online", "p", run_id="given", is_awaited=True)
    cell, study = Cell("a", "baseline", 0, 1), tmp_path / "tiny"
    job = trainable_job(tiny_config(), study, cache, cell=cell, tracking=awaited)
    train_trial(job, WorkerCache(cache), events.append, lambda: Signal.CONTINUE, never)
    assert events[-1] == Done("a")
    assert wandb_server.run("given").state == "finished"


def test_a_trial_without_a_server_ends_before_its_worker_takes_another(
    tmp_path: Path, cache: Path, tiny_config: Callable[..., Config]
):
    events: list[Event] = []
    job = trainable_job(tiny_config(), tmp_path / "tiny", cache, cell=Cell("a", "baseline", 0, 1))
    train_trial(job, WorkerCache(cache), events.append, lambda: Signal.CONTINUE, never)
    assert events[-1] == Done("a")
    assert not [event for event in events if isinstance(event, Recorded)]


def never(upload: Callable[[], None]) -> None:
    raise AssertionError("there is nothing to upload")
