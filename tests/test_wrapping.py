"""Sentences end their lines between words, at any width; what can be copied stays whole."""

import re
from functools import partial

import pytest
from helpers.processes import invoke
from helpers.records import finished_study, paired_values

from audiocls import console
from audiocls.analysis import compare
from audiocls.console.layout import PROSE_WIDTH, name_in_lines, wrapped
from audiocls.render.build.verdicts import verdict_table
from audiocls.render.document import Document, Headline, Items, Note, Text
from audiocls.render.formats.terminal import show, to_text
from audiocls.render.table import Column, Table

PROSE = (
    "The verdict rests on 10 pairs of trials, tested as paired differences averaged over the folds "
    "of each seed; undecided arms need more of them than the same seeds can give."
)
COMMAND = "audiocls sweep launch a-question-with-a-long-name --seeds 0..9 --runs /scratch/me/runs"


@pytest.fixture(params=[80, 140])
def width(request, monkeypatch):
    """A terminal of that many columns on stdout and stderr."""
    narrow = partial(console.Console, width=request.param, force_terminal=True, color_system=None)
    monkeypatch.setattr(console, "stdout", narrow)
    monkeypatch.setattr(console, "stderr", partial(narrow, stderr=True))
    return request.param


DOCUMENT = Document(
    "x",
    (Headline(PROSE, PROSE), Text(PROSE), Note(PROSE), Items((PROSE, PROSE))),
    dict,
)


def test_no_word_of_a_document_is_broken(width, capsys):
    show(DOCUMENT)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    assert max(map(len, said.splitlines())) > width - 20
    assert said.split() == to_text(DOCUMENT).split()


def test_errors_and_notes_are_wrapped_and_their_items_indented(width, capsys):
    console.error(f"a.yaml:\n  - {PROSE}\n  - {PROSE}")
    console.note(PROSE)
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0] == "error: a.yaml:"
    assert lines[1].startswith("  - The verdict")
    assert lines[2].startswith("    ")


def test_a_command_is_never_broken_and_stands_alone_where_it_does_not_fit(width, capsys):
    console.note(f"stopped by a signal, and nothing is lost. Resume with: {COMMAND}")
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == COMMAND


def test_a_path_is_never_broken(width, capsys):
    path = "/".join(["a-folder"] * 30)
    console.say(f"written to {path}, with all that a reader of it needs to know")
    assert path in capsys.readouterr().out


def test_a_pipe_gets_sentences_whole():
    assert PROSE in to_text(DOCUMENT)


def test_sentences_of_a_table_are_narrow_in_a_pipe_too():
    many = " ".join([PROSE] * 3)
    table = Table((Column("kind", "word"), Column("what", "prose")), (("a", many),))
    lines = to_text(Document("x", (table,), dict)).splitlines()
    assert max(map(len, lines)) <= PROSE_WIDTH + len("kind") + 4
    assert many.split() == " ".join(lines).split(" a ")[1].split()


@pytest.mark.parametrize("columns", [80, 60, 40])
@pytest.mark.parametrize("arm", ["dropout=0.1", "mixing=mixup,model.dropout=0.25,train.epochs=30"])
def test_a_verdicts_table_is_broken_between_words_alone(columns, arm, monkeypatch, capsys):
    narrow = partial(console.Console, width=columns, force_terminal=True, color_system=None)
    monkeypatch.setattr(console, "stdout", narrow)
    values = paired_values(0.003, 0.05)
    study, records = finished_study({"baseline": values["base"], arm: values["arm0"]})
    document = Document("x", (verdict_table(compare(study, records)),), dict)
    show(document)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= columns
    words = {word for line in lines for word in line.split() if "─" not in word}
    assert words <= {*to_text(document).split(), *arm_lines(arm)}
    assert not any("[" in re.sub(r"\[[^][]*\]", "", line) for line in lines), "whole intervals"
    assert {"Δ", "verdict", "better"} <= words
    assert arm in "".join(line.split()[0] for line in lines if line.strip())


def arm_lines(arm):
    """Return the lines that the name of an arm may be broken into."""
    return {line for width in range(8, 80) for line in name_in_lines(arm, width).split("\n")}


def test_an_id_is_whole_at_any_width(monkeypatch, capsys):
    narrow = partial(console.Console, width=60, force_terminal=True, color_system=None)
    monkeypatch.setattr(console, "stdout", narrow)
    columns = [Column(f"a.long.parameter{i}") for i in range(5)]
    table = Table((*columns, Column("trial", "id")), ((*["0.123456"] * 5, "1a2b3c4d5e6f"),))
    show(Document("x", (table,), dict))
    assert "1a2b3c4d5e6f" in capsys.readouterr().out


SAID = (
    "sweep plan dropout",
    "ablation plan nosuch",
    "sweep plan dropout --set lr=1",
    "recipe list",
)


@pytest.mark.parametrize("words", SAID)
@pytest.mark.parametrize("columns", [80, 140])
def test_no_word_that_a_command_says_is_broken(columns, words, monkeypatch):
    """Each word of the narrow output is one of what a pipe gets."""
    piped = invoke(*words.split())
    narrow = partial(console.Console, width=columns, force_terminal=True, color_system=None)
    monkeypatch.setattr(console, "stdout", narrow)
    monkeypatch.setattr(console, "stderr", partial(narrow, stderr=True))
    seen = invoke(*words.split())
    lines = (seen.out + seen.err).splitlines()
    told = "\n".join(line for line in lines if not line.startswith("left out at this width"))
    assert words_of(told) <= words_of(piped.out + piped.err)
    assert max(map(len, lines)) <= columns


def words_of(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


@pytest.mark.parametrize("width_", range(20, 100, 7))
def test_wrapping_keeps_every_word_in_its_order(width_):
    assert wrapped(PROSE, width_).split() == PROSE.split()
    assert max(map(len, wrapped(PROSE, width_).splitlines())) <= width_
