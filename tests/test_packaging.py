"""The wheel holds what the checkout does, and works where the checkout is not."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


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


@pytest.mark.slow
def test_the_wheel_installs_into_a_clean_environment_and_trains_there(wheel, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    bin_ = tmp_path / "venv/bin"
    install = [
        bin_ / "pip",
        "install",
        "--quiet",
        wheel,
        "--constraint",
        ROOT / "requirements.lock",
    ]
    subprocess.run(install, check=True, capture_output=True)
    trial = ["train", "--recipe", "logmel-cnn", "train.epochs=1", "data.num_sources=5"]
    environment = {**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:audiocls"}
    ran = subprocess.run(
        [bin_ / "audiocls", *trial],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "test/accuracy" in ran.stdout
