"""What a run's server has been told of it, by the real client."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tracking import RUN_INFO, epoch_row
from helpers.wandb_runs import read_run
from wandb_server import Server

from audiocls.tracking import Ending, FinishReport, RunInfo, start
from audiocls.tracking.breakdown import ClassScore, MisclassifiedClip, ScoreBreakdown

TABLES = ("test/classes", "test/confusion_table")
EVIDENCE = ScoreBreakdown(
    classes=(ClassScore("dog", 3, 0.5, None, None), ClassScore("rain", 2, 1.0, 0.5, 0.66)),
    confusion=np.array([[3, 0], [1, 1]]),
    misclassified=(MisclassifiedClip("clip-7", "rain", "dog", 0.9, np.zeros(800, np.float32)),),
    sample_rate=8000,
)


def told(server: Server, run_id: str = RUN_INFO.id) -> list[tuple[float, float]]:
    """Epoch and accuracy of each row of the server's history."""
    history = server.run(run_id).history
    return [(row["epoch"], row["val/accuracy"]) for row in history if "val/accuracy" in row]


def rows(*epochs: int) -> list[tuple[float, float]]:
    return [(epoch, epoch / 10) for epoch in epochs]


@pytest.fixture
def info(tmp_path: Path) -> RunInfo:
    return replace(RUN_INFO, folder=tmp_path)


def test_a_server_knows_all_that_was_told(wandb_server: Server, info: RunInfo):
    tracker = start("online", info)
    for epoch in (1, 2):
        tracker.log(epoch_row(epoch))
    assert tracker.finish(Ending({"best/epoch": 2.0, "cost/params": 7})) == FinishReport()
    run = wandb_server.run(RUN_INFO.id)
    assert (run.project, run.group, run.job_type) == ("audiocls", "dropout", "dropout=0.1")
    assert (run.state, run.config["optim"]) == ("finished", {"name": "adamw", "lr": 1e-3})
    assert (run.summary["best/epoch"], run.summary["cost/params"]) == (2, 7)
    assert told(wandb_server) == rows(1, 2)
    assert wandb_server.unknown == []


def test_a_resumed_run_is_told_each_epoch_once(wandb_server: Server, info: RunInfo):
    first = start("online", info)
    for epoch in (1, 2):
        first.log(epoch_row(epoch))
    first.finish(Ending(exit_code=1))
    assert wandb_server.run(RUN_INFO.id).state == "failed"
    history = tuple(epoch_row(epoch) for epoch in (1, 2, 3))  # of the third the server never heard
    second = start("online", replace(info, history=history))
    second.log(epoch_row(4))
    assert second.finish(Ending()) == FinishReport()
    assert told(wandb_server) == rows(1, 2, 3, 4)
    assert wandb_server.run(RUN_INFO.id).state == "finished"


def test_what_a_server_knows_already_is_not_told_again(wandb_server: Server, info: RunInfo):
    first = start("online", info)
    for epoch in (1, 2, 3):
        first.log(epoch_row(epoch))
    first.finish(Ending(exit_code=1))
    second = start("online", replace(info, history=(epoch_row(1),)))  # whose disk was behind
    for epoch in (2, 3, 4):
        second.log(epoch_row(epoch))
    second.finish(Ending())
    assert told(wandb_server) == rows(1, 2, 3, 4)


@pytest.mark.filterwarnings("ignore:Read the `app_url` setting:DeprecationWarning")
def test_a_run_belongs_to_the_sweep_that_is_named(wandb_server: Server, info: RunInfo):
    import wandb  # noqa: TID251  (registers the sweep)

    config = {"method": "grid", "parameters": {"seed": {"values": [0, 1]}}}
    sweep_id = wandb.sweep(config, project=RUN_INFO.project, entity=wandb_server.entity)
    tracker = start("online", replace(info, sweep_id=sweep_id))
    tracker.log(epoch_row(1))
    assert tracker.finish(Ending()) == FinishReport()
    run = wandb_server.run(RUN_INFO.id)
    assert (run.sweep, run.project, run.group) == (sweep_id, "audiocls", "dropout")


def test_an_agents_run_keeps_the_identity_that_its_server_gave(
    wandb_server: Server, info: RunInfo, monkeypatch
):
    monkeypatch.setenv("WANDB_RUN_ID", "given")
    tracker = start("online", replace(info, sweep_id="ours"))
    tracker.log(epoch_row(1))
    assert tracker.finish(Ending()) == FinishReport()
    assert [run.id for run in wandb_server.runs()] == ["given"]


def test_evidence_and_model_are_told_once(wandb_server: Server, info: RunInfo, tmp_path):
    model = tmp_path / "checkpoint.safetensors"
    for file in (model, model.with_suffix(".json")):
        file.write_text("{}")
    tracker = start("online", info)
    tracker.log(epoch_row(1))
    assert tracker.finish(Ending(evidence=lambda: EVIDENCE, model=model)) == FinishReport()
    run = wandb_server.run(RUN_INFO.id)
    tables = {name for name in run.files if name.endswith(".table.json")}
    assert {run.summary[name]["_type"] for name in TABLES} == {"table-file"}
    assert len(tables) == len(TABLES)
    sounds = run.summary["test/misheard"]
    assert (sounds["_type"], sounds["count"]) == ("audio", 1)
    assert sounds["captions"] == ["clip-7: rain predicted as dog (0.90)"]
    assert [name for name in run.files if name.endswith(".wav")]
    (kept,) = [artifact for artifact in wandb_server.artifacts() if artifact.type == "model"]
    assert kept.name == f"model-{RUN_INFO.id}"
    assert wandb_server.unknown == []


def test_a_run_ends_well_though_its_evidence_cannot_be_made(wandb_server: Server, info: RunInfo):
    def fail() -> ScoreBreakdown:
        raise ValueError("no such clip")

    tracker = start("online", info)
    tracker.log(epoch_row(1))
    note = tracker.finish(Ending({"test/accuracy": 0.5}, evidence=fail)).note
    assert note == f"W&B run {RUN_INFO.id} is incomplete: ValueError: no such clip"
    run = wandb_server.run(RUN_INFO.id)
    assert (run.state, run.summary["test/accuracy"]) == ("finished", 0.5)


def test_evidence_is_made_for_nobody_where_tracking_is_disabled(info: RunInfo):
    asked: list[Any] = []

    def evidence() -> ScoreBreakdown:
        asked.append(1)
        return EVIDENCE

    start("disabled", info).finish(Ending(evidence=evidence))
    assert asked == []


def test_an_offline_run_that_is_resumed_holds_the_whole_history_anew(info: RunInfo, tmp_path):
    first = start("offline", replace(info, folder=tmp_path / "first"))
    first.log(epoch_row(1))
    first.finish(Ending(exit_code=1))
    second = start("offline", replace(info, folder=tmp_path / "second", history=(epoch_row(1),)))
    second.log(epoch_row(2))
    assert second.finish(Ending()) == FinishReport()
    run = read_run(tmp_path / "second")
    assert run.id == RUN_INFO.id
    assert [row["epoch"] for row in run.history] == [1, 2]
