"""Whatever is given as a path, no command ends in a traceback: it names the fault, exit code 2."""

import errno
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audiocls import named_paths, yaml_file
from audiocls.cli import app
from audiocls.errors import ConfigError, UsageError
from audiocls.store import folder_name
from audiocls.store.study import open_study

WORDS = {
    "too long": "x" * 300,
    "too deep": "x/" * 3000,
    "in a circle": "loop",
    "through a circle": "loop/x",
    "through a file": "file.txt/x",
    "a NUL": "a\0b",
    "no UTF-8": "a\udcffb",
    "nobody's home": "~nobody-of-that-name/x",
    "the root": "/",
    "nothing": "",
}
COMMANDS = {
    "an ablation": ("ablation", "plan", "{}.yaml"),
    "a sweep": ("sweep", "launch", "{}.yaml"),
    "a recipe": ("show", "{}.yaml"),
    "another recipe": ("ablation", "plan", "dropout", "--recipe", "{}.yaml"),
    "a trial's file": ("train", "--config", "{}"),
    "a trial's recipe": ("train", "--recipe", "{}"),
    "a trial's ablation": ("train", "--ablation", "{}"),
    "a study": ("sweep", "status", "{}"),
    "a study to compare": ("report", "{}"),
    "a study's page": ("report", "s", "--format", "html", "--out", "{}/x.html"),
    "a study's name": ("sweep", "launch", "dropout", "--study", "{}/"),
    "studies": ("report", "s", "--runs", "{}"),
    "a checkpoint": ("evaluate", "{}"),
    "results": ("import", "{}"),
    "a table": ("import", "{}.csv"),
    "a storage": ("import", "optuna:{}"),
}


@pytest.fixture(autouse=True)
def _oddities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_names_no_file_is_told_and_ends_with_2(command: str, word: str) -> None:
    words = [part.replace("{}", WORDS[word]) for part in COMMANDS[command]]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert len(result.output) < 20_000


@pytest.mark.parametrize("key", ["data.root", "ssl.clips", "init_from", "distil.teacher"])
@pytest.mark.parametrize("value", ['"a\\0b"', "~nobody-of-that-name/x", "loop/x", "x" * 300])
def test_a_value_that_names_no_file_is_told_and_ends_with_2(
    key: str, value: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIOCLS_CACHE", str(cache))
    other = {"data.root": ["data.name=esc50"], "ssl.clips": ["ssl.mode=pretrain"]}
    given = [f"{key}={value}", *other.get(key, [])]
    result = CliRunner().invoke(app, ["train", "--recipe", "logmel-cnn", *given])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output


@pytest.mark.parametrize("text", ['a: "x\\0y"', '"x\\0y": 1', 'a: [1, "\\0"]', 'a: "\\ud800"'])
def test_yaml_text_that_no_word_can_hold_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ConfigError, match="line 2"):
        yaml_file.parse(f"b: 1\n{text}", "x")


def test_a_name_is_one_of_a_folder_also_where_characters_are_halved() -> None:
    assert folder_name("a\udcffb\ud800") == "a-b"


def test_a_study_has_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder of a study"):
        open_study("/", tmp_path)


def test_what_may_not_be_looked_at_is_not_taken_for_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(self: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refused)
    with pytest.raises(PermissionError):
        named_paths.is_file(Path("x"))


def test_a_path_that_is_no_utf8_is_shown_escaped(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["doctor", "--runs", str(tmp_path / "a\udcffb")])
    assert "a\\udcffb" in result.output


def test_doctor_says_that_a_folder_without_hard_links_keeps_no_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    result = CliRunner().invoke(app, ["doctor", "--runs", str(tmp_path)])
    assert result.exit_code == 1
    assert "no study can be kept there, for one cannot make hard links" in result.stderr


@pytest.mark.parametrize("command", [("sweep", "launch", "dropout"), ("report", "dropout")])
def test_a_working_folder_that_was_deleted_is_told(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch cannot even be imported there: oneMKL ends the process."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "the folder that you are in was deleted; go to another one first: cd" in result.stderr
