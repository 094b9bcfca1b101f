"""What a visitor meets agrees with the package: citation, CI, container, templates."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import audiocls
from audiocls import yaml_file

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def read(name: str) -> dict[str, object]:
    return yaml_file.read(ROOT / name)


def test_who_cites_it_cites_this_version():
    citation = read("CITATION.cff")
    assert citation["version"] == audiocls.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_the_public_ci_runs_what_ours_runs_and_nothing_else():
    jobs = read(".github/workflows/ci.yml")["jobs"]
    steps = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert steps == [".ci/run"]


def test_the_hooks_are_programs_of_the_lock_file():
    [repo] = read(".pre-commit-config.yaml")["repos"]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {line.partition("==")[0] for line in lines}
    for hook in repo["hooks"]:
        program, *words = hook["entry"].split()
        assert Path(program).parent == Path(".venv/bin")
        assert Path(program).name in locked
        assert all((ROOT / word).exists() for word in words if "/" in word)


@pytest.mark.parametrize("name", ["bug", "verdict"])
def test_an_issue_template_asks_for_what_can_be_given(name):
    form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for command in re.findall(r"`(audiocls [a-z]+)", str(form)):
        assert hasattr(audiocls, command.split()[1])


def test_the_image_gets_all_that_the_wheel_holds_and_the_lock():
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {
        word for line in re.findall(r"^COPY (.+)$", dockerfile, re.M) for word in line.split()
    }
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"audiocls", *wheel["force-include"], "pyproject.toml", "README.md", "LICENSE"}
    for name in needed | {"requirements.lock"}:
        assert name in copied
        assert name in let_in
        assert (ROOT / name).exists()


def test_the_image_has_the_torch_of_the_frozen_metrics():
    """The line that the Dockerfile picks out of the lock file."""
    command = re.search(r"RUN (grep .+? > torch\.txt)", (ROOT / "Dockerfile").read_text())
    picked = command[1].removesuffix(" > torch.txt")
    found = subprocess.run(
        ["sh", "-c", picked], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert re.fullmatch(r"torch==2\.11\.\d+\n", found)


def has_builder() -> bool:
    docker = shutil.which("docker")
    return bool(docker) and subprocess.run([docker, "info"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not has_builder(), reason="no container builder here")
def test_the_image_is_built_and_plans_a_question():
    subprocess.run(["docker", "build", "--tag", "audiocls:test", "."], cwd=ROOT, check=True)
    command = ["docker", "run", "--rm", "audiocls:test", "sweep", "plan", "dropout", "--json"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert '"num_trials"' in ran.stdout
