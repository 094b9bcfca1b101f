"""What a search's report says of its best trial: its test scores, its confusions, its model."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.records import search_record, search_study
from helpers.reports import text_of_html
from typer.testing import CliRunner

from audiocls.cli import app
from audiocls.render.build.stored import stored_ranking
from audiocls.render.formats.html import to_html
from audiocls.store import Proposal, StudyFolder
from audiocls.studies.reports import load_ranking
from audiocls.studies.winner import winner_of

SWEEP = {
    "method": "random",
    "program": "train.py",
    "metric": {"name": "val/loss"},
    "parameters": {"lr": {"min": 0.0, "max": 1.0}},
}
LABELS = ("cat", "dog", "owl")
TRUE = [0, 0, 1, 1, 2]
PREDICTED = [0, 1, 0, 0, 2]


def finish(folder: StudyFolder, name: str, value: float, predicted: list[int]) -> None:
    """Record a trial with its predictions and a model, as one of ours leaves them."""
    trial, record = folder.trial(name), search_record(name, value)
    hits = float(np.mean(np.equal(TRUE, predicted)))
    trial.write_checkpoint(b"weights", {"labels": list(LABELS)})
    clips = np.array([f"clip{number}" for number in range(len(TRUE))])
    logits = 4.0 * np.eye(len(LABELS), dtype=np.float32)[predicted]
    trial.write_predictions(
        {"clips": clips, "sources": clips, "labels": np.array(TRUE), "logits": logits}
    )
    trial.finish(replace(record, metrics={**record.metrics, "test/accuracy": hits}))


def search(path: Path, **more: object) -> StudyFolder:
    folder = StudyFolder(path)
    folder.write_study(search_study(path.name, {**SWEEP, **more}, "train.py", "/", "audiocls x"))
    for name, lr in (("a", 0.5), ("b", 0.25)):
        folder.propose(Proposal(name, {"lr": lr}))
    return folder


@pytest.fixture
def folder(tmp_path) -> StudyFolder:
    """Two trials, of which `b` has the lower validation loss and the lower test accuracy."""
    folder = search(tmp_path / "runs" / "tune")
    finish(folder, "a", 2.0, TRUE)
    finish(folder, "b", 1.0, PREDICTED)
    return folder


def test_the_winner_is_the_best_by_the_metric_that_was_searched_not_by_the_test_clips(folder):
    winner = winner_of(folder, load_ranking(folder))
    assert (winner.trial, winner.path) == ("b", folder.trial("b").path)
    assert winner.metrics == {"test/accuracy": 0.4}


def test_rows_of_the_matrix_are_true_classes_and_columns_predicted_ones(folder):
    winner = winner_of(folder, load_ranking(folder))
    assert winner.labels == LABELS
    assert winner.confusion.tolist() == [[1, 1, 0], [2, 0, 0], [0, 0, 1]]
    assert winner.most_confused(5) == [("dog", "cat", 2), ("cat", "dog", 1)]


def test_the_page_has_scores_confusions_and_commands_that_name_the_trial(folder):
    text = text_of_html(to_html(stored_ranking(folder, "html").document))
    assert "The best trial" in text
    assert "test/accuracy0.4" in text
    assert "The test clips had no part in the choice" in text
    place = shlex.quote(str(folder.trial("b").path))
    for words in (f"evaluate {place} --split test", f"predict {place}", f"export {place}"):
        assert f"audiocls {words}" in text


def test_a_search_by_the_test_metric_itself_is_told_to_be_optimistic(tmp_path):
    folder = search(
        tmp_path / "runs" / "tune", metric={"name": "test/accuracy", "goal": "maximize"}
    )
    finish(folder, "a", 2.0, TRUE)
    text = text_of_html(to_html(stored_ranking(folder, "html").document))
    assert "It was chosen by test/accuracy itself" in text
    assert "had no part in the choice" not in text


def test_without_predictions_and_a_model_there_is_nothing_more_to_say(tmp_path):
    folder = search(tmp_path / "runs" / "tune")
    folder.trial("a").finish(search_record("a", 2.0))
    text = text_of_html(to_html(stored_ranking(folder, "html").document))
    assert "The best trial" not in text


def test_of_a_setting_the_scores_are_means_and_the_matrix_a_sum(tmp_path):
    folder = StudyFolder(tmp_path / "runs" / "tune")
    document = {
        **SWEEP,
        "method": "grid",
        "parameters": {"lr": {"values": [0.5]}, "seed": {"values": [0, 1]}},
        "blocks": {"seed": "seed"},
    }
    folder.write_study(search_study("tune", document, "train.py", "/", "audiocls x"))
    for seed, name in enumerate("ab"):
        folder.propose(Proposal(name, {"lr": 0.5, "seed": seed}))
    finish(folder, "a", 2.0, TRUE)
    finish(folder, "b", 1.0, PREDICTED)
    winner = winner_of(folder, load_ranking(folder))
    assert (winner.trial, winner.num_trials) == ("b", 2)
    assert winner.metrics["test/accuracy"] == pytest.approx(0.7)
    assert winner.confusion.sum() == 2 * len(TRUE)


def test_json_has_the_winner(folder):
    words = ["report", "tune", "--runs", str(folder.path.parent), "--json"]
    values = json.loads(CliRunner().invoke(app, words).stdout)
    assert values["winner"]["trial"] == "b"
    assert values["winner"]["confusion"][1] == [2, 0, 0]
    assert [trial["id"] for trial in values["trials"]] == ["b", "a"]
