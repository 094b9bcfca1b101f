"""Every arm is tuned in as many trials as any other, and never by what it is judged by."""

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.recipes import TINY, make_ablation
from helpers.records import COST, PROVENANCE, finished_study, paired_values
from typer.testing import CliRunner

from audiocls import yaml_file
from audiocls.analysis import compare
from audiocls.cli import app
from audiocls.design.tuning import TUNING_SEED, arm_of
from audiocls.errors import ConfigError
from audiocls.execution import trial
from audiocls.store import Cell, Choice, Failure, Record, Study, StudyFolder, Tuning
from audiocls.studies.tuning import candidates_of, choices_of
from audiocls.training.state import build

pytestmark = pytest.mark.usefixtures("undrawn")

LRS = [{"optim.lr": lr} for lr in (0.1, 0.2, 0.3)]


def ablation(**given):
    factors = {} if "arms" in given else {"factors": {"model.dropout": [0.1]}}
    return make_ablation(**factors, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tune": {"optim.lr": [0.1, 0.2]}}, "need each other"),
        ({"tune_trials": 2}, "need each other"),
        ({"tune": {"model.dropout": [0.1, 0.2]}}, "arms differ in model.dropout"),
        ({"tune": {"model": [{"dropout": 0.1}, {"dropout": 0.2}]}}, "arms differ in model.dropout"),
        ({"tune": {"optim.lr": [0.1, 0.2]}, "overrides": {"optim.lr": 0.1}}, "`overrides` fixes"),
        ({"tune": {"seed": [0, 1]}}, "a block, not a choice"),
        ({"tune": {"data.fold_seed": [0, 1]}}, "the same data"),
        ({"tune": {"optim.lr": 0.1}}, "tune.optim.lr: got 0.1; allowed: a list of two values"),
        ({"tune": {"optim.lr": [0.1]}}, "tune.optim.lr: got [0.1]; allowed: a list of two values"),
        ({"tune": {"optim.lr": [0.1, 0.2]}, "tune_trials": 1}, "wanted: 2 or more"),
    ],
)
def test_a_search_that_is_none_or_searches_what_is_compared_is_refused(given, said):
    trials = {} if "tune_trials" in given or said == "need each other" else {"tune_trials": 2}
    with pytest.raises(ConfigError) as raised:
        ablation(**given, **trials)
    assert said in str(raised.value)


def test_a_grid_of_as_many_cells_as_trials_is_tried_whole():
    found = candidates_of(ablation(tune={"optim.lr": [1, 2, 3], "b": [0, 1]}, tune_trials=6))
    assert {tuple(c.values()) for c in found} == {(b, lr) for b in (0, 1) for lr in (1, 2, 3)}


def test_draws_do_not_repeat_and_a_longer_search_begins_with_the_shorter():
    tune = {
        "optim.lr": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-1},
        "b": [0, 1],
    }
    short, long = (candidates_of(ablation(tune=tune, tune_trials=n)) for n in (4, 12))
    assert long[:4] == short
    assert all(1e-4 <= c["optim.lr"] <= 1e-1 for c in long)
    few = candidates_of(ablation(tune={"a": {"min": 1, "max": 9}}, tune_trials=8))
    assert len({c["a"] for c in few}) == 8


@pytest.mark.parametrize(
    ("tune", "trials", "said"),
    [
        ({"a": [1, 2, 3]}, 4, "3 candidates"),
        ({"a": {"min": 1, "max": 3}}, 9, "3 candidates"),
        ({"a": [1, 1]}, 2, "1 candidates"),
        ({"a": {"min": 3}}, 2, "a.max: missing"),
        ({"a": {"distribution": "log_unifrom"}}, 2, "log_uniform"),
    ],
)
def test_fewer_candidates_than_trials_and_faulty_distributions_are_refused(tune, trials, said):
    with pytest.raises(ConfigError) as raised:
        candidates_of(ablation(tune=tune, tune_trials=trials))
    assert said in str(raised.value)


