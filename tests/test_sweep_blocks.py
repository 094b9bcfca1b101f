"""Seeds and folds of a sweep repeat its settings: they are neither searched nor ranked."""

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.records import search_record, search_study

from audiocls.analysis.ranking import Ranking
from audiocls.errors import UsageError
from audiocls.execution.external.code import program_code
from audiocls.execution.external.command import program_environment
from audiocls.execution.job import TrackingConfig
from audiocls.importing.sources import import_results
from audiocls.render.build.ranking import ranking_headline, table_of, to_json
from audiocls.search import TrialResult, check_sweep, for_wandb, importance, load_sweep, propose
from audiocls.store import Proposal, StudyFolder
from audiocls.studies.command_trials import CommandTrials
from audiocls.studies.reports import load_ranking, load_report

DOCUMENT = {
    "method": "grid",
    "program": "train.py",
    "metric": {"name": "acc", "goal": "maximize"},
    "blocks": {"seed": "seed", "fold": "data.fold"},
    "parameters": {
        "dropout": {"values": [0, 0.5]},
        "seed": {"values": [7, 8]},
        "data": {"parameters": {"fold": {"values": [1, 2]}}},
    },
}
CELLS = [(seed, fold) for seed in (7, 8) for fold in (1, 2)]


def faults(**changes) -> str:
    return " ".join(check_sweep({**DOCUMENT, **changes}).faults)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"blocks": {"seed": "sead"}},
            "blocks.seed: got 'sead'; allowed: dropout, seed, data.fold",
        ),
        ({"blocks": {"seed": "seed", "fold": "seed"}}, "a parameter of its own for each"),
        ({"blocks": {"seeds": "seed"}}, "Did you mean 'seed'?"),
        ({"blocks": ["seed"]}, "allowed: a mapping with the keys seed, fold"),
        ({"blocks": {"seed": "dropout"}}, "got 0.5; a seed is a whole number from 0 on"),
        ({"block_keys": {"seed": "seed"}}, "Write blocks: {seed: PARAMETER, fold: PARAMETER}"),
    ],
)
def test_faulty_blocks_are_told_in_a_sentence(changes, said):
    assert said in faults(**changes)


def test_a_parameter_that_looks_like_a_seed_is_noted_unless_it_is_declared():
    assert "blocks: {" not in " ".join(check_sweep(DOCUMENT).notes)
    undeclared = {key: value for key, value in DOCUMENT.items() if key != "blocks"}
    seed, fold = (note for note in check_sweep(undeclared).notes if "blocks: {" in note)
    assert "blocks: {seed: seed}" in seed
    assert "blocks: {fold: data.fold}" in fold


def test_the_server_never_sees_blocks_and_a_trial_knows_its_seed_and_fold(tmp_path):
    assert "blocks" not in for_wandb(DOCUMENT)
    (tmp_path / "train.py").write_text("")
    sweep = load_sweep(DOCUMENT, "s")
    trials = CommandTrials(
        StudyFolder(tmp_path / "s"),
        sweep,
        program_code(sweep, tmp_path),
        TrackingConfig("offline", "p"),
    )
    job = trials.job_of(Proposal("a", propose(sweep, [])))
    assert (job.seed, job.fold) == (7, 1)
    told = program_environment(job, {}, "cpu", "r")
    assert (told["AUDIOCLS_SEED"], told["AUDIOCLS_FOLD"]) == ("7", "1")


def test_the_bayesian_model_draws_the_seed_and_never_learns_a_lucky_one():
    """All that is known speaks for seed 7 alone; it is proposed no more often than by chance."""
    parameters = {"lr": {"min": 0.0, "max": 1.0}, "seed": {"values": list(range(8))}}
    document = {**DOCUMENT, "method": "bayes", "blocks": {"seed": "seed"}, "parameters": parameters}
    sweep = load_sweep(document, "s")
    tried = []
    for number in range(60):
        proposed = propose(sweep, tried)
        value = float(proposed["seed"] == 7) if number < 40 else 0.0
        tried.append(TrialResult(proposed, "finished", value=value))
    assert sum(trial.parameters["seed"] == 7 for trial in tried[20:]) < 15
    values = [replace(trial, value=trial.parameters["lr"]) for trial in tried]
    assert importance(sweep, values).shares == {"lr": 1.0}


