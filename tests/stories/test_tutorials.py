"""Each tutorial works as it is written: its files, its commands in order, and what they print."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.processes import Home

TUTORIALS = Path(__file__).parents[2] / "docs/tutorials"
A_FIFTH = ("--seeds", "0", "--folds", "1")
"""Added to a launch whose answer the page does not show."""


def blocks(page: str) -> Iterator[tuple[str, str]]:
    text = (TUTORIALS / f"{page}.md").read_text()
    yield from re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M)


def walk(page: str, home: Home, *added: str) -> None:
    """Write the page's files, run its commands, and look for what it says that they print.

    A file's first line is its name. A line that is shown must be in what was printed last, but for
    white space, and for what … stands for. `added` are further words of each launch.
    """
    printed = ""
    for language, text in blocks(page):
        name = re.match(r"# (\S+\.\w+)\n", text)
        if language in ("python", "yaml"):
            assert name, f"{page}: a file without a name"
            (home.path / name[1]).write_text(text)
        elif language == "bash":
            printed = "\n".join(run(line, home, added) for line in text.splitlines())
        elif not text.startswith(("AUDIOCLS", "rsync")):
            require_shown(text, printed)


def run(line: str, home: Home, added: tuple[str, ...]) -> str:
    program, *words = shlex.split(line)
    assert program == "audiocls", line
    ended = home.run(*words, *(added if words[:2] == ["sweep", "launch"] else ()))
    return ended.out


def require_shown(text: str, printed: str) -> None:
    found = " ".join(printed.split())
    for line in text.splitlines():
        parts = [re.escape(" ".join(part.split())) for part in line.split("…")]
        assert re.search(".*?".join(parts), found), f"{line}\nis not in\n{printed}"


@pytest.mark.slow
def test_the_first_verdict_is_plain(home):
    walk("first-verdict", home)
    assert "<svg" in (home.path / "runs/dropout/report.html").read_text()


@pytest.mark.slow
def test_a_folder_becomes_a_model(home):
    walk("my-folder", home)
    assert (home.path / "sounds.onnx").stat().st_size > 100_000


@pytest.mark.slow
def test_a_script_gets_its_verdicts(home):
    walk("my-script", home)


@pytest.mark.slow
def test_a_network_is_compared_with_a_built_in_one(home):
    walk("my-model", home)


@pytest.mark.slow
def test_an_offline_study_is_uploaded_later(home, wandb_server):
    walk("cluster-to-wandb", home, *A_FIFTH)
    (sweep,) = wandb_server.sweeps()
    assert len(sweep.run_ids) == 4
