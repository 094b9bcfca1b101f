"""The shell lines of a page, run in this process: commands of ours, scripts, what is left out.

Words that only a reader can fill in (`NAME`, an id, a sweep on a server) are filled in first.
"""

import argparse
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from audiocls.cli import app
from helpers.page_desk import Desk, lay_recipes
from helpers.pages import ROOT

COMMANDS: Any = get_command(app)
LEFT_OUT = {
    r"pip install |uv (venv|pip) |uvx ": "installs packages; tests/test_docs.py knows the extras",
    r"touch \.venv/": "is for an environment that was just installed",
    r"python -m build": "needs a network; tests/test_packaging.py builds the wheel",
    r"python benchmarks/parity": "takes minutes; tests/test_parity.py holds its rows",
    r"ssh ": "needs another machine",
    r"hf download ": "downloads",
    r"ray (start|get-auth-token) ": "starts a cluster of the reader's, or writes into their home",
    r"audiocls import ENTITY/": "needs runs of `wandb agent`: stories/test_registered_programs.py",
    r"papermill ": "is a program of others, which is not installed here",
    r"audiocls --install-completion": "writes into the shell's own files",
}
"""How a command begins that is not run → why."""
NAMES_A_STUDY = {
    *("report", "status", "watch", "logs", "retry", "stop", "sync"),
    *("rename", "delete", "archive", "serve"),
}
"""Commands of studies that are there."""
WRITTEN = {"out", "figures", "root", "new", "study"}
"""Parameters that name what a command makes."""
CODES = {"doctor": (0, 1)}
"""Exit codes beside 0 that are no fault of the page: `doctor`'s 1 is one of this machine."""


def why_left_out(line: str) -> str | None:
    """Return why a command is not run, or `None`."""
    return next((why for begin, why in LEFT_OUT.items() if re.match(begin, line)), None)


def parts_of(line: str) -> list[str]:
    """Return the commands of a line, without variables that are set for them."""
    return [re.sub(r"^[A-Z_]+=\S+ ", "", part) for part in line.split(" && ")]


def is_whole(words: str) -> bool:
    """Whether words in a sentence are a command that can be run, and not the name of one."""
    program, *given = words.split()
    if program != "audiocls":
        return program in PROGRAMS or why_left_out(words) is not None
    command, given = command_of(given)
    if "[" in words or hasattr(command, "commands"):
        return False
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    num_required = sum(each.required for each in arguments)
    return len(given) >= num_required and bool(given or not arguments)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words name, and the words after its name."""
    command = COMMANDS
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def run_line(line: str, desk: Desk) -> int:
    """Run a line of the shell as far as it can be; return the last exit code."""
    code = 0
    for part in parts_of(line):
        if why_left_out(part) is None:
            program, *words = shlex.split(part)
            assert program in PROGRAMS, f"{part}: run it, or say in LEFT_OUT why not"
            code = PROGRAMS[program](words, desk)
    return code


def run_script(text: str, desk: Desk) -> None:
    """Run a script of the shell, in which a command of ours is replaced by its exit code."""
    for line in text.splitlines():
        if line.startswith("audiocls "):
            text = text.replace(line, f"(exit {run_line(line, desk)})")
    subprocess.run(["bash", "-c", text], check=True, capture_output=True)


def _audiocls(words: list[str], desk: Desk) -> int:
    """Run a command of ours in this process, once what it names is there."""
    if words[0] == "predict":
        words = ["dog.wav" if word == "FILE" else word for word in words]
    words = [filled for word in words for filled in _expanded(word, desk)]
    if words[:2] == ["study", "delete"]:
        words.append("--yes")  # it asks in a terminal alone
    command, given = command_of(words)
    _make_needed(command, given, desk)
    ended = CliRunner().invoke(app, words)
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    said = f"audiocls {shlex.join(words)}\nexit {ended.exit_code}\n{ended.stdout}\n{ended.stderr}"
    assert ended.exit_code in CODES.get(words[0], (0,)), said
    return ended.exit_code


def _expanded(word: str, desk: Desk) -> Iterator[str]:
    """Yield what the shell and the reader make of a word."""
    word = desk.filled_in(word)
    if word.startswith(("~/", "/")) and not word.startswith(str(desk.path)):
        word = f"{desk.path}{word.removeprefix('~')}"
    if "*" in word:
        desk.need(str(Path(word).parent))
        yield from map(str, sorted(Path().glob(word)))
    elif word != "…":
        yield word


def _make_needed(command: Any, words: list[str], desk: Desk) -> None:
    """Make what a command names and a reader would have."""
    given = command.make_context("audiocls", list(words)).params
    texts = [
        (name, str(each))
        for name, value in given.items()
        for each in (value if isinstance(value, list | tuple) else [value])
        if isinstance(each, str | Path)
    ]
    settings = dict(text.split("=", 1) for _, text in texts if "=" in text)
    if "data.root" in settings:
        desk.need_data(settings["data.root"], settings.get("data.name"), given)
    if command.name == "sync":
        desk.need_offline_runs(given["name"])
    if command.name == "logs":
        desk.need_logs(given["name"])
    if command.name in NAMES_A_STUDY:
        for study in [given.get("name", "dropout"), *given.get("others", ())]:
            desk.need_study(study)
    for name, text in texts:
        if command.name == "copy" and name == "file":
            desk.clear(text)
        elif name == "recipe":
            desk.need_recipe(text)
        elif name not in WRITTEN and "=" not in text:
            desk.need(text)
    for key, text in settings.items():
        if key != "data.root":
            desk.need(text)


def _python(words: list[str], desk: Desk) -> int:
    """Run a script by this Python; of a benchmark, which takes minutes, parse its options."""
    for word in words:
        desk.need(word)
    script = Path(words[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", words)
        patch.syspath_prepend(script if script.is_dir() else script.parent)
        if script.parts[0] == "benchmarks":
            patch.setattr(argparse.ArgumentParser, "parse_args", _parse_and_end)
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                raise
    return 0


def _parse_and_end(parser: argparse.ArgumentParser, *given: Any) -> None:
    _, unknown = parser.parse_known_args(*given)
    assert not unknown, f"{parser.prog}: {unknown}"
    raise SystemExit(0)


def _make(words: list[str], desk: Desk) -> int:
    """Have make say what it would do."""
    subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True, check=True)
    return 0


def _cd(words: list[str], desk: Desk) -> int:
    os.chdir(words[0])
    lay_recipes(Path())
    return 0


def _export(words: list[str], desk: Desk) -> int:
    for word in words:
        desk.patch.setenv(*word.split("=", 1))
    return 0


PROGRAMS: dict[str, Callable[[list[str], Desk], int]] = {
    "audiocls": _audiocls,
    "python": _python,
    "make": _make,
    "cd": _cd,
    "export": _export,
}