@pytest.fixture
def folder(tmp_path) -> StudyFolder:
    """The hard fold costs 0.2; dropout gives 0.01 everywhere; the best trial of all has none."""
    folder = StudyFolder(tmp_path / "runs" / "mine")
    folder.write_study(search_study("mine", DOCUMENT, "train.py", "/", "audiocls sweep launch s"))
    for dropout in (0, 0.5):
        for seed, fold in CELLS:
            luck = 0.02 * ((dropout, seed, fold) == (0, 7, 1))
            name = f"{dropout}-{seed}-{fold}"
            folder.propose(
                Proposal(name, {"dropout": dropout, "seed": seed, "data": {"fold": fold}})
            )
            value = 0.8 + 0.02 * dropout - 0.2 * (fold == 2) + luck
            folder.trial(name).finish(search_record(name, value, metric="acc"))
    return folder


def ranked(folder: StudyFolder) -> Ranking:
    return load_ranking(folder)


def test_settings_are_ranked_by_their_means_and_no_seed_or_fold_is_named_best(folder):
    found = ranked(folder)
    assert found.searched == ("dropout",)
    assert [each.parameters for each in found.scored] == [{"dropout": 0.5}, {"dropout": 0}]
    assert found.scored[0].value == pytest.approx(0.71)
    headline = ranking_headline(found)
    assert "Best of 2 settings: acc 0.71 ±" in headline
    assert "dropout=0.5" in headline
    assert "seed=" not in headline
    assert "fold=" not in headline
    [row, _] = table_of(found).rows
    assert row[1:5] == ("0.71", "0.05774", "4", "0.5")
    told = json.loads(json.dumps(to_json(found)))
    assert [len(each["trials"]) for each in told["settings"]] == [4, 4]
    assert told["blocks"] == {"seed": "seed", "fold": "data.fold"}


def test_a_setting_that_lacks_a_fold_has_no_mean_to_rank(folder):
    name = "0-8-2"
    folder.trial(name).path.joinpath("record.json").unlink()
    found = ranked(folder)
    assert [each.parameters["dropout"] for each in found.scored] == [0.5]
    assert [each.state for each in found.trials] == ["finished", "pending"]


def test_settings_are_judged_in_pairs_without_a_server(folder):
    command = to_json(ranked(folder))["pairs_command"]
    assert command == "audiocls import mine --arm dropout --baseline dropout=0"
    runs = folder.path.parent
    imported = import_results("mine", arm="dropout", baseline="dropout=0", runs=runs)
    assert imported.study.name == "mine-by-dropout"
    assert (imported.num_done, imported.study.seeds, imported.study.folds) == (8, [7, 8], [1, 2])
    assert import_results("mine", arm="dropout", baseline="dropout=0", runs=runs).num_updated == 0


def test_predictions_come_along_and_a_programs_metric_is_known_by_its_value(folder):
    labels = np.array([0, 1] * 4)
    names = np.array([f"c{n}" for n in range(8)])
    for proposal in folder.proposals():
        dropout, fold = proposal.parameters["dropout"], proposal.parameters["data"]["fold"]
        num_right = 5 + int(2 * dropout) + int(fold == 1)
        right = np.arange(8) < num_right
        logits = np.eye(2)[np.where(right, labels, 1 - labels)]
        arrays = {"clips": names, "sources": names, "labels": labels, "logits": logits}
        trial = folder.trial(proposal.id)
        trial.write_predictions({**arrays, "classes": np.array(["a", "b"])})
        trial.replace_record(search_record(proposal.id, num_right / 8, metric="acc"))
    runs = folder.path.parent
    imported = import_results("mine", arm="dropout", baseline="dropout=0", runs=runs)
    report = load_report(StudyFolder(runs / imported.study.name))
    arm = report.comparison.arms[1]
    assert arm.components.num_recordings == 16
    assert arm.delta == pytest.approx(1 / 8)


def test_trials_that_an_arm_does_not_tell_apart_are_refused(folder):
    for lr in (2, 3):
        parameters = {"dropout": 0, "seed": 7, "data": {"fold": 3}, "lr": lr}
        folder.propose(Proposal(f"lr{lr}", parameters))
        folder.trial(f"lr{lr}").finish(search_record(f"lr{lr}", 0.7, metric="acc"))
    with pytest.raises(UsageError, match=r"--arm dropout,KEY.*differ among them: lr"):
        import_results("mine", arm="dropout", baseline="dropout=0", runs=folder.path.parent)
