"""An ablation over a program as a W&B sweep: plain `wandb agent`, the real client, a stand-in."""

import pytest
from helpers.processes import wandbs_own_agent

ABLATION = """
name: mine
question: Does it help to be wide?
program: train.py
factors: {width: [1, 2]}
design: factorial
blocks: {seed: [3]}
block_keys: {seed: trainer.seed}
metric: {name: val_acc, goal: maximize}
stats: {margin: 0.01}
"""

TRAIN = """
import argparse, wandb
parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int)
parser.add_argument("--trainer.seed", type=int, dest="seed")
given = parser.parse_args()
with wandb.init() as run:
    run.log({"val_acc": 0.1 * given.width + 0.01 * given.seed})
"""


@pytest.fixture
def shop(here, wandb_server):
    """A folder with somebody's script that logs to W&B, and a question about it."""
    (here.path / "mine.yaml").write_text(ABLATION)
    (here.path / "train.py").write_text(TRAIN)
    return here


def registered(shop) -> str:
    """Return the path of the sweep that is pushed to the server."""
    _, _, theirs = shop.run("ablation", "register", "mine.yaml", "--push").out.splitlines()
    return theirs.removeprefix("wandb agent ")


def test_plain_wandb_agent_runs_a_grid_whose_runs_are_imported_as_a_study(shop, wandb_server):
    sweep = registered(shop)
    ended = wandbs_own_agent(shop.path, sweep)
    assert ended.code == 0, ended.err
    found = {run.config["width"]: run.summary["val_acc"] for run in wandb_server.runs()}
    assert found == pytest.approx({1: 0.13, 2: 0.23})
    assert not wandb_server.unknown
    keys = ("--arm", "width", "--baseline", "1", "--seed", "trainer.seed", "--metric", "val_acc")
    shop.run("import", sweep, "--study", "back", *keys)
    arms = shop.run("report", "back", "--json").json()["arms"]
    assert [arm["mean"] for arm in arms] == pytest.approx([0.13, 0.23])


def test_plain_wandb_agent_runs_arms_that_are_no_grid(shop, wandb_server):
    arms = "arms: {plain: {width: 1}, wide: {width: 2}}"
    text = ABLATION.replace("factors: {width: [1, 2]}\ndesign: factorial", arms)
    (shop.path / "mine.yaml").write_text(text)
    sweep = registered(shop)
    ended = wandbs_own_agent(shop.path, "--count", "2", sweep)
    assert ended.code == 0, ended.err
    found = {run.config["arm"]: run.summary["val_acc"] for run in wandb_server.runs()}
    assert found == pytest.approx({"plain": 0.13, "wide": 0.23})
    assert {run.sweep for run in wandb_server.runs()} == {sweep.rpartition("/")[2]}
    assert {run.state for run in wandb_server.runs()} == {"finished"}
    arms = shop.run("report", "mine", "--json").json()["arms"]
    assert [arm["mean"] for arm in arms] == pytest.approx([0.13, 0.23])
