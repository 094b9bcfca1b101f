"""A trial by its name: what is best is decided on validation clips, and nothing is guessed."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.records import finished_study, search_record, search_study, write_study
from typer.testing import CliRunner

from audiocls.cli import app
from audiocls.errors import UsageError
from audiocls.store import Proposal, StudyFolder
from audiocls.studies.named_trials import best_trial, find_trial

IDS = ("6ec6171f8a4d", "6eff0a11b2c3", "a01234567890", "b01234567890")


def keep_checkpoints(folder: StudyFolder) -> StudyFolder:
    for record in folder.path.glob("trials/*/record.json"):
        folder.trial(record.parent.name).checkpoint.touch()
    return folder


def write_ablation(runs: Path, val: dict[str, list[float]], name: str = "words") -> StudyFolder:
    """A study of arm → validation accuracy in each fold; test accuracies say the opposite."""
    folds = list(range(1, 1 + max(map(len, val.values()))))
    study, records = finished_study({arm: [0.5] * len(folds) for arm in val}, (0,), folds)
    scored = {}
    for cell in study.cells:
        if cell.fold <= len(val[cell.arm]):
            value = val[cell.arm][cell.fold - 1]
            metrics = {"val/accuracy": value, "val/loss": value, "test/accuracy": 1 - value}
            scored[cell.id] = replace(records[cell.id], metrics=metrics)
    return keep_checkpoints(write_study(runs / name, replace(study, name=name), scored))


def write_search(runs: Path, losses: dict[str, float], metric: str = "val/loss") -> StudyFolder:
    goal = "minimize" if metric.endswith("loss") else "maximize"
    sweep = {
        "method": "random",
        "metric": {"name": metric, "goal": goal},
        "parameters": {"lr": {"min": 0.0, "max": 1.0}},
    }
    folder = StudyFolder(runs / "search")
    folder.write_study(search_study("search", sweep, "recipe", str(runs), "audiocls sweep launch"))
    for place, (trial_id, loss) in enumerate(losses.items()):
        folder.propose(Proposal(trial_id, {"lr": place / 10}))
        folder.trial(trial_id).finish(search_record(trial_id, loss))
    return keep_checkpoints(folder)


def test_the_best_is_so_on_validation_clips_whatever_the_test_clips_say(tmp_path):
    folder = write_ablation(tmp_path, {"base": [0.7], "arm": [0.9]})
    named = best_trial(folder)
    assert named.path == folder.trial("arm-0-1").path
    assert "the best of 2 trials by val/accuracy (0.9); no test score" in named.notes[0]


def test_an_arm_is_chosen_by_its_mean_and_not_by_its_one_lucky_fold(tmp_path):
    folder = write_ablation(tmp_path, {"base": [0.8, 0.8], "arm": [0.95, 0.5]})
    named = best_trial(folder)
    assert named.path.name.startswith("base")
    assert "the best of the arm with the best mean" in named.notes[0]


def test_an_arms_best_has_a_name_of_its_own_and_a_misspelt_one_is_suggested(tmp_path):
    write_ablation(tmp_path, {"base": [0.8, 0.9], "dropout=0.1": [0.5, 0.4]})
    named = find_trial("words:dropout=0.1", tmp_path)
    assert named.path.name == "dropout=0.1-0-1"
    assert "words:dropout=0.1 is" in named.notes[0]
    assert "the best of 2 trials by val/accuracy (0.5)" in named.notes[0]
    with pytest.raises(UsageError, match=r"Did you mean 'dropout=0\.1'"):
        find_trial("words:dropuot=0.1", tmp_path)


def test_means_are_over_the_folds_that_all_arms_have(tmp_path):
    """`base` is worse on the fold that both have; the second, easy fold does not count."""
    folder = write_ablation(tmp_path, {"base": [0.6, 0.99], "arm": [0.7]})
    assert best_trial(folder).path.name == "arm-0-1"


def test_a_search_has_its_best_by_its_own_metric_and_goal(tmp_path):
    folder = write_search(tmp_path, dict(zip(IDS, (0.4, 0.2, 0.3, 0.9), strict=True)))
    assert find_trial("search:best", tmp_path).path == folder.trial(IDS[1]).path


def test_a_search_by_test_clips_has_no_best_where_nothing_else_is_recorded(tmp_path):
    write_search(tmp_path, {IDS[0]: 0.1}, metric="test/f1")
    with pytest.raises(UsageError, match=r"val/f1 is not recorded, and test clips choose no trial"):
        find_trial("search:best", tmp_path)


def test_a_trial_without_a_checkpoint_is_not_the_best(tmp_path):
    folder = write_search(tmp_path, dict(zip(IDS, (0.4, 0.2, 0.3, 0.9), strict=True)))
    folder.trial(IDS[1]).checkpoint.unlink()
    assert find_trial("search:best", tmp_path).path == folder.trial(IDS[2]).path
    for trial_id in IDS:
        folder.trial(trial_id).checkpoint.unlink(missing_ok=True)
    with pytest.raises(UsageError, match="no finished trial of it keeps a checkpoint"):
        find_trial("search:best", tmp_path)


def test_the_beginning_of_an_id_is_enough_where_it_is_the_only_one(tmp_path):
    folder = write_search(tmp_path, dict.fromkeys(IDS, 0.1))
    for given in ("search:a", f"search:{IDS[2]}", "a012", IDS[2], f"{folder.path}:a01"):
        assert find_trial(given, tmp_path).path == folder.trial(IDS[2]).path, given
    for given in ("search:6e", "search:"):
        with pytest.raises(UsageError):
            find_trial(given, tmp_path)
    with pytest.raises(UsageError, match=r"2 trials .* begin so: 6ec6171f8a4d, 6eff0a11b2c3"):
        find_trial("search:6e", tmp_path)


def test_a_trial_that_two_studies_share_is_one(tmp_path):
    one, two = (
        write_ablation(tmp_path, {"base": [0.7]}, name="one"),
        write_ablation(tmp_path, {"base": [0.7]}, name="two"),
    )
    for folder in (one, two):
        (folder.path / "trials" / "base-0-1").rename(folder.path / "trials" / IDS[0])
    assert find_trial(IDS[0], tmp_path).path.name == IDS[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("serch:best", r"no study 'serch'.*Did you mean 'search'\?"),
        ("search:bets", r"no finished trial 'bets'.*Did you mean 'best'\?"),
        ("search", r"is a study; name one of its trials: search:best, search:6ec6171f8a4d"),
        ("searc", r"no trial and no study is called 'searc'.*Did you mean 'search'\?.*STUDY:best"),
        ("ffff", r"no finished trial in .* has an id that begins with 'ffff'"),
    ],
)
def test_what_is_unknown_is_told_with_the_nearest_name(tmp_path, given, said):
    write_search(tmp_path, dict.fromkeys(IDS, 0.1))
    with pytest.raises(UsageError, match=said):
        find_trial(given, tmp_path)


def test_a_trial_that_has_not_finished_is_told_apart_from_none(tmp_path):
    folder = write_search(tmp_path, {IDS[0]: 0.1})
    folder.trial(IDS[2]).path.mkdir()
    with pytest.raises(UsageError, match="that trial has not finished; see audiocls sweep status"):
        find_trial("search:a01", tmp_path)


def test_paths_mean_what_they_did(tmp_path):
    folder = write_search(tmp_path, {IDS[0]: 0.1})
    trial = folder.trial(IDS[0])
    for path in (trial.path, trial.checkpoint):
        assert find_trial(str(path), tmp_path / "elsewhere").path == path
    assert find_trial("no/such/place", tmp_path).path == Path("no/such/place")


@pytest.mark.parametrize("words", [["evaluate"], ["predict"], ["export"]])
def test_every_command_about_one_trial_takes_its_name(tmp_path, words):
    write_search(tmp_path, dict.fromkeys(IDS, 0.1))
    rest = {"evaluate": [], "predict": ["a.wav"], "export": ["--out", "x.onnx"]}[words[0]]
    ran = CliRunner().invoke(app, [*words, "search:6e", *rest, "--runs", str(tmp_path)])
    assert ran.exit_code == 2
    assert "begin so: 6ec6171f8a4d, 6eff0a11b2c3" in ran.output
