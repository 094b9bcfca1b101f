"""Noise first: measure the baseline, plan in points, launch without training it again."""

import pytest
from helpers.processes import num_trained

pytestmark = pytest.mark.usefixtures("undrawn")

QUIET = ("--wandb", "disabled", "--executor", "inline")


@pytest.mark.slow
def test_noise_is_measured_first_and_its_trials_serve_the_ablation(home, here):
    measured = home.run("noise", "tiny.yaml", "--folds", "1,2", *QUIET)
    assert num_trained(measured.err) == 4
    assert "difference of two arms" in measured.out
    assert "Test-set sampling alone" in measured.out
    plan = here.run("sweep", "plan", "tiny.yaml", "--folds", "1,2", "--effect", "0.9")
    assert "tiny-noise, 2 seeds × 2 folds of the baseline" in " ".join(plan.out.split())
    assert "to see 90.0 points" in plan.out
    launched = here.launch()
    assert num_trained(launched.err) == 4, "two of six are the baseline's"
    assert len(home.finished()) == 6
    again = here.run("noise", "tiny.yaml", "--folds", "1,2", *QUIET, "--json")
    assert num_trained(again.err) == 0
    assert f"{100 * again.json()['mean']:.1f}" in measured.out
    assert again.json()["spread"] is not None
