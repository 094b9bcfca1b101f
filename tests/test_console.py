"""Tables and facts in a terminal of any width."""

from functools import partial

import pytest

from audiocls import console

ARM = "lr=0.003,label_smoothing=0.0,batch_size=8,n_mels=16"


@pytest.fixture
def narrow(monkeypatch):
    """A terminal of 40 columns."""
    terminal = partial(console.Console, width=40, force_terminal=True, color_system=None)
    monkeypatch.setattr(console, "stdout", terminal)


def test_a_narrow_terminal_is_told_of_the_columns_left_out_that_the_table_has(narrow, capsys):
    console.show_table("t", ("arm", "reason"), [(ARM, "because")], droppable=("MACs", "reason"))
    said = capsys.readouterr()
    assert "left out at this width: reason" in said.err
    assert "because" not in said.out


def test_a_narrow_terminal_shows_a_long_name_whole(narrow, capsys):
    console.show_facts({"baseline": ARM})
    assert ARM in "".join(capsys.readouterr().out.replace("baseline", "").split())
