"""Parts and libraries of installed distributions, by entry points."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.own_parts import write_package
from helpers.recipes import TINY, TINY_ABLATION_YAML, TINY_RECIPE_YAML
from typer.testing import CliRunner

from audiocls import library
from audiocls.cli import app
from audiocls.config import resolve
from audiocls.errors import ConfigError
from audiocls.execution import health
from audiocls.parts import plugins
from audiocls.parts.origin import of_server
from audiocls.studies.listing import parts
from audiocls.studies.request import ablation_request

EXAMPLE = Path(__file__).parent.parent / "examples/plugin"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name.startswith("shared_parts")]:
        monkeypatch.delitem(sys.modules, name)
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def install(
    site: Path, entry_points: str, name: str = "shared-parts", version: str = "1.2"
) -> None:
    """Write what an installer leaves of a distribution whose package is `shared_parts`."""
    if not (site / "shared_parts").exists():
        write_package(site, "shared_parts")
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    facts = f"Name: {name}\nVersion: {version}\nLicense-Expression: Apache-2.0\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\n{facts}")
    (info / "entry_points.txt").write_text(entry_points)
    (info / "top_level.txt").write_text("shared_parts\n")
    (info / "RECORD").write_text("shared_parts/__init__.py,,\n")


NET = "[audiocls.models]\nnet = shared_parts.nets:MyNet\n"


def test_a_plugins_name_stands_for_its_part_and_its_version_is_in_the_identity(site):
    install(site, NET)
    model = resolve([TINY, {"model.name": "net", "model.width": 4}], "r").model
    assert (model.name, model.code, model.model_extra) == ("net", "shared-parts 1.2", {"width": 4})
    assert model.build((6, 20), 3).head.out_features == 3
    with pytest.raises(ConfigError, match="Did you mean 'width'"):
        resolve([TINY, {"model.name": "net", "model.widht": 4}], "r")


def test_a_server_may_name_a_plugins_part_which_was_installed_on_purpose(site):
    install(site, NET)
    assert resolve([TINY, {"model.name": "net"}], "r", of_server("s")).model.name == "net"
    with pytest.raises(ConfigError, match="--trust shared_parts"):
        resolve([TINY, {"model.name": "shared_parts.nets:MyNet"}], "r", of_server("s"))


def test_entry_points_are_read_for_unknown_names_alone(monkeypatch):
    monkeypatch.setattr(plugins, "entry_points", lambda **_: pytest.fail("entry points were read"))
    resolve([TINY, {"train.loss": "bce", "augment.transforms": ["neg"]}], "r")


def test_a_name_of_two_distributions_must_be_said_by_module(site):
    install(site, NET)
    install(site, NET.replace("nets:MyNet", "bad:Net"), "others", "3")
    with pytest.raises(ConfigError, match=r"net is a name in .*others 3") as caught:
        resolve([TINY, {"model.name": "net"}], "r")
    assert "'shared_parts.nets:MyNet'" in str(caught.value)


def test_parts_are_listed_with_origin_licence_and_what_they_are(site):
    install(site, NET + "[audiocls.losses]\ngone = shared_parts.nothing:part\n")
    (mine,) = [part for part in parts("models") if part.name == "net"]
    assert (mine.origin, mine.licence) == ("shared-parts 1.2", "Apache-2.0")
    assert mine.summary == "A small net."
    told = CliRunner().invoke(app, ["parts", "list", "--json"])
    listed = {(row["kind"], row["name"]): row for row in json.loads(told.stdout)}
    assert {kind for kind, _ in listed} == set(plugins.KINDS)
    assert listed["models", "resnet34"]["origin"].startswith("audiocls ")
    assert listed["augment", "mixup"]["licence"] == "MIT"
    assert listed["losses", "gone"]["summary"].startswith("cannot be read: no module")
    assert "shared_parts" not in sys.modules
    wrong = CliRunner().invoke(app, ["parts", "list", "model"])
    assert wrong.exit_code == 2
    assert "Did you mean 'models'?" in wrong.output


def test_doctor_names_the_parts_that_fail_to_import(site):
    install(site, NET + "broken = shared_parts.broken:part\n[audiocls.library]\nno = no_where\n")
    problems = health._plugin_problems()
    assert len(problems) == 2
    assert (
        "plugin broken of shared-parts 1.2 (audiocls.models): shared_parts.broken fails"
        in (problems[0])
    )
    assert "plugin no of shared-parts 1.2 (audiocls.library): no module" in problems[1]


def test_a_library_ships_recipes_and_ablations_which_ones_own_replace(site, tmp_path):
    install(site, "[audiocls.library]\nmore = shared_parts\n")
    for kind, name, text in (
        ("recipes", "tiny", TINY_RECIPE_YAML),
        ("ablations", "tiny", TINY_ABLATION_YAML),
    ):
        (site / "shared_parts" / kind).mkdir()
        (site / "shared_parts" / kind / f"{name}.yaml").write_text(text)
    assert library.find("recipes", "tiny").is_relative_to(site)
    assert ablation_request("tiny").plan()[0].num_trials == 6
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/tiny.yaml").write_text(TINY_RECIPE_YAML)
    assert library.find("recipes", "tiny") == Path("recipes/tiny.yaml")


@pytest.mark.slow
def test_the_example_is_installed_lists_its_parts_trains_and_keeps_the_contracts(tmp_path):
    source, site = tmp_path / "plugin", tmp_path / "site-packages"
    shutil.copytree(EXAMPLE, source)
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    words = ["-m", "pip", "install", *offline, "--target", str(site), str(source)]
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    path = os.pathsep.join([str(EXAMPLE.parent.parent), str(site)])
    environment = {**os.environ, "PYTHONPATH": path}

    def run(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    assert "tiny_cnn" in run("audiocls", "parts", "list", "models")
    launch = ["sweep", "launch", "example_width", "--devices", "cpu", "--wandb", "disabled"]
    assert "4 trained" in run("audiocls", *launch, "--workers", "1")
    run("pytest", "-q", "-p", "no:cacheprovider", str(source / "tests"))
