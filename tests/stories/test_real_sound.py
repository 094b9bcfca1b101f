"""The same command on real recordings beside the project."""

import pytest
from helpers.audio import RECORDINGS

ESC10, DIGITS = RECORDINGS / "esc10", RECORDINGS / "fsdd"

pytestmark = pytest.mark.slow


def arms_of(home, study):
    report = home.run("report", study, "--json").json()
    return {arm["arm"]: arm for arm in report["arms"]}


def launch_n_mels(home, name, root, *more):
    data = ["--set", f"data.name={name}", "--set", f"data.root={root}"]
    return home.run("sweep", "launch", "n_mels", "--wandb", "disabled", *data, *more)


@pytest.mark.skipif(not ESC10.exists(), reason="the recordings are not beside the project")
def test_the_default_recipe_reaches_four_fifths_on_esc10(home):
    launch_n_mels(home, "esc50", ESC10, "--arms", "n_mels=20", "--seeds", "0")
    baseline = arms_of(home, "n_mels")["baseline"]
    assert baseline["num_pairs"] == 5
    assert baseline["mean"] >= 0.80


@pytest.mark.skipif(not DIGITS.exists(), reason="the recordings are not beside the project")
def test_digits_of_an_unheard_speaker_are_far_above_chance_with_an_interval(home):
    ended = launch_n_mels(home, "speechcommands", DIGITS, "--seeds", "0..2")
    assert "left out: 2, 3, 4, 5" in ended.err
    baseline = arms_of(home, "n_mels")["baseline"]
    assert baseline["num_pairs"] == 3
    assert baseline["mean_ci_low"] > 0.3
    assert baseline["mean_ci_low"] < baseline["mean"] < baseline["mean_ci_high"]