def tuning_of(folder, endings, metric="val/accuracy", goal="maximize"):
    """The choice of one arm whose trials ended so: (val, test) scores, or a cause of failure."""
    cells = tuple(Cell(f"t{i}", f"arm #{i + 1} (x)", 1000, 1) for i, _ in enumerate(endings))
    for cell, end in zip(cells, endings, strict=True):
        if isinstance(end, str):
            folder.trial(cell.id).fail(Failure(end, "it broke", "", 1))
        elif end is not None:
            metrics = {metric: end[0], metric.replace("val", "test"): end[1]}
            record = Record(cell.id, 1000, 1, 1, metrics, COST, PROVENANCE, 9, 9, 9)
            folder.trial(cell.id).finish(record)
    study = Study("s.tuning", "?", "r", "tuning", metric, goal, "arm", {}, cells)
    (choice,) = choices_of(study, folder, LRS)
    return choice


def test_the_best_by_validation_is_chosen_and_test_scores_play_no_part(tmp_path):
    for name, tests in [("a", (0.9, 0.1, 0.5)), ("b", (0.1, 0.9, 0.5)), ("c", (0.2, 0.2, 0.2))]:
        endings = list(zip((0.3, 0.4, 0.2), tests, strict=True))
        choice = tuning_of(StudyFolder(tmp_path / name), endings)
        assert (choice.number, choice.values, choice.score) == (2, {"optim.lr": 0.2}, 0.4)
        assert choice.num_finished == 3


def test_the_least_is_best_where_less_is_better_and_the_first_of_equals_is_chosen(tmp_path):
    endings = [(0.3, 0.0), (0.2, 0.0), (0.2, 0.0)]
    assert tuning_of(StudyFolder(tmp_path), endings, "val/loss", "minimize").number == 2


def test_a_candidate_that_diverged_has_had_its_trial(tmp_path):
    choice = tuning_of(StudyFolder(tmp_path), ["nan", (0.2, 0.0), (float("nan"), 0.9)])
    assert (choice.number, choice.num_finished) == (2, 3)


@pytest.mark.parametrize(
    ("endings", "num_finished", "said"),
    [
        (["signal", (0.2, 0.0), (0.1, 0.0)], 2, "1 of 3 tuning trials did not finish (signal: it"),
        ([None, (0.2, 0.0), (0.1, 0.0)], 2, "1 of 3 tuning trials did not finish"),
        (["nan", "nan", "nan"], 3, "every tuning trial diverged"),
    ],
)
def test_nothing_is_chosen_before_every_candidate_had_its_trial(
    tmp_path, endings, num_finished, said
):
    choice = tuning_of(StudyFolder(tmp_path), endings)
    assert choice.values is None
    assert choice.number is None
    assert choice.num_finished == num_finished
    assert said in choice.reason


def tuned(*choices):
    study, records = finished_study(paired_values(0.03, 0.03))
    return replace(study, tuning=Tuning(8, "val/accuracy", 1000, choices)), records


def chose(arm, fold, num_finished=8, **others):
    return Choice(arm, fold, num_finished, **{"number": 1, "values": {"optim.lr": 0.1}, **others})


def test_an_arm_tuned_in_fewer_trials_than_its_reference_is_not_comparable():
    folds = range(1, 6)
    even = [chose(arm, fold) for arm in ("base", "arm0") for fold in folds]
    uneven = [chose("arm1", fold, 7 if fold == 3 else 8) for fold in folds]
    study, records = tuned(*even, *uneven)
    first, second = compare(study, records).compared
    assert first.verdict == "better"
    assert second.verdict == "not_comparable"
    assert second.reason == "tuned in another number of trials for fold 3: 7, base 8"


def test_an_arm_that_could_not_be_tuned_says_why_and_the_others_are_compared():
    folds = range(1, 6)
    fine = [chose(arm, fold) for arm in ("base", "arm0") for fold in folds]
    broken = chose("arm1", 2, number=None, values=None, reason="every tuning trial diverged")
    study, records = tuned(*fine, broken)
    first, second = compare(study, records).compared
    assert first.verdict == "better"
    assert second.verdict == "not_comparable"
    assert "arm1 could not be tuned for fold 2: every tuning trial diverged" in second.reason


def test_the_answer_says_by_which_rule_and_what_was_chosen():
    choices = [chose("base", 1), chose("base", 2), chose("arm0", 1)]
    other = chose("arm0", 2, values={"optim.lr": 0.3})
    study, records = tuned(*choices, other)
    notes = " ".join(compare(study, records).notes)
    assert "tuned with 8 trials a fold" in notes
    assert "val/accuracy of validation clips" in notes
    assert "Chosen: base lr=0.1; arm0 lr=0.1 (fold 1), lr=0.3 (fold 2)." in notes


