"""W&B agents as people run them: the command line, the real client, a stand-in server."""

import signal
from pathlib import Path

import psutil
import pytest
from helpers.processes import wandbs_own_agent

from audiocls.store import TrialFolder

ROOT = Path(__file__).parents[2]
QUIET = ("--wandb", "disabled", "--executor", "inline")


@pytest.fixture
def pushed(here, wandb_server):
    """Two arms, two seeds: a registered question, and the path of its sweep on the server."""
    (here.path / "ablations").mkdir()
    here.change(factors="{model.dropout: [0.5]}")
    (here.path / "tiny.yaml").rename(here.path / "ablations" / "tiny.yaml")
    ended = here.run("ablation", "register", "tiny", "--push")
    url, ours, wandbs = ended.out.splitlines()
    path = ours.removeprefix("audiocls sweep agent ")
    assert url.startswith(wandb_server.url)
    assert wandbs == f"wandb agent {path}"
    return path


def make_long(home, epochs):
    recipe = home.path / "recipes" / "tiny.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 3", f"epochs: {epochs}"))


def test_a_grid_is_trained_once_by_two_agents_and_what_is_finished_is_told_again(
    home, here, wandb_server, pushed
):
    cell = ("--ablation", "tiny", "arm=baseline", "seed=0", "fold=1")
    here.run("train", *cell, *QUIET)
    before = home.records()
    ended = home.run("sweep", "agent", pushed, "--workers", "2")
    assert "4 trained, 0 failed" in ended.err
    runs = wandb_server.runs()
    assert len(home.finished()) == len(runs) == 4
    assert before.items() <= home.records().items()
    assert len({(run.job_type, run.config["seed"]) for run in runs}) == 4
    for run in runs:
        assert (run.state, run.group, run.sweep) == ("finished", "tiny", pushed.split("/")[-1])
        assert "test/accuracy" in run.summary
        epochs = [row["epoch"] for row in run.history if "train/loss" in row]
        assert epochs == [1, 2, 3]
    assert not wandb_server.unknown
    again = home.run("ablation", "register", "tiny", "--push")
    assert "unchanged" in again.err
    assert "0 trained" in here.run("sweep", "agent", pushed, "--workers", "1").err


def test_wandbs_own_agent_trains_cells_of_a_pushed_sweep(here, wandb_server, pushed):
    ended = wandbs_own_agent(here.path, "--count", "1", pushed)
    assert ended.code == 0, ended.err
    assert len(here.finished()) == 1
    [run] = wandb_server.runs()
    assert (run.state, run.group, run.job_type) == ("finished", "tiny", "baseline")
    assert "test/accuracy" in run.summary
    assert here.run("sweep", "status", "tiny", "--json").json()["cells"]["done"] == 1


def test_a_run_stopped_on_the_server_ends_early_and_a_killed_agent_comes_back_for_its_run(
    home, wandb_server, pushed
):
    make_long(home, 100_000)
    process = home.start("sweep", "agent", pushed, "--workers", "1")
    home.wait_for(lambda: len(wandb_server.runs()) == 1 and home.has_history())
    first = wandb_server.runs()[0]
    wandb_server.stop_run(first.id)
    home.wait_for(lambda: len(wandb_server.runs()) == 2, limit_s=90)
    assert wandb_server.run(first.id).state == "killed"
    [stopped] = home.finished()
    second = wandb_server.runs()[1]
    home.wait_for(lambda: len(begun(home)) == 2)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    [unfinished] = [trial for trial in begun(home) if trial != stopped]
    psutil.wait_procs(workers, timeout=30)  # which outlive their agent by seconds
    home.wait_for(lambda: TrialFolder(unfinished).state() == "pending")
    size = (unfinished / "history.jsonl").stat().st_size
    again = home.start("sweep", "agent", pushed, "--workers", "1", "--count", "1")
    home.wait_for(lambda: (unfinished / "history.jsonl").stat().st_size > size, limit_s=200)
    wandb_server.stop_run(second.id)
    _, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    assert len(wandb_server.runs()) == 2
    assert home.finished() == sorted([stopped, unfinished])


