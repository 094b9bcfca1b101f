"""A study that others work on: its progress and its logs from another terminal."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.recipes import TINY
from helpers.records import finished_study, write_study
from helpers.trials import trainable_job
from typer.testing import CliRunner

import audiocls
from audiocls.cli import app
from audiocls.config import resolve
from audiocls.console.progress import progress_view, summary
from audiocls.errors import UsageError
from audiocls.execution.messages import Epoch, Running, Status, from_json, to_json
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Failure, Request, StudyFolder
from audiocls.studies import watching
from audiocls.studies.logs import log_lines
from audiocls.studies.watching import StudyWatch, watch
from audiocls.training.fit import Signal

IDS = tuple(f"{letter * 4}01234567" for letter in "abcd")


def begun(runs: Path, num_done: int = 2) -> StudyFolder:
    """A study of four trials on one seed, of which the first ones are done."""
    study, records = finished_study({"base": [0.5, 0.6], "arm": [0.7, 0.8]}, (0,), (1, 2))
    cells = tuple(replace(cell, id=new) for cell, new in zip(study.cells, IDS, strict=True))
    done = {
        cell.id: replace(records[old.id], id=cell.id)
        for cell, old in list(zip(cells, study.cells, strict=True))[:num_done]
    }
    request = Request("sweep launch", "question.yaml")
    return write_study(runs / "words", replace(study, cells=cells, request=request), done)


def test_what_was_logged_last_is_in_the_line_of_a_trial_and_of_the_launch():
    running = (
        Running("a", 2, 6, metric="val/accuracy", value=0.7123),
        Running("b", 5, 6, metric="val/accuracy", value=0.5),
        Running("c", 8, 0, metric="val_acc", value=0.25),
    )
    status = Status(num_total=9, running=running)
    lines = [str(cell) for cell in progress_view(status).renderables[2].columns[2].cells]
    assert lines == [
        "epoch 2/6 · val/accuracy 0.712",
        "epoch 5/6 · val/accuracy 0.5",
        "8 logged · val_acc 0.25",
    ]
    assert "3 running (8 logged · val_acc 0.25)" in summary(status, is_alone=True).plain
    assert "3 running ·" in summary(status).plain  # the lines below it say so
    begun = Status(num_total=9, running=(Running("a", 0, 6),))
    assert "1 running ·" in summary(begun, is_alone=True).plain


def test_an_epoch_travels_with_its_metric():
    event = Epoch("a", 1, 2, "val/accuracy", 0.5)
    assert from_json(to_json(event)) == event
    assert from_json(json.dumps({"event": "Epoch", "id": "a", "epoch": 1, "num_epochs": 2})) == (
        Epoch("a", 1, 2)
    )


def test_each_epoch_of_our_own_trials_says_what_it_reached(tmp_path, cache):
    job, events = trainable_job(resolve([TINY], "tiny"), tmp_path, cache), []
    train_trial(job, WorkerCache(cache), events.append, lambda: Signal.CONTINUE)
    reached = [(each.metric, each.value) for each in events if isinstance(each, Epoch)]
    assert reached == [("val/accuracy", row["val/accuracy"]) for row in job.trial.history()]
    assert len(reached) == 2


@pytest.mark.parametrize(
    ("num_folds", "label"), [(1, "arm s0"), (5, "arm s0 f1"), (None, "arm s0 f1")]
)
def test_a_label_names_no_fold_of_a_question_without_folds(num_folds, label, tmp_path):
    folder = begun(tmp_path)
    folder.write_study(replace(folder.study(), num_folds=num_folds))
    with folder.trial(IDS[2]).lease():
        [running] = StudyWatch(folder).look().running
    assert running.label == label


def test_a_watch_sees_what_runs_how_far_it_is_and_what_has_failed(tmp_path):
    folder, now = begun(tmp_path), [0.0]
    trial = folder.trial(IDS[2])
    with trial.lease() as is_mine:
        assert is_mine
        trial.write_config({"train": {"epochs": 5, "select": "val/accuracy"}})
        seen = StudyWatch(folder, clock=lambda: now[0])
        for epoch in (1, 2):
            trial.append_history({"epoch": epoch, "val/accuracy": epoch / 10})
            now[0] += 10.0
            status = seen.look()
        [running] = status.running
        assert (running.label, running.epoch, running.num_epochs) == ("arm s0 f1", 2, 5)
        assert (running.metric, running.value) == ("val/accuracy", 0.2)
        assert (status.num_done, status.num_total, status.study) == (2, 4, folder.path)
        assert status.left_s is not None
    folder.trial(IDS[3]).fail(Failure("nan", "loss is not finite", "", 1))
    status = seen.look()
    assert (status.num_failed, status.running) == (1, ())
    assert status.messages == ("arm s0 f2 failed (nan): loss is not finite",)
    assert seen.look().messages == ()


def test_a_watch_ends_with_the_launch_and_shows_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.02)
    folder, shown = begun(tmp_path), []
    launch = folder.launches.joined("now")
    launch.__enter__()
    watcher = threading.Thread(target=watch, args=(folder, shown.append))
    watcher.start()
    deadline = time.monotonic() + 30
    while len(shown) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert watcher.is_alive()
    launch.__exit__(None, None, None)
    watcher.join(30)
    assert not watcher.is_alive()
    assert shown[-1].num_done == 2


def test_watching_a_study_that_is_not_run_says_how_it_stands(tmp_path):
    begun(tmp_path)
    ran = CliRunner().invoke(app, ["sweep", "watch", "words", "--runs", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    assert "2/4 done" in ran.output
    assert "total" in ran.output


def write_log(folder: StudyFolder, trial_id: str, text: str) -> None:
    folder.trial(trial_id).path.mkdir(exist_ok=True)
    with folder.trial(trial_id).log.open("a") as log:
        log.write(text)


def test_the_log_of_a_trial_is_printed_whole_by_the_beginning_of_its_id(tmp_path):
    folder = begun(tmp_path)
    write_log(folder, IDS[0], "".join(f"line {number}\n" for number in range(30)))
    ran = CliRunner().invoke(app, ["sweep", "logs", "words", "aaa", "--runs", str(tmp_path)])
    assert ran.output.splitlines() == [f"line {number}" for number in range(30)]


def test_without_a_trial_the_last_lines_of_those_that_run_or_have_failed_are_printed(tmp_path):
    folder = begun(tmp_path)
    write_log(folder, IDS[0], "done\n")
    write_log(folder, IDS[3], "".join(f"line {number}\n" for number in range(30)))
    folder.trial(IDS[3]).fail(Failure("error", "e", "", 1))
    lines = list(audiocls.logs("words", runs=tmp_path))
    assert lines == [f"==> {IDS[3]} (arm, failed) <==", *(f"line {n}" for n in range(20, 30))]


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        ("ffff", r"has no trial 'ffff'; it has aaaa01234567"),
        ("bbbb", "no log of trial bbbb"),
        (None, "no log of any trial"),
    ],
)
def test_what_has_no_log_is_told(tmp_path, trial, said):
    folder = begun(tmp_path)
    with pytest.raises(UsageError, match=said):
        log_lines(folder, trial, is_followed=False)


def test_a_log_is_followed_line_by_line_until_the_launch_ends(tmp_path):
    folder = begun(tmp_path)
    write_log(folder, IDS[2], "first\n")
    with folder.launches.joined("now"):
        lines = audiocls.logs("words", "cccc", follow=True, runs=tmp_path)
        assert next(lines) == "first"
        write_log(folder, IDS[2], "second\nhal")
        assert next(lines) == "second"
        write_log(folder, IDS[2], "f\n")
        assert next(lines) == "half"
    write_log(folder, IDS[2], "last\n")
    assert list(lines) == ["last"]


@pytest.mark.parametrize("name", ["question.yaml", "question", "words"])
def test_a_study_is_found_by_the_file_that_it_was_launched_from(tmp_path, name):
    begun(tmp_path)
    assert audiocls.status(name, runs=tmp_path).counts["done"] == 2
    ran = CliRunner().invoke(app, ["sweep", "status", name, "--runs", str(tmp_path)])
    assert ran.exit_code == 0, ran.output


def test_a_file_of_several_studies_names_them(tmp_path):
    folder = begun(tmp_path)
    write_study(tmp_path / "words-2", replace(folder.study(), name="words-2"), {})
    with pytest.raises(UsageError, match="several studies were launched from it: words, words-2"):
        audiocls.status("question.yaml", runs=tmp_path)
