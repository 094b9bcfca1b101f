"""Snapshots are written every few seconds and at a stop, so that short trials write none."""

import pytest

from audiocls.execution import snapshots
from audiocls.execution.snapshots import EVERY_S, Snapshots
from audiocls.store import TrialFolder
from audiocls.training.fit import EpochEnd, Signal


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(snapshots.time, "monotonic", lambda: now[0])
    return now


def ended(epoch: int) -> EpochEnd:
    return EpochEnd({"epoch": float(epoch)}, 9, lambda: f"after epoch {epoch}".encode())


def test_a_snapshot_is_written_once_the_last_one_is_old(clock, tmp_path):
    trial = TrialFolder(tmp_path)
    written = Snapshots(trial)
    seen = []
    for epoch in range(1, 8):
        clock[0] += 0.4 * EVERY_S
        written.end_epoch(ended(epoch), Signal.CONTINUE)
        seen.append(trial.resume())
    first, second = b"after epoch 3", b"after epoch 6"
    assert seen == [None, None, first, first, first, second, second]


def test_a_stop_writes_one_at_once(clock, tmp_path):
    trial = TrialFolder(tmp_path)
    Snapshots(trial).end_epoch(ended(1), Signal.STOP)
    assert trial.resume() == b"after epoch 1"


def test_a_trial_that_ends_early_needs_none(clock, tmp_path):
    trial = TrialFolder(tmp_path)
    Snapshots(trial).end_epoch(ended(1), Signal.FINISH)
    assert trial.resume() is None
