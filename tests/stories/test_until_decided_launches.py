"""Seeds are added until all is decided: interrupted or not, to the same plan and the same words."""

import signal

import pytest
from helpers.processes import num_trained

from audiocls.store import StudyFolder
from audiocls.studies.reports import load_report

pytestmark = pytest.mark.usefixtures("undrawn")

WORDS = ("--until-decided", "--max-pairs", "13", "--executor", "inline")
"""Looks at 8 to 13 seeds."""


def study_of(home, runs="runs"):
    return StudyFolder(home.path / runs / "tiny")


def answer_of(home, runs="runs"):
    """The arms' results, without the seconds, which no two launches have in common."""
    found = load_report(study_of(home, runs)).comparison.compared
    apart = {"seconds": None, "components": None}  # arrays, of which all the rest is computed
    return {result.arm: {**vars(result), **apart} for result in found}


def stopped(home, look, how):
    """Launch, and send `how` when that look is planned and a trial has begun."""
    process = home.start("sweep", "launch", "tiny.yaml", "--wandb", "disabled", *WORDS)
    folder = study_of(home)
    home.wait_for(lambda: folder.exists() and len(folder.study().looks) == look, limit_s=200)
    home.wait_for(home.has_history)
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    return process.returncode, err


@pytest.mark.slow
def test_a_study_interrupted_and_killed_ends_as_one_that_was_not(home, here):
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
    resumed = here.launch(*WORDS)
    whole = here.launch(*WORDS, "--runs", "whole")
    assert 0 < num_trained(resumed.err) < num_trained(whole.err)
    assert study_of(home).study() == study_of(home, "whole").study()
    assert answer_of(home) == answer_of(home, "whole")
    large, faint = answer_of(home).values()
    assert (large["verdict"], large["look"] < 6) == ("worse", True)
    num_both, num_faint = large["look"] - 1, 6 - large["look"]
    assert num_trained(whole.err) == 24 + 3 * num_both + 2 * num_faint
    assert (faint["verdict"], faint["look"], faint["num_pairs"]) == ("no_evidence", 6, 13)
    assert "stopped at the pair limit after 13 pairs" in whole.out
    assert "look 6: " in whole.err