def begun(home):
    return [trial for trial in home.trials() if (trial / "history.jsonl").exists()]


SEARCH = """
name: search
method: grid
metric: {name: val/loss, goal: minimize}
parameters: {optim.lr: {values: [0.001, 0.003]}}
command: [audiocls, train, --recipe, tiny, train.epochs=1, '${args_no_hyphens}']
"""

PROGRAM = """
name: anybodys
program: train.py
method: grid
metric: {name: loss, goal: minimize}
parameters: {lr: {values: [0.3, 0.1]}}
"""

TRAIN = """
import argparse, pathlib, wandb
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
given = parser.parse_args()
with wandb.init(project="mine", config={"mine": 1}) as run:
    if given.lr == 0.3 and not pathlib.Path("mended").exists():
        raise ValueError("not yet")
    run.log({"loss": given.lr})
"""


def test_a_sweep_is_launched_on_a_server_and_its_study_is_read_like_any_other(
    home, here, wandb_server
):
    (home.path / "search.yaml").write_text(SEARCH)
    server = ("--executor", "wandb", "--workers", "1")
    refused = here.run("sweep", "launch", "search.yaml", *server, "--retries", "2", code=2)
    assert "--retries: no effect here" in refused.err
    assert not wandb_server.sweeps()
    ended = home.run("sweep", "launch", "search.yaml", *server)
    assert "2 trained, 0 failed" in ended.err
    [sweep] = wandb_server.sweeps()
    assert {(r.sweep, r.state, r.group) for r in wandb_server.runs()} == {
        (sweep.id, "finished", "search")
    }
    found = here.run("report", "search", "--json").json()
    assert {t["parameters"]["optim.lr"] for t in found["trials"]} == {0.001, 0.003}
    values = [trial["value"] for trial in found["trials"]]
    assert values == sorted(values)
    local = here.run("sweep", "launch", "search.yaml", *QUIET)
    assert "0 trained, 2 reused" in local.err
    assert not wandb_server.unknown


def test_anybodys_program_runs_under_an_agent_and_what_failed_is_done_again(
    home, here, wandb_server
):
    (home.path / "anybodys.yaml").write_text(PROGRAM)
    (home.path / "train.py").write_text(TRAIN)
    ended = home.run("sweep", "launch", "anybodys.yaml", "--executor", "wandb", code=3)
    assert "1 trained, 1 failed" in ended.err
    states = {run.config["lr"]: run.state for run in wandb_server.runs()}
    assert states == {0.3: "failed", 0.1: "finished"}
    [failure] = here.run("sweep", "status", "anybodys", "--json").json()["failures"]
    assert "ValueError: not yet" in failure["message"]
    (home.path / "mended").touch()
    again = home.run("sweep", "retry", "anybodys").out
    command = again.partition("audiocls ")[2].split()
    assert "1 trained, 0 failed" in here.run(*command).err
    assert {run.state for run in wandb_server.runs()} == {"finished"}
    assert len(wandb_server.runs()) == 2
    found = here.run("report", "anybodys", "--json").json()
    assert [trial["value"] for trial in found["trials"]] == [0.1, 0.3]
    assert not wandb_server.unknown


def test_a_wrong_key_is_one_clear_error(here, pushed, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "w" * 40)
    ended = here.run("sweep", "agent", pushed, code=2)
    assert ended.err.count("error") == 1
    assert "wandb login --relogin" in ended.err


def test_trials_shorter_than_their_uploads_are_all_trained_and_uploaded(home, here, wandb_server):
    wandb_server.stall("file_stream", 1)
    home.run("sweep", "launch", "tiny.yaml", "--wandb", "online", "--workers", "1")
    runs = wandb_server.runs()
    assert len(home.finished()) == len(runs) > 2
    for run in runs:
        assert run.state == "finished"
        assert [row["epoch"] for row in run.history if "train/loss" in row] == [1, 2, 3]
