"""Ablations as W&B sweeps: valid in W&B's own grammar, and as the repository holds them."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from audiocls import library, yaml_file
from audiocls.cli import app
from audiocls.design import plan, wandb_sweep
from audiocls.studies.sweep_request import sweep_request

SWEEPS = Path(__file__).parents[1] / "sweeps"
EVERY_ABLATION = pytest.mark.parametrize("name", sorted(library.available("ablations")))


@pytest.fixture(scope="module")
def grammar() -> dict[str, Any]:
    """W&B's JSON Schema, from the package `sweeps` (read, not imported: it wants old numpy)."""
    files = importlib.metadata.files("sweeps") or []
    (file,) = (file for file in files if file.as_posix() == "sweeps/config/schema.json")
    schema = json.loads(Path(str(file.locate())).read_text())
    assert isinstance(schema, dict)
    return schema


def sweep(name: str) -> dict[str, Any]:
    return wandb_sweep(plan(library.ablation(name)))


def test_the_shelf_holds_ablations():
    assert {"conv_groups", "dropout", "n_mels", "sam"} <= set(library.available("ablations"))


def test_the_grammar_refuses_what_is_no_sweep(grammar):
    """Otherwise the tests below would prove nothing."""
    good = sweep("dropout")
    for wrong in ({"method": "gird"}, {"parameters": {"arm": {"value": 1, "values": [1]}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, **wrong}, grammar)


@EVERY_ABLATION
def test_a_registered_ablation_is_valid_without_an_unknown_key(name, grammar):
    registered = sweep(name)
    assert set(registered) <= set(grammar["properties"])
    validator = jsonschema.Draft7Validator(grammar)
    assert not [error.message for error in validator.iter_errors(registered)]


@EVERY_ABLATION
def test_its_grid_is_the_plan(name):
    chosen, registered = plan(library.ablation(name)), sweep(name)
    values = {key: each["values"] for key, each in registered["parameters"].items()}
    assert list(values) == ["arm", "seed", "fold"]
    assert values["arm"] == list(chosen.arms)
    assert len(values["arm"]) * len(values["seed"]) * len(values["fold"]) == chosen.num_trials


@EVERY_ABLATION
def test_its_command_leads_back_to_the_ablation(name):
    registered = sweep(name)
    assert library.registered_ablation(registered) == name
    assert registered["command"][-1] == "${args_no_hyphens}"


@EVERY_ABLATION
def test_the_file_is_what_register_writes(name, tmp_path):
    """If this fails: `audiocls ablation register --all`."""
    result = CliRunner().invoke(app, ["ablation", "register", name, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    written = (tmp_path / f"{name}.yaml").read_text(encoding="utf-8")
    assert (SWEEPS / f"{name}.yaml").read_text(encoding="utf-8") == written
    assert yaml_file.read(tmp_path / f"{name}.yaml") == sweep(name)


def test_registering_all_writes_every_ablation_on_the_shelf(tmp_path):
    result = CliRunner().invoke(app, ["ablation", "register", "--all", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {file.stem for file in tmp_path.iterdir()} == set(library.available("ablations"))


SEARCHES = sorted(set(library.available("sweeps")) - set(library.available("ablations")))


def test_the_shelf_holds_searches():
    assert {"tune_convnext1d", "tune_logmel_cnn"} <= set(SEARCHES)


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_on_the_shelf_is_faultless_and_trains_a_recipe_of_ours(name, grammar):
    asked = sweep_request(name)
    assert not library.checked_sweep(asked.file)[2]
    assert not list(jsonschema.Draft7Validator(grammar).iter_errors(asked.document))
    assert asked.native is not None
    question, cost, command = asked.file.read_text().splitlines()[:3]
    assert question.endswith("?")
    assert f"{asked.sweep.run_cap} trials" in cost
    assert command == f"# audiocls sweep launch {name}"


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_on_the_shelf_chooses_on_validation_clips(name):
    assert "val/" in sweep_request(name).sweep.metric.name