def test_a_study_is_read_as_it_was_written():
    study, _ = tuned(chose("base", 1), chose("arm0", 1, values=None, number=None, reason="no"))
    assert Study.from_mapping(yaml_file.parse(yaml_file.dump(study.to_mapping()), "s")) == study


QUESTION = {
    "name": "q",
    "question": "Which optimiser?",
    "recipe": "tiny",
    "arms": {"adamw": {}, "sgd": {"optim.name": "sgd"}},
    "overrides": {"train.epochs": 1},
    "blocks": {"seed": [0], "fold": [1]},
    "tune": {"optim.lr": [0.001, 0.01]},
    "tune_trials": 2,
}


def plain(result):
    """What a command said, without its line ends."""
    return " ".join(result.output.split())


@dataclass
class Shop:
    """A folder with one question in it, launched in this process."""

    path: Path

    def ask(self, **changes):
        (self.path / "q.yaml").write_text(yaml_file.dump({**QUESTION, **changes}))

    def run(self, *words, code=0):
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == code, result.output
        return result.stdout if "--json" in words else plain(result)

    def launch(self, *words, code=0):
        quiet = ("--wandb", "disabled", "--executor", "inline")
        return self.run("sweep", "launch", "q.yaml", *quiet, *words, code=code)

    def folder(self, name="q"):
        return StudyFolder(self.path / "runs" / name)

    def trained(self):
        """Trial → when its record was written."""
        files = (self.path / "runs").glob("*/trials/*/record.json")
        return {file.parent.name: file.stat().st_mtime_ns for file in files}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tiny.yaml").write_text(yaml_file.dump(TINY))
    made = Shop(tmp_path)
    made.ask()
    return made


def test_an_arm_that_needs_another_learning_rate_gets_it(shop):
    """AdamW's step is the learning rate, whatever the gradient; clipped SGD's is a tenth of it."""
    shop.ask(
        metric={"name": "test/loss", "goal": "minimize"},
        arms={"adamw": {}, "sgd": {"optim.name": "sgd", "optim.momentum": 0.0}},
        tune={"optim.lr": [0.001, 1.0]},
        overrides={"train.clip_norm": 0.1, "train.epochs": 4, "train.select": "val/loss"},
    )
    shop.launch()
    study = shop.folder().study()
    assert study.tuning.of("adamw")[1].values == {"optim.lr": 0.001}
    assert study.tuning.of("sgd")[1].values == {"optim.lr": 1.0}
    rates = {c.arm: shop.folder().trial(c.id).config()["optim"]["lr"] for c in study.cells}
    assert rates == {"adamw": 0.001, "sgd": 1.0}


def test_every_arm_has_the_same_candidates_on_every_fold_and_chooses_by_validation(shop):
    shop.ask(blocks={"seed": [0], "fold": [1, 2]})
    facts = json.loads(shop.run("sweep", "plan", "q.yaml", "--json"))
    shop.launch()
    tuning, study = shop.folder("q.tuning"), shop.folder().study()
    cells = tuning.study().cells
    assert len(cells) == facts["tuning"]["num_trials"] == 2 * 2 * 2
    assert len(study.cells) == facts["num_trials"] == 4
    assert facts["num_epochs"] == len(cells) + len(study.cells)
    assert {cell.seed for cell in cells} == {TUNING_SEED}
    assert {(choice.arm, choice.fold) for choice in study.tuning.choices} == {
        (cell.arm, cell.fold) for cell in study.cells
    }
    for choice in study.tuning.choices:
        own = [c.id for c in cells if (arm_of(c.arm), c.fold) == (choice.arm, choice.fold)]
        assert [tuning.trial(i).config()["optim"]["lr"] for i in own] == [0.001, 0.01]
        scores = [tuning.trial(i).record().metrics["val/accuracy"] for i in own]
        assert choice.number == 1 + scores.index(max(scores))
        assert choice.num_finished == 2


def hourly(shop):
    """A clock on which each trial takes an hour."""
    return SimpleNamespace(monotonic=lambda: time.monotonic() + 3600 * len(shop.trained()))


