"""Seeds are added until all is decided: interrupted or not, to the same plan and the same words."""

import signal

import pytest
from helpers.processes import num_trained

from audiocls.analysis import compare
from audiocls.store import StudyFolder

WORDS = ("--until-decided", "--max-pairs", "13", "--executor", "inline")
"""Looks at 8 and 12 seeds."""


def study_of(home, runs="runs"):
    return StudyFolder(home.path / runs / "tiny")


def answer_of(home, runs="runs"):
    """The arms' results, without the seconds, which no two launches have in common."""
    study = study_of(home, runs).study()
    found = compare(study, study_of(home, runs).records(study.cells)).compared
    return {result.arm: {**vars(result), "seconds": None} for result in found}


def stopped(home, look, how):
    """Launch, and send `how` when that look is planned and a trial has begun."""
    process = home.start("sweep", "launch", "tiny.yaml", "--wandb", "disabled", *WORDS)
    folder = study_of(home)
    home.wait_for(lambda: folder.exists() and len(folder.study().looks) == look)
    home.wait_for(home.has_history)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.slow
def test_a_study_interrupted_and_killed_ends_as_one_that_was_not(home):
    home.change(
        factors="{optim.lr: [3.0, 3.1e-3]}",
        blocks="{seed: [0, 1, 2, 3, 4, 5, 6, 7]}",
        metric="{name: test/calibration_error}",
        stats="{margin: 1.0e-6}",
    )
    code, err = stopped(home, 1, signal.SIGINT)
    assert code == 75
    assert "--until-decided --max-pairs 13" in err
    code, _ = stopped(home, 2, signal.SIGKILL)
    assert code == -signal.SIGKILL
    resumed = home.launch(*WORDS)
    whole = home.launch(*WORDS, "--runs", "whole")
    assert 0 < num_trained(resumed.err) < num_trained(whole.err) == 24 + 8
    assert study_of(home).study() == study_of(home, "whole").study()
    assert answer_of(home) == answer_of(home, "whole")
    large, faint = answer_of(home).values()
    assert (large["verdict"], large["look"], large["num_pairs"]) == ("worse", 1, 8)
    assert (faint["verdict"], faint["look"], faint["num_pairs"]) == ("no_evidence", 2, 12)
    assert "stopped at the pair limit after 12 pairs" in whole.out
    assert "look 2: 32/32 done" in whole.err
