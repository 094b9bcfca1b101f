"""A study whose arms are tuned first, on the command line."""

import pytest
from helpers.processes import kill, workers_of

TUNE = "{optim.lr: [1.0e-3, 3.0e-3, 1.0e-2]}"


@pytest.mark.slow
def test_killed_at_any_moment_the_tuning_goes_on_and_the_study_follows(home):
    home.change(tune=TUNE, tune_trials="3", factors="{model.dropout: [0.1]}")
    tuning = home.path / "runs/tiny.tuning/trials"
    killed = home.start("sweep", "launch", "tiny.yaml", "--wandb", "disabled", "--workers", "2")
    home.wait_for(lambda: any(tuning.glob("*/record.json")))
    workers = workers_of(killed.pid)
    kill(killed.pid)
    killed.communicate(timeout=60)
    assert workers
    before = {path: path.stat().st_mtime_ns for path in tuning.glob("*/record.json")}
    status = home.run("sweep", "status", "tiny", "--json").json()
    assert status["study"] == "tiny.tuning"
    assert sum(status["cells"].values()) == 2 * 3

    home.launch("--workers", "2")
    after = {path: path.stat().st_mtime_ns for path in tuning.glob("*/record.json")}
    assert before.items() <= after.items()
    assert len(after) == 2 * 3
    page = (home.path / "runs/tiny/report.html").read_text()
    assert "Each arm was tuned with 3 trials a fold" in page
    assert "Chosen: baseline lr=" in page