def test_a_launch_goes_on_to_the_end_of_an_unbroken_one_and_more_seeds_reuse_its_choices(
    shop, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr("audiocls.execution.scheduler.time", hourly(shop))
        said = shop.launch("--max-hours", "1.5", code=124)
    assert "out of time" in said
    assert "no trials" not in said, "they are still to come, and nothing is to be mended"
    begun = shop.trained()
    assert len(begun) == 2
    assert not shop.folder().exists()
    assert "tuning" in shop.run("sweep", "status", "q")
    shop.launch()
    whole = shop.trained()
    assert begun.items() <= whole.items()
    before = shop.folder().study()
    shop.launch("--runs", "unbroken")
    assert StudyFolder(shop.path / "unbroken" / "q").study() == before
    shop.launch()
    assert shop.trained() == whole
    shutil.rmtree(shop.folder("q.tuning").path)
    shop.launch("--seeds", "0,1")
    after = shop.folder().study()
    assert not shop.folder("q.tuning").exists()
    assert set(before.cells) < set(after.cells)
    assert after.tuning == before.tuning


def test_another_search_is_another_question(shop):
    shop.launch()
    before = shop.folder().study()
    shop.ask(tune={"optim.lr": [0.01, 0.1]})
    assert "held another plan" in shop.launch()
    after = shop.folder().study()
    assert not before.identities.items() & after.identities.items()
    assert len(after.cells) == len(before.cells)


def test_an_arm_that_cannot_be_tuned_fails_alone_until_it_is_mended(shop, monkeypatch):
    def broken(config, *others, **named):
        if config.model.dropout == 0.5:
            raise OSError("the disk is away")
        return build(config, *others, **named)

    shop.ask(arms={"plain": {}, "some": {"model.dropout": 0.1}, "much": {"model.dropout": 0.5}})
    with monkeypatch.context() as patched:
        patched.setattr(trial, "build", broken)
        said = shop.launch(code=3)
    assert "much, fold 1: no trials, for 2 of 2 tuning trials did not finish (error: OSE" in said
    before = shop.folder().study()
    assert {cell.arm for cell in before.cells} == {"plain", "some"}
    (_, some, much) = json.loads(shop.run("report", "q", "--json"))["arms"]
    assert some["verdict"] != "not_comparable"
    assert "could not be tuned" in much["reason"]
    status = json.loads(shop.run("sweep", "status", "q", "--json"))
    assert status["tuning"]["q.tuning"]["failed"] == 2
    assert "2 failed cells are pending again" in shop.run("sweep", "retry", "q")
    shop.launch()
    after = shop.folder().study()
    assert {cell.arm for cell in set(after.cells) - set(before.cells)} == {"much"}
    assert all(choice.values for choice in after.tuning.choices)


def test_an_arm_that_diverges_whatever_it_chooses_fails_alone(shop):
    shop.ask(
        arms={"plain": {}, "wild": {"optim.weight_decay": 1e30}},
    )
    said = shop.launch(code=3)
    assert "wild, fold 1: no trials, for every tuning trial diverged" in said
    assert {cell.arm for cell in shop.folder().study().cells} == {"plain"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--ablation", "q.yaml", "arm=sgd", "seed=0", "fold=1"), "training one cell"),
        (("ablation", "register", "q.yaml"), "a server"),
        (("sweep", "launch", "q.yaml", "--executor", "wandb"), "a server"),
        (("sweep", "launch", "q.yaml", "--set", "optim.lr=1"), "each arm chooses it"),
        (("sweep", "plan", "q.yaml", "--seeds", str(TUNING_SEED)), "tuning trials' own"),
    ],
)
def test_what_knows_nothing_of_choices_is_refused(shop, words, said):
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code != 0
    assert said in plain(result)


def test_a_metric_that_no_validation_knows_is_refused_and_one_that_is_selected_is_not(shop):
    shop.ask(metric={"name": "test/balanced_accuracy"})
    refused = CliRunner().invoke(app, ["sweep", "plan", "q.yaml"])
    assert "val/balanced_accuracy is not recorded" in plain(refused)
    assert "val/accuracy, val/loss" in plain(refused)
    select = "train.select=val/balanced_accuracy"
    assert "by val/balanced_accuracy" in shop.run("sweep", "plan", "q.yaml", "--set", select)


def test_without_validation_clips_nothing_can_be_chosen(shop):
    shop.ask(overrides={"data.validation": "none", "train.select": "last"})
    refused = CliRunner().invoke(app, ["sweep", "plan", "q.yaml"])
    assert refused.exit_code != 0
    assert "data.validation is none" in plain(refused)
