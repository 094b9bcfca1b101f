"""The wheel holds what the checkout does, and works where the checkout is not."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = out.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_shelf_the_recipes_and_the_template_and_nothing_at_top_level(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for kind in ("ablations", "sweeps"):
        for file in (ROOT / kind).glob("*.yaml"):
            assert f"audiocls/_library/{kind}/{file.name}" in names
    for file in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"audiocls/_library/notebooks/{file.name}" in names
    for file in (ROOT / "audiocls/recipes").glob("*.yaml"):
        assert f"audiocls/recipes/{file.name}" in names
    assert {"audiocls/render/formats/page/page.html.j2", "audiocls/py.typed"} <= set(names)
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"audiocls"}


def test_the_installed_wheel_plans_what_it_ships(wheel, tmp_path):
    """Installed beside the tests' own packages, and run from a folder that holds nothing."""
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    program = (
        "import audiocls, sys\n"
        "assert audiocls.__file__.startswith(sys.argv[1]), audiocls.__file__\n"
        "from audiocls.cli import app; app(['sweep', 'plan', 'dropout', '--json'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(site)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert '"num_trials"' in ran.stdout


def installed(folder: Path, *requirements: str | Path) -> Path:
    """The `bin` of a new environment with these, pinned as the lock has them."""
    pinned = ("--constraint", ROOT / "requirements.lock")
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin/python"
    place = ("--quiet", "--no-cache", "--python", python)  # no gigabytes are left behind
    install = [UV, "pip", "install", *place, *requirements, *pinned]
    ran = subprocess.run(install, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder / "bin"


def added(folder: Path, *requirements: str | Path) -> Path:
    """The `bin` of a new environment with these added to the packages of this one."""
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (site / "here.pth").write_text("\n".join(here))
    pinned = ["--constraint", ROOT / "requirements.lock"]
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin/python"]
    install = [*pip, "install", "--quiet", *requirements, *pinned]
    ran = subprocess.run(install, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return folder / "bin"


def said(folder: Path, command: Path, *words: str, code: int = 0) -> str:
    """The stdout and stderr of a command that ends with `code`."""
    # A new environment has no bytecode: the first command writes it for those after it.
    left_out = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    strict = {"PYTHONWARNINGS": "error::DeprecationWarning:audiocls", "COLUMNS": "300"}
    ran = subprocess.run(
        [command, *words],
        cwd=folder,
        env={**environment, **strict},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


TRAIN = "audiocls[train] @ "
TRIAL = ["train", "--recipe", "logmel-cnn", "train.epochs=1", "data.num_sources=5"]
SWEEP = """
program: train.py
method: grid
metric: {name: loss, goal: minimize}
parameters: {lr: {values: [0.1, 0.3]}}
"""
PROGRAM = """
import sys, wandb
lr = float(sys.argv[1].removeprefix("--lr="))
with wandb.init(project="mine", config={"lr": lr}) as run:
    run.log({"loss": lr})
"""


@pytest.mark.slow
def test_the_wheel_installs_into_a_clean_environment_and_trains_there(wheel, tmp_path):
    bin_ = installed(tmp_path / "venv", f"{TRAIN}{wheel.as_uri()}")
    assert "test/accuracy" in said(tmp_path, bin_ / "audiocls", *TRIAL)


@pytest.mark.slow
def test_the_base_has_no_torch_and_does_all_that_needs_none(wheel, tmp_path):
    bin_ = installed(tmp_path / "venv", wheel)
    absent = "No module named 'torch'"
    assert absent in said(tmp_path, bin_ / "python", "-c", "import torch", code=1)
    (tmp_path / "grid.yaml").write_text(SWEEP)
    (tmp_path / "train.py").write_text(PROGRAM)

    def run(line: str, code: int = 0) -> str:
        return said(tmp_path, bin_ / "audiocls", *line.split(), code=code)

    for line in ("--help", "ablation list", "data list", "sweep plan dropout"):
        assert run(line)
    assert "not installed: train" in run("doctor")
    assert "2" in run("sweep plan grid.yaml")
    assert "2 trained, 0 reused, 0 failed" in run("sweep launch grid.yaml")
    refused = run("sweep launch dropout --wandb disabled", code=2)
    assert "needs the extra 'train': pip install 'audiocls[train]'" in refused
    studies = ROOT / "tests/golden/studies/studies"
    assert "−28.1" in run(f"report plain --clips --runs {studies}")
    for name in ("json", "md", "tex", "html"):
        assert name in run(f"report plain --runs {studies} --format {name} --out answer.{name}")
        assert "28.1" in (tmp_path / f"answer.{name}").read_text()


@pytest.mark.slow
def test_timm_and_transformers_beside_audiocls_break_nothing(wheel, tmp_path):
    more = ("timm", "transformers", "torchvision")
    bin_ = added(tmp_path / "venv", f"{TRAIN}{wheel.as_uri()}", *more)
    imports = "import timm, torchvision, transformers, audiocls; print(audiocls.__file__)"
    assert str(tmp_path) in said(tmp_path, bin_ / "python", "-c", imports)
    assert "test/accuracy" in said(tmp_path, bin_ / "audiocls", *TRIAL)
    assert "logmel-cnn" in said(tmp_path, bin_ / "audiocls", "report", "logmel-cnn")
