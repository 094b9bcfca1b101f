"""Figures cost the page most: each is drawn once, and comes out as matplotlib itself writes it."""

import gc
import re
from io import StringIO

import matplotlib as mpl
import pytest
from helpers.records import finished_study, paired_values
from helpers.reports import page_of
from matplotlib.figure import Figure

from audiocls.analysis import compare
from audiocls.render import figures
from audiocls.render.document import Document, Section
from audiocls.render.document import Figure as Block
from audiocls.render.figures.svg import _NO_METADATA, _STYLE, INK, to_svg_file
from audiocls.render.formats.html import to_html
from audiocls.render.table import Depth

STUDY, RECORDS = finished_study(paired_values(0.05, -0.05))
COMPARED = compare(STUDY, RECORDS)
HISTORIES = {
    cell.id: [{"epoch": e, "val/accuracy": 0.1 * e} for e in range(1, 5)] for cell in STUDY.cells
}
DRAWN = {
    "pairs": lambda is_narrow: figures.paired_differences(COMPARED, is_narrow=is_narrow),
    "cost": lambda is_narrow: figures.cost_per_arm(COMPARED, is_narrow=is_narrow),
    "curves": lambda is_narrow: figures.learning_curves(
        STUDY, HISTORIES, "val/accuracy", 0.25, is_narrow=is_narrow
    ),
}


def by_matplotlib(draw, name: str) -> str:
    """Return the figure as `savefig` writes it, which places titles and labels by itself."""
    text = StringIO()
    with mpl.rc_context({**_STYLE, "axes.titley": None, "svg.hashsalt": name}):
        draw().savefig(text, format="svg", transparent=True, metadata=_NO_METADATA)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "#000000")
    return re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)


@pytest.mark.parametrize("is_narrow", [False, True])
@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_what_matplotlib_itself_writes(name, is_narrow, monkeypatch):
    ours = to_svg_file(DRAWN[name](is_narrow), name)
    monkeypatch.setitem(_STYLE, "axes.titley", None)
    assert ours == by_matplotlib(lambda: DRAWN[name](is_narrow), name)


def test_a_page_draws_each_of_its_figures_once(monkeypatch):
    drawn: list[Figure] = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, *how: (drawn.append(self), draw(self, *how)))
    page = page_of(COMPARED, STUDY, HISTORIES)
    assert len(drawn) == len(set(map(id, drawn))) == page.count("<svg")


def test_garbage_is_collected_again_after_a_page_that_failed():
    def broken() -> Figure:
        raise ValueError("no figure")

    section = Section("Broken", (Block("broken", broken),), depth=Depth.PAGE)
    with pytest.raises(ValueError, match="no figure"):
        to_html(Document("broken", (section,)))
    assert gc.isenabled()
