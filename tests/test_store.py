"""The store: whole files or none, states that need no memory, leases that die with their owner."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.processes import held_elsewhere
from typer.testing import CliRunner

from audiocls import yaml_file
from audiocls.atomic import remove_abandoned, write_bytes, write_text
from audiocls.cli import app
from audiocls.errors import MachineFault, UsageError
from audiocls.store import (
    Attempt,
    Cell,
    Cost,
    Damaged,
    Failure,
    Proposal,
    Provenance,
    Record,
    Study,
    StudyFolder,
    TrialFolder,
    count_states,
    extended,
)
from audiocls.store.data_roots import remember_roots, root_of
from audiocls.writers import host

COST = Cost(10, 100, 2, 8, 60, 8, 0.5, 0.4, 100.0)
PROVENANCE = Provenance("c", "0", "3", "2", "cpu", "data", "host", "then", "now")
RECORD = Record("abc", 0, 1, 1, {"test/accuracy": 0.5}, COST, PROVENANCE, 30, 10, 10)
FAILURE = Failure("nan", "Diverged: the loss", "Traceback …", 1)


@pytest.fixture
def trial(tmp_path: Path) -> TrialFolder:
    return TrialFolder(tmp_path / "trials" / "abc")


def test_a_reader_sees_the_old_file_or_the_new_one_and_nothing_is_left_beside(tmp_path):
    file = tmp_path / "deep" / "a.txt"
    write_text(file, "old")
    with file.open("rb") as reader:
        write_bytes(file, b"new")
        assert reader.read() == b"old"
    assert file.read_bytes() == b"new"
    assert list(file.parent.iterdir()) == [file]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    file = tmp_path / "a.txt"
    write_text(file, "old")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(MachineFault, match=f"No space left on device: {tmp_path} .* are needed"):
        write_text(file, "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_killed_midway_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.bin"
    write_bytes(file, b"old")
    code = (
        "import os, signal, sys, pathlib\n"
        "from audiocls.atomic import write_bytes\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_bytes(pathlib.Path(sys.argv[1]), b'n' * 100000)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert file.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_living_process_writes_stays_and_what_its_number_had_written_before_goes(tmp_path):
    """The number of a process that was killed may be another's by now."""
    parent, own = (tmp_path / f".a.txt.{name_of(pid)}.tmp" for pid in (os.getppid(), os.getpid()))
    for file in (parent, own, tmp_path / "notes.tmp", tmp_path / ".a.txt.tmp"):
        file.write_text("half")
    os.utime(parent, (0, 0))
    remove_abandoned(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {own.name, "notes.tmp", ".a.txt.tmp"}


def test_a_killed_process_that_nobody_has_waited_for_writes_no_more(tmp_path):
    """As in a container whose first process waits for nobody's children."""
    with subprocess.Popen(["sleep", "60"]) as process:
        file = tmp_path / f".a.txt.{name_of(process.pid)}.tmp"
        file.write_text("half")
        remove_abandoned(tmp_path)
        assert file.exists()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        remove_abandoned(tmp_path)
        assert not file.exists()


def name_of(pid: int) -> str:
    """Return what a process of this host would be named in the names of its files."""
    return f"{host()}-{pid}-0123abcd"


def ended_process() -> int:
    with subprocess.Popen(["true"]) as process:
        return process.pid


def test_an_attempt_sweeps_up_what_a_killed_one_left_half_written(trial):
    trial.begin()
    (trial.path / f".resume.pt.{name_of(ended_process())}.tmp").write_bytes(b"half")
    trial.begin()
    assert [file.name for file in trial.path.iterdir()] == ["attempt"]


def test_a_launch_sweeps_up_what_killed_ones_left(tmp_path):
    """A worker killed behind its record leaves its snapshot, and no attempt follows."""
    folder, pid = StudyFolder(tmp_path / "s"), name_of(ended_process())
    finished, begun = folder.trial("finished"), folder.trial("begun")
    finished.finish(RECORD)
    for trial in (finished, begun):
        trial.write_resume(b"snapshot")
    (folder.path / f".study.yaml.{pid}.tmp").write_text("half")
    (folder.path / "trials" / f".borrowed.{pid}.tmp").mkdir()
    folder.remove_leftovers()
    assert finished.resume() is None
    assert begun.resume() == b"snapshot"
    assert not list(folder.path.rglob("*.tmp"))


def test_a_record_is_never_beside_a_failure(trial, monkeypatch):
    """Whatever moment a worker is killed at."""
    trial.fail(FAILURE)
    monkeypatch.setattr(TrialFolder, "drop_resume", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trial.finish(RECORD)
    assert trial.record() is not None
    assert trial.failure() is None


def test_what_is_written_of_a_trial_is_read_back(trial):
    trial.write_config({"seed": 1, "optim": {"lr": 1e-3}})
    arrays = {"clips": np.array(["a", "b"]), "logits": np.eye(2, dtype=np.float32)}
    trial.write_predictions(arrays)
    trial.write_checkpoint(b"weights", {"labels": ["x"]})
    trial.fail(FAILURE)
    trial.finish(RECORD)
    assert trial.config() == {"seed": 1, "optim": {"lr": 1e-3}}
    assert all(np.array_equal(trial.predictions()[key], arrays[key]) for key in arrays)
    assert trial.checkpoint.read_bytes() == b"weights"
    assert trial.record() == RECORD


def test_a_record_that_a_disk_damaged_is_a_failure_that_names_the_file(trial):
    trial.finish(RECORD)
    file = trial.path / "record.json"
    file.write_bytes(file.read_bytes()[:20])
    assert trial.record() is None
    failure = trial.failure()
    assert failure is not None
    assert failure.cause == "damaged"
    assert str(file) in failure.message
    assert "sweep retry" in failure.message
    assert trial.state() == "failed"


def test_stopping_what_was_never_launched_creates_nothing(tmp_path):
    result = CliRunner().invoke(app, ["sweep", "stop", "nothing", "--runs", str(tmp_path)])
    assert result.exit_code == 2
    assert "no study 'nothing'" in result.output
    assert list(tmp_path.iterdir()) == []


def test_reading_creates_nothing(trial):
    assert trial.state() == "pending"
    assert (trial.record(), trial.failure(), trial.resume(), trial.history()) == (
        None,
        None,
        None,
        [],
    )
    assert not trial.path.exists()


def test_a_last_history_line_torn_by_a_kill_is_left_out(trial):
    trial.keep_history(0)
    trial.append_history({"epoch": 1.0})
    trial.append_history({"epoch": 2.0})
    file = trial.path / "history.jsonl"
    whole = file.read_bytes()
    for end in range(len(whole) // 2, len(whole)):
        file.write_bytes(whole[:end])
        assert trial.history() == [{"epoch": 1.0}]


def test_history_goes_on_behind_a_torn_line_once_it_is_cut_to_the_snapshot(trial):
    trial.keep_history(0)
    trial.append_history({"epoch": 1.0})
    with (trial.path / "history.jsonl").open("a") as file:
        file.write('{"epo')
    trial.keep_history(1)
    trial.append_history({"epoch": 2.0})
    assert trial.history() == [{"epoch": 1.0}, {"epoch": 2.0}]


def test_history_is_cut_to_the_epochs_that_need_not_be_trained_again(trial):
    trial.keep_history(0)
    for epoch in (1, 2, 3):
        trial.append_history({"epoch": epoch})
    trial.keep_history(2)
    assert [row["epoch"] for row in trial.history()] == [1, 2]


def test_the_state_follows_from_files_and_lock_alone(trial):
    def state() -> str:
        return TrialFolder(trial.path).state()

    assert state() == "pending"
    with trial.lease() as is_mine:
        assert is_mine
        assert state() == "running"
    assert state() == "pending"
    trial.fail(FAILURE)
    assert state() == "failed"
    trial.finish(RECORD)
    assert state() == "done"


def test_asking_for_the_state_does_not_take_the_trial_away(trial):
    with trial.lease() as first:
        assert first
        assert trial.state() == "running"
    with trial.lease(timeout_s=0) as second:
        assert second


def test_two_processes_cannot_hold_one_lease(trial):
    with held_elsewhere(trial.path):
        assert trial.state() == "running"
        with trial.lease(timeout_s=0.1) as is_mine:
            assert not is_mine
        assert trial.state() == "running"


def test_a_lease_ends_when_its_holder_raises(trial):
    with pytest.raises(ZeroDivisionError), trial.lease():
        1 / 0  # noqa: B018
    with trial.lease(timeout_s=0) as is_mine:
        assert is_mine


def test_who_asks_for_a_state_moves_nothing_and_who_begins_moves_folders_out_of_the_way(trial):
    for _ in range(2):
        for name in (".lease", "log.txt"):
            (trial.path / name).mkdir(parents=True)
        assert trial.state() == "pending"
        assert (trial.path / ".lease").is_dir()
        with trial.lease() as is_mine:
            assert is_mine
    aside = {file.name for file in trial.path.iterdir()}
    assert aside == {f"{name}.folder{n}" for name in (".lease", "log.txt") for n in (1, 2)}


def test_attempts_are_counted_across_processes(trial):
    assert trial.begin().number == 1
    assert TrialFolder(trial.path).begin().number == 2


def test_an_attempt_after_a_kill_goes_on_and_one_after_a_failure_begins_anew(trial):
    assert trial.begin().origin == 1
    assert trial.begin().origin == 1
    trial.fail(FAILURE)
    trial.reset_failure()
    assert trial.begin() == Attempt(number=3, origin=3, is_open=True)
    assert trial.begin() == Attempt(number=4, origin=3, is_open=True)


def test_finishing_leaves_nothing_to_resume_and_no_failure(trial):
    trial.write_resume(b"snapshot")
    trial.fail(FAILURE)
    trial.finish(RECORD)
    assert trial.resume() is None
    assert trial.failure() is None
    assert trial.record() == RECORD


def one_epoch(state: bytes) -> int:
    return int(state)


def test_a_snapshot_with_one_changed_bit_is_none_and_training_starts_over(trial):
    trial.begin()
    trial.append_history({"epoch": 1.0})
    trial.write_resume(b"1")
    assert trial.resume_attempt(one_epoch) == (Attempt(1, 1, is_open=True), b"1", "")
    file = trial.path / "resume.pt"
    file.write_bytes(b"2" + file.read_bytes()[1:])
    trial.begin()
    attempt, state, note = trial.resume_attempt(one_epoch)
    assert (attempt, state) == (Attempt(2, origin=2, is_open=True), None)
    assert str(file) in note
    assert "starts over at its first epoch" in note
    assert (trial.history(), trial.resume()) == ([], None)


def test_a_history_that_lacks_rows_of_the_snapshot_makes_training_start_over(trial):
    trial.begin()
    for epoch in (1.0, 2.0):
        trial.append_history({"epoch": epoch})
    trial.write_resume(b"2")
    file = trial.path / "history.jsonl"
    file.write_bytes(b"\0" * 10 + b"\n" + file.read_bytes())
    attempt, state, note = trial.resume_attempt(one_epoch)
    assert (attempt, state) == (Attempt(1, 1, is_open=True), None)
    assert "history.jsonl" in note


def test_a_record_in_which_one_digit_changed_is_damaged(trial):
    trial.finish(RECORD)
    file = trial.path / "record.json"
    file.write_text(file.read_text().replace("0.5", "0.7", 1))
    assert trial.record() is None
    failure = trial.failure()
    assert failure is not None
    assert "changed after it was written" in failure.message
    assert trial.reset_failure()
    assert trial.state() == "pending"
    assert trial.begin() == Attempt(1, 1, is_open=True)


def test_a_proposal_that_is_damaged_is_left_out_and_named(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    folder.path.mkdir()
    for number in (1, 2, 3):
        folder.propose(Proposal(f"t{number}", {"lr": number}))
    file = folder.path / "proposals.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"t2"', b'"t\xff"'))
    assert [proposal.id for proposal in folder.all_proposals()] == ["t1", "t3"]
    (damage,) = folder.damages(folder.all_proposals())
    assert "proposals.jsonl: damaged (line 2" in str(damage)


def test_a_forgiven_failure_is_kept_and_the_trial_starts_from_its_first_epoch(trial):
    trial.write_resume(b"snapshot")
    for attempt in (1, 2):
        trial.fail(replace(FAILURE, attempt=attempt))
        assert trial.state() == "failed"
        trial.reset_failure()
        assert trial.state() == "pending"
    assert trial.resume() is None
    assert trial.failure() is None
    kept = sorted(file.name for file in trial.path.glob("failure-*.json"))
    assert kept == ["failure-1.json", "failure-2.json"]


def test_forgiving_what_did_not_fail_changes_nothing(trial):
    trial.write_resume(b"snapshot")
    trial.reset_failure()
    assert trial.resume() == b"snapshot"


def test_a_record_with_a_missing_or_unknown_key_is_refused():
    whole = RECORD.to_mapping()
    for broken in ({**whole, "new": 1}, {k: v for k, v in whole.items() if k != "fold"}):
        with pytest.raises(TypeError):
            Record.from_mapping(broken)


def study(
    arms: dict[str, dict[str, object]], seeds: tuple[int, ...], version: str = "", **changes: object
) -> Study:
    """A study whose ids follow from arm, changes, seed and `version`, as real ones do."""
    cells = tuple(
        Cell(f"{_digest(arm, arms, version)}-{seed}", arm, seed, 1)
        for seed in seeds
        for arm in arms
    )
    made = Study("s", "?", "r", "ofat", "test/accuracy", "maximize", "baseline", arms, cells)
    return replace(made, identities={a: _digest(a, arms, version) for a in arms}, **changes)


def _digest(arm: str, arms: dict[str, dict[str, object]], version: str) -> str:
    return f"{arm}-{'-'.join(f'{key}={value}' for key, value in arms[arm].items())}{version}"


A, B = {"model.dropout": 0.1}, {"model.dropout": 0.2}
LEVELS = {f"a{i}": {"model.dropout": i / 100} for i in range(99)}
BEFORE = study({"baseline": {}, "a": A}, (0, 1))


def test_a_study_is_read_back_as_it_was_written(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    folder.write_study(BEFORE)
    assert folder.study() == BEFORE


def test_a_plan_may_be_longer_than_the_file_that_asked_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(yaml_file, "MAX_VALUES", 100)
    folder, planned = StudyFolder(tmp_path / "s"), study({"baseline": {}, **LEVELS}, (0,))
    folder.write_study(planned)
    assert folder.study() == planned


def test_a_study_grows_by_seeds_and_keeps_those_launched_before():
    now = study({"baseline": {}, "a": A}, (2,))
    grown = extended(BEFORE, now)
    assert set(grown.cells) == {*BEFORE.cells, *now.cells}
    assert len(grown.cells) == 6


def test_a_study_grows_by_arms_and_no_arm_leaves_it():
    now = study({"baseline": {}, "b": B}, (0, 1))
    grown = extended(BEFORE, now)
    assert list(grown.arms) == ["baseline", "a", "b"]
    assert {cell.arm for cell in grown.cells} == {"baseline", "a", "b"}
    assert len(grown.cells) == len(set(grown.cells)) == 6


def test_launching_part_of_a_study_again_changes_nothing():
    assert extended(BEFORE, study({"baseline": {}, "a": A}, (1,))) == BEFORE
    assert extended(BEFORE, BEFORE) == BEFORE


@pytest.mark.parametrize(
    "now",
    [
        study({"baseline": {}, "a": A}, (0,), recipe="other"),
        study({"baseline": {}, "a": A}, (2,), version="other data, on other seeds"),
        study({"baseline": {}, "a": A}, (0,), version="other default"),
        study({"baseline": {}, "a": B}, (0,)),
        study({"baseline": {}, "a": B}, (2,)),
    ],
    ids=["recipe", "data", "identity", "changed arm", "changed arm on other seeds"],
)
def test_another_question_under_the_same_name_replaces_the_plan(now):
    assert extended(BEFORE, now) == now


def test_states_are_counted_with_zeros(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    folder.trial(BEFORE.cells[0].id).fail(FAILURE)
    counts = count_states(folder.states(BEFORE.cells))
    assert counts == {"done": 0, "failed": 1, "running": 0, "pending": 3}
    assert folder.failures(BEFORE.cells) == {BEFORE.cells[0].id: FAILURE}
    assert folder.records(BEFORE.cells) == {}


def test_a_study_that_was_never_launched_says_which_there_are(tmp_path):
    StudyFolder(tmp_path / "dropout").write_study(BEFORE)
    with pytest.raises(UsageError) as raised:
        StudyFolder(tmp_path / "dropuot").study()
    assert "Did you mean 'dropout'?" in str(raised.value)
    assert "audiocls sweep list" in str(raised.value)


@pytest.mark.parametrize("order", ["C", "F"])
def test_predictions_are_read_as_numpy_reads_them(trial, order):
    arrays = {
        "clips": np.array(["a", "größer"]),
        "labels": np.array([1, 0]),
        "logits": np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]], dtype=np.float32, order=order),
    }
    trial.write_predictions(arrays)
    with np.load(trial.path / "predictions.npz") as expected:
        found = trial.predictions()
        assert found.keys() == set(expected.files)
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])
            assert found[name].dtype == expected[name].dtype


def test_predictions_that_hold_python_objects_are_never_run(trial):
    trial.write_predictions({"clips": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(Damaged, match="Python objects"):
        trial.predictions()


def test_where_data_lay_is_kept_by_its_fingerprint_and_the_latest_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remember_roots(tmp_path / "s", {"f1": "here", "f2": None})
    remember_roots(tmp_path / "s", {"f3": "/there"})
    assert root_of(tmp_path / "s", "f1") == str(tmp_path / "here")
    assert root_of(tmp_path / "s", "f2") is None
    remember_roots(tmp_path / "s", {"f1": "/moved"})
    assert [root_of(tmp_path / "s", each) for each in ("f1", "f3")] == ["/moved", "/there"]
    (tmp_path / "s" / "data_roots.json").write_text("{")
    assert root_of(tmp_path / "s", "f1") is None
    assert root_of(tmp_path / "nowhere", "f1") is None
