"""The base without torch: it plans, reports, imports and runs programs, and names the extra."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from audiocls import extras
from audiocls.errors import UsageError

ROOT = Path(__file__).parent.parent
BLOCKED = """
import json, sys
from importlib.machinery import PathFinder

class Base(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = ("torch", "torchaudio", "sam")
        return None if name.split(".")[0] in absent else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Base

from typer.testing import CliRunner
from audiocls.cli import app

def ran(line):
    result = CliRunner().invoke(app, line.split())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr

print(json.dumps([ran(line) for line in sys.argv[1:]]))
"""
STUDY = f"report plain --runs {ROOT}/tests/golden/studies/studies --format"
READING = (
    "doctor",
    "ablation list",
    "data list",
    "sweep plan dropout",
    "sweep plan kernel_size",
    "sweep plan tune_logmel_cnn",
    f"{STUDY} terminal",
    f"{STUDY} md",
    f"{STUDY} tex",
)
TRAINING = (
    "sweep launch wav_norm --wandb disabled",
    "sweep launch tune_logmel_cnn --wandb disabled",
    "train --recipe logmel-cnn --executor inline --wandb disabled",
    "show logmel-cnn",
    "evaluate here",
    "predict here there.wav",
    "export here --out there.onnx",
)
AFTERWARDS = "sweep status wav_norm --json"
SENTENCE = "needs the extra 'train': pip install 'audiocls[train]'"
ANY_WORD = re.compile(r"[\w.-]+")


@pytest.fixture(scope="module")
def ran(tmp_path_factory, cache):
    """Commands in one process that finds no torch: exit code, stdout and stderr of each."""
    folder, lines = tmp_path_factory.mktemp("base"), (*READING, *TRAINING, AFTERWARDS)
    places = {"AUDIOCLS_CACHE": str(cache), "AUDIOCLS_RUNS": str(folder / "runs")}
    told = subprocess.run(
        [sys.executable, "-c", BLOCKED, *lines],
        cwd=folder,
        env={**os.environ, **places, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return dict(zip(lines, json.loads(told.stdout), strict=True))


@pytest.mark.parametrize("line", READING)
def test_planning_listing_and_reporting_need_no_torch(ran, line):
    code, stdout, stderr = ran[line]
    assert code == 0, stderr
    assert stdout


def test_doctor_says_which_extras_are_there(ran):
    assert "not installed: train" in ran["doctor"][1]


def test_a_plan_says_that_its_budget_is_not_checked(ran):
    assert "The budget is not checked" in ran["sweep plan kernel_size"][1]
    assert "The budget is not checked" not in ran["sweep plan dropout"][1]


def test_a_study_trained_elsewhere_has_its_verdict(ran):
    assert "−28.1" in ran[f"{STUDY} terminal"][1]
    assert r"\begin{table}" in ran[f"{STUDY} tex"][1]


@pytest.mark.parametrize("line", TRAINING)
def test_whatever_trains_or_scores_names_the_extra(ran, line):
    code, _, stderr = ran[line]
    assert code == UsageError.exit_code
    assert SENTENCE in " ".join(stderr.split())


def test_a_refused_launch_keeps_its_plan_and_has_tried_no_trial(ran):
    code, stdout, _ = ran[AFTERWARDS]
    assert code == 0
    cells = json.loads(stdout)["cells"]
    assert cells["pending"] == sum(cells.values()) > 0


def test_the_known_extras_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]
    assert set(extras.EXTRAS) == set(declared) - {"dev"}
    for extra, packages in extras.EXTRAS.items():
        names = {ANY_WORD.match(each)[0].replace("-", "_") for each in declared[extra]}
        assert all(any(name.startswith(package) for name in names) for package in packages), extra


def test_a_broken_module_of_our_own_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError, match="nowhere"), extras.required("this"):
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")


def test_a_missing_module_is_the_extra_that_has_it(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"scoring needs the extra 'train': pip install"):  # noqa: SIM117
        with extras.required("scoring"):
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
    with pytest.raises(UsageError, match=r"pip install 'audiocls\[parquet\]' \(pyarrow is not"):
        extras.require("parquet", "reading it")
