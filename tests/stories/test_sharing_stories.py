"""The same command twice on one machine: both help, and each cell is trained once."""

import os
import signal

import pytest
from helpers.processes import Home, invoke, num_trained, wait

from audiocls.store import StudyFolder
from audiocls.studies.status import at_work, stop_launches

LAUNCH = ("sweep", "launch", "tiny.yaml", "--wandb", "disabled", "--workers", "1")


def test_two_launches_at_once_share_the_cells_and_both_end_well(home: Home) -> None:
    longer = ("--set", "train.epochs=30")
    one, other = home.start(*LAUNCH, *longer), home.start(*LAUNCH, *longer)
    ended = [wait(one), wait(other)]
    assert [each.code for each in ended] == [0, 0], ended
    shares = [num_trained(each.err) for each in ended]
    assert sum(shares) == 6 == len(home.finished())
    assert all("dropout=0.5" in each.out for each in ended)
    for trial in StudyFolder(home.path / "runs/tiny").cells():
        history = StudyFolder(home.path / "runs/tiny").trial(trial.id).history()
        assert [row["epoch"] for row in history] == list(range(1, 31))
    assert not list((home.path / "runs/tiny").rglob("*.lease"))


@pytest.mark.slow
def test_a_launch_goes_on_with_what_one_that_was_killed_has_left_and_loses_no_epoch(
    home: Home,
) -> None:
    first = home.start(*LAUNCH, "--set", "train.epochs=3000", "--seeds", "0")
    home.wait_for(home.has_history)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    home.run("sweep", "status", "tiny")
    folder = StudyFolder(home.path / "runs/tiny")
    assert at_work(folder) == []
    begun = next(each for each in folder.cells() if folder.trial(each.id).history())
    num_before = len(folder.trial(begun.id).history())
    second = home.start(*LAUNCH, "--set", "train.epochs=3000", "--seeds", "0")
    home.wait_for(lambda: len(folder.trial(begun.id).history()) > num_before + 5)
    assert stop_launches(folder).left == ()
    second.communicate(timeout=60)
    assert second.returncode == 75
    epochs = [int(row["epoch"]) for row in folder.trial(begun.id).history()]
    assert epochs == list(range(1, len(epochs) + 1))


def test_a_launch_is_stopped_by_a_file_and_by_no_signal(home: Home, monkeypatch) -> None:
    """A process id may be another's, in a container or on another host."""
    process = home.start(*LAUNCH, "--set", "train.epochs=100000")
    home.wait_for(home.has_history)

    def refuse(pid: int, number: int) -> None:
        assert number == 0, "a signal was sent"

    monkeypatch.chdir(home.path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "kill", refuse)
        ended = invoke("sweep", "stop", "tiny")
    assert "stopped: " in ended.out
    assert f"(process {process.pid})" in ended.out
    process.communicate(timeout=60)
    assert process.returncode == 75
    assert "not running" in invoke("sweep", "stop", "tiny").out
