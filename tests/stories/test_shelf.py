"""Everything on the shelf runs, small: each question, launch to report; each CPU-sized recipe."""

import json

import pytest

from audiocls import library

pytestmark = pytest.mark.slow

SMALL = ("train.epochs=2", "data.num_sources=5", "data.clips_per_source=1")
"""Thirty clips to train on, twice."""
QUIET = ("--wandb", "disabled", "--executor", "inline")
"""Processes are not what is tested here, and each would import torch."""
SEARCHES = sorted(set(library.available("sweeps")) - set(library.available("ablations")))
CPU_SIZED = [name for name in library.available("recipes") if name.endswith("-cpu")]


@pytest.mark.parametrize("name", library.available("ablations"))
def test_every_ablation_on_the_shelf_runs_to_its_end(here, name):
    block = ("--seeds", "0", "--folds", "1", *QUIET)
    here.run("sweep", "launch", name, *block, *(f"--set={each}" for each in SMALL))
    planned = here.run("sweep", "plan", name, "--json").json()
    answer = here.run("report", name, "--json").json()
    assert [arm["arm"] for arm in answer["arms"]] == planned["arms"]
    assert all(arm["num_pairs"] == 1 for arm in answer["arms"])


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_on_the_shelf_runs_and_ranks(here, name):
    small = (f"--set={each}" for each in SMALL[1:])
    here.run("sweep", "launch", name, "--count", "2", *QUIET, *small)
    trials = here.run("report", name, "--json").json()["trials"]
    assert len(trials) == 2
    assert all(trial["value"] is not None for trial in trials)


@pytest.mark.parametrize("name", CPU_SIZED)
def test_every_cpu_sized_recipe_trains_and_costs_what_show_says(here, name):
    here.run("train", "--recipe", name, *QUIET, *SMALL)
    (record,) = (here.path / "runs" / name / "trials").glob("*/record.json")
    cost = json.loads(record.read_text())["cost"]
    shown = here.run("show", name, *SMALL, "--json").json()
    assert (shown["params"], shown["macs"]) == (cost["num_params"], cost["macs"])
    assert cost["epochs"] == 2
