"""A trial on several devices is the trial on one, up to rounding; what dies there ends it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from helpers.recipes import TINY
from helpers.trials import train, trainable_job

from audiocls.config import Config, resolve
from audiocls.execution import followers
from audiocls.execution.devices import DEVICES_PER_TRIAL
from audiocls.execution.messages import Done, Event, Failed, Interrupted
from audiocls.store import Record, TrialFolder
from audiocls.training.fit import Signal
from audiocls.training.ranks import Ranks

RAW = {
    "features": {"name": "raw"},
    "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
    "augment": {"gain_db": 6},
    "train": {"epochs": 2, "batch_size": 7},
}
"""30 clips in batches of 6 or 7, which two processes cannot halve; no BatchNorm, no dropout."""
SETTINGS = {
    "sam, clipped": {"sam.rho": 0.05, "train.clip_norm": 1.0},
    "mixed, averaged": {"augment.mixes": ["mixup"], "averaging": {"name": "ema", "every_steps": 1}},
    "accumulated, summed": {"train.accumulate": 2, "train.reduction": "sum"},
}


def config_of(**changes: object) -> Config:
    return resolve([{**TINY, **RAW}, changes], "test")


def trained(
    config: Config, folder: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> tuple[Event, TrialFolder]:
    monkeypatch.setenv(DEVICES_PER_TRIAL, str(size))
    job = trainable_job(config, folder, folder.parent / "cache")
    return train(job, folder.parent / "cache"), job.trial


def record_of(trial: TrialFolder) -> Record:
    record = trial.record()
    assert record is not None
    return record


@pytest.mark.parametrize(
    "setting",
    [
        "sam, clipped",
        *(pytest.param(name, marks=pytest.mark.slow) for name in list(SETTINGS)[1:]),
    ],
)
def test_two_processes_train_what_one_does(tmp_path, monkeypatch, setting):
    config = config_of(**SETTINGS[setting])
    events, trials = zip(
        *(trained(config, tmp_path / f"on{n}", monkeypatch, n) for n in (1, 2)), strict=True
    )
    assert all(isinstance(event, Done) for event in events)
    alone, shared = map(record_of, trials)
    losses = [torch.tensor([*map(float.fromhex, each.first_losses)]) for each in (alone, shared)]
    assert torch.allclose(*losses, rtol=1e-6, atol=0)
    assert (alone.cost.steps, alone.cost.samples) == (shared.cost.steps, shared.cost.samples)
    logits = [torch.from_numpy(trial.predictions()["logits"]) for trial in trials]
    assert torch.allclose(*logits, rtol=1e-3, atol=1e-4)
    rows = [trial.history() for trial in trials]
    for one, other in zip(*rows, strict=True):
        assert one["train/loss"] == pytest.approx(other["train/loss"], rel=1e-5)
        assert one["val/loss"] == pytest.approx(other["val/loss"], rel=1e-4)


def test_shares_are_all_rows_of_a_batch_once(monkeypatch):
    class Whole:
        targets = torch.arange(7)

        def span(self, start: int, stop: int) -> list[int]:
            return self.targets[start:stop].tolist()

    shards = [Ranks(rank, 3).shard(Whole()) for rank in range(3)]  # type: ignore[arg-type]
    assert [len(shard) for shard in shards] == [2, 2, 3]
    assert [row for shard in shards for row in shard] == Whole.targets.tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"features": TINY["features"], "model": TINY["model"]}, "BatchNorm"),
        ({"train.batch_size": 1}, "batches have 1 clips, for 2 devices"),
        ({"augment.feature_mixup": 0.5}, "mixes a whole batch, which 2 devices share"),
    ],
)
def test_what_cannot_be_shared_is_refused_with_its_reason(tmp_path, monkeypatch, changes, fault):
    event, _ = trained(config_of(**changes), tmp_path / "s", monkeypatch, 2)
    assert isinstance(event, Failed)
    assert fault in event.message
    assert "--devices-per-trial" in event.message


@pytest.mark.slow
def test_a_trial_whose_other_process_is_killed_is_interrupted_and_says_so(tmp_path, monkeypatch):
    start = followers._start

    def doomed(*args: object) -> subprocess.Popen[str]:
        process = start(*args)  # type: ignore[arg-type]
        started.append(process)
        return process

    started: list[subprocess.Popen[str]] = []
    monkeypatch.setattr(followers, "_start", doomed)
    end_epoch = followers.Ranks.broadcast_from_first

    def kill_then_go_on(self: Ranks, compute: object) -> object:
        value = end_epoch(self, compute)  # type: ignore[arg-type]
        if value is Signal.CONTINUE:
            os.kill(started[0].pid, signal.SIGKILL)
            started[0].wait()
        return value

    monkeypatch.setattr(Ranks, "broadcast_from_first", kill_then_go_on)
    event, trial = trained(config_of(**{"train.epochs": 3}), tmp_path / "s", monkeypatch, 2)
    assert isinstance(event, Interrupted)
    assert event.death == "a process of this trial was killed by SIGKILL"
    assert trial.failure() is None
