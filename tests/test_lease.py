"""Leases hold where a kernel's lock may be none: between hosts that share a folder."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
from helpers.processes import held_elsewhere
from helpers.records import search_record

from audiocls.errors import MachineFault, UsageError
from audiocls.store import Failure, StudyFolder, TrialFolder
from audiocls.store import lease as leases
from audiocls.store.lease import Lease, LeaseLost, holder_of, require_shareable

RECORD = search_record("t", 1.0)


@pytest.fixture
def trial(tmp_path: Path) -> TrialFolder:
    return TrialFolder(tmp_path / "t")


def of_another_host(file: Path) -> None:
    """Let a lease that is held be another host's."""
    text = file.read_text()
    file.unlink()
    file.write_text(text.replace(socket.gethostname(), "elsewhere"))


def test_of_two_that_want_it_one_has_it(trial):
    one, other = trial.claim(), trial.claim()
    assert (one.take(), other.take()) == (True, False)
    one.give_back()
    assert other.take()
    other.give_back()
    assert not (trial.path / ".lease").exists()


def test_nobody_takes_a_lock_to_see_who_holds_it(trial, monkeypatch):
    with trial.lease():
        monkeypatch.setattr(Lease, "take", None)
        holder = trial.holder()
    assert holder is not None
    assert holder.pid == os.getpid()
    assert trial.holder() is None


def test_it_is_taken_at_once_from_a_process_of_this_host_that_was_killed(trial):
    with held_elsewhere(trial.path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (trial.path / ".lease").exists()
        assert trial.holder() is None
        started = time.monotonic()
        assert trial.claim().take()
        assert time.monotonic() - started < 1


def test_it_is_taken_from_another_host_that_was_silent_for_its_duration(trial, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_S", 0.4)
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.1)
    with held_elsewhere(trial.path, lease_s=0.4) as process:
        process.send_signal(signal.SIGSTOP)
        of_another_host(trial.path / ".lease")
        mine = trial.claim()
        assert not mine.take()
        assert trial.holder().host == "elsewhere"
        assert mine.take(timeout_s=5)
        process.send_signal(signal.SIGCONT)
    mine.give_back()


def test_who_has_lost_it_writes_nothing_more(trial):
    lost = trial.claim()
    assert lost.take()
    mine = trial.under(lost)
    mine.begin()
    mine.append_history({"epoch": 1.0})
    lost.give_back()
    with trial.lease():
        before = {file.name: file.read_bytes() for file in trial.path.iterdir()}
        for write in (
            mine.begin,
            lambda: mine.append_history({"epoch": 2.0}),
            lambda: mine.write_resume(b"2"),
            lambda: mine.write_predictions({}),
            lambda: mine.write_checkpoint(b"", {}),
            lambda: mine.fail(Failure("error", "m", "", 1)),
            lambda: mine.finish(RECORD),
            mine.attempts.close,
        ):
            with pytest.raises(LeaseLost):
                write()
        assert {file.name: file.read_bytes() for file in trial.path.iterdir()} == before


def test_a_lease_that_was_moved_aside_for_a_moment_is_not_lost(trial, monkeypatch):
    lease = trial.claim()
    assert lease.take()
    file, looks = trial.path / ".lease", []
    file.rename(trial.path / "aside")

    def wait(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 1:
            (trial.path / "aside").rename(file)

    monkeypatch.setattr(leases.time, "sleep", wait)
    trial.under(lease).append_history({"epoch": 1.0})
    assert len(looks) == 1
    lease.give_back()


def test_of_two_records_the_first_counts(trial):
    trial.finish(RECORD)
    before = (trial.path / "record.json").read_bytes()
    trial.finish(RECORD)
    assert (trial.path / "record.json").read_bytes() == before


def test_of_an_epoch_that_was_written_twice_the_last_row_counts(trial):
    trial.begin()
    for epoch, loss in ((1.0, 9), (2.0, 8), (2.0, 7), (3.0, 6)):
        trial.append_history({"epoch": epoch, "loss": loss})
    trial.keep_history(2)
    assert trial.history() == [{"epoch": 1.0, "loss": 9}, {"epoch": 2.0, "loss": 7}]


def test_a_lease_without_a_name_does_not_last(trial, monkeypatch):
    """Its holder was killed between making it and writing into it."""
    monkeypatch.setattr(leases, "NAMELESS_S", 0.1)
    trial.path.mkdir()
    (trial.path / ".lease").touch()
    mine = trial.claim()
    assert not mine.take()
    assert mine.take(timeout_s=3)
    mine.give_back()


def test_a_plan_whose_holder_has_no_name_yet_is_held_by_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr("audiocls.store.study.PLANNING_S", 0.0)
    (tmp_path / ".plan.lease").touch()
    with (
        pytest.raises(UsageError, match="held by another process for more than"),
        StudyFolder(tmp_path).planning(),
    ):
        pass


def test_deaths_without_a_further_epoch_are_counted_whoever_died(trial):
    attempts = trial.attempts
    trial.begin()
    assert attempts.last().is_open
    assert [attempts.lose(0), attempts.lose(0)] == [1, 2]
    assert attempts.lose(5) == 1
    assert TrialFolder(trial.path).attempts.lose(5) == 2
    trial.begin()
    attempts.close()
    assert (attempts.last().is_open, attempts.last().losses) == (False, 2)
    attempts.reset()
    assert attempts.last().losses == 0


@pytest.mark.parametrize("text", ["3", "3 2", "3 2 1 7 1"])
def test_counters_of_every_version_are_read(trial, text):
    trial.path.mkdir()
    (trial.path / "attempt").write_text(text)
    assert trial.attempts.last().number == 3
    assert trial.begin().number == 4


class TestFolders:
    """What is asked of the file system of a study."""

    def test_one_that_can_all_is_left_as_it_was(self, tmp_path):
        require_shareable(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_one_without_hard_links_is_refused_by_a_sentence(self, tmp_path, monkeypatch):
        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(leases.os, "link", refuse)
        with pytest.raises(UsageError, match=r"cannot make hard links.*--runs DIR"):
            require_shareable(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_one_that_makes_a_file_twice_is_refused(self, tmp_path, monkeypatch):
        make = Path.open
        monkeypatch.setattr(Path, "open", lambda self, mode="r": make(self, mode.replace("x", "w")))
        with pytest.raises(UsageError, match="cannot create files exclusively"):
            require_shareable(tmp_path)

    def test_one_that_is_read_only_is_the_machines_fault(self, tmp_path, monkeypatch):
        def refuse(*_: object, **__: object) -> None:
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(MachineFault, match="Read-only"):
            require_shareable(tmp_path)


def test_a_full_disk_is_the_machines_fault(trial, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(leases.SoftFileLease, "acquire", full)
    with pytest.raises(MachineFault, match="No space left"):
        trial.claim().take()


def test_a_folder_in_its_place_is_named(trial):
    file = trial.path / ".plan.lease"
    file.mkdir(parents=True)
    with pytest.raises(Exception, match=r"\.plan\.lease: damaged"):
        leases.Lease(file).take()
    assert holder_of(file) is None
