"""The command line as people meet it: help, examples, what they type first, completion."""

import shlex
from typing import Any

import pytest
import typer
from helpers.processes import invoke

import audiocls
from audiocls.cli import app
from audiocls.cli.examples import EXAMPLES

MOST_EXAMPLES = 3


def commands(group: Any = None, before: str = "") -> dict[str, Any]:
    """Return every command and group below `group`, by its words."""
    found = {}
    for name, command in (group or typer.main.get_command(app)).commands.items():
        found[f"{before}{name}"] = command
        if hasattr(command, "commands"):
            found |= commands(command, f"{before}{name} ")
    return found


COMMANDS = commands()
LEAVES = [words for words, command in COMMANDS.items() if not hasattr(command, "commands")]


@pytest.mark.parametrize("words", ["", *COMMANDS])
def test_h_is_help_everywhere(words):
    short, long = invoke(*words.split(), "-h"), invoke(*words.split(), "--help")
    assert short.code == long.code == 0
    assert short.out == long.out
    assert "-h, --help" in short.out


def test_version_is_that_of_the_package():
    told = invoke("--version")
    assert (told.code, told.out) == (0, f"audiocls {audiocls.__version__}\n")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("version", "audiocls --version"),
        ("launch dropout", "audiocls sweep launch"),
        ("plan dropout --seeds 0..4", "audiocls sweep plan"),
        ("status dropout", "audiocls sweep status"),
        ("ablation launch dropout", "audiocls sweep launch"),
        ("run dropout", "audiocls sweep launch"),
        ("test trial", "audiocls evaluate"),
        ("compare a b", "audiocls report"),
        ("list", "audiocls sweep list"),
        ("sweep ls", "audiocls sweep list"),
        ("swep list", "sweep"),
        ("recipe", "recipe"),
    ],
)
def test_what_people_type_first_is_answered_with_what_they_mean(typed, meant):
    told = invoke(*typed.split())
    assert told.code == 2
    assert meant in told.err + told.out


def test_a_group_suggests_its_own_command_before_those_of_others():
    told = invoke("data", "ls").err
    assert "'audiocls data list'" in told
    assert "sweep list" not in told


def test_a_word_that_means_nothing_gets_no_suggestion():
    assert "Did you mean" not in invoke("xyzzy").err


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_has_examples_at_the_end_of_its_help(words):
    lines = EXAMPLES[words]
    assert 1 <= len(lines) <= MOST_EXAMPLES
    help_text = invoke(*words.split(), "--help").out
    assert [line.strip() for line in help_text.splitlines()[-len(lines) :]] == list(lines)


def test_no_example_is_of_a_command_that_is_not_there():
    assert set(EXAMPLES) == set(LEAVES)


@pytest.mark.parametrize(
    ("words", "line"), [(words, line) for words, lines in EXAMPLES.items() for line in lines]
)
def test_every_example_parses_as_that_command(words, line):
    given = shlex.split(line)
    named = words.split()
    assert given[: 1 + len(named)] == ["audiocls", *named]
    assert COMMANDS[words].make_context(words, given[1 + len(named) :])
