"""The style of all figures, and the figures as SVG, PDF and PNG.

An SVG takes the ink of the page around it, so that one figure serves light and dark.
"""

import re
from collections.abc import Callable
from functools import wraps
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, ParamSpec, cast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

# Okabe and Ito's colours, told apart by every kind of colour blindness, on white and on black.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a8a8a"
BLACK, ON_BOTH = "#000000", "#767676"
"""Inks: of a paper, and one that is read on white and on black alike (contrast above 4)."""
INK = "#010203"
"""Stands for the page's own text colour; `to_svg` writes `currentColor` for it."""

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titley": 1.0,  # its place; else every layout measures all tick labels to find it
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
_NO_METADATA: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}


def styled(draw: Callable[P, "Figure"]) -> Callable[P, "Figure"]:
    """Draw in the report's style, leaving matplotlib's settings as they were."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> "Figure":
        import matplotlib as mpl

        with mpl.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure of that many inches, without pyplot's global state and display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def to_svg(figure: "Figure", name: str) -> str:
    """Return SVG text for a page, in its ink and of its width."""
    svg = to_svg_file(figure, name, "currentColor")
    return re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)


def to_svg_file(figure: "Figure", name: str, ink: str = BLACK) -> str:
    """Return SVG text of its own size: the same bytes each time, and ids that no other one has."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    _settle(figure)
    text, canvas = StringIO(), cast(Any, FigureCanvasSVG(figure))
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        # `savefig` draws twice, first to lay out: one drawing does both.
        canvas.print_svg(text, metadata=_NO_METADATA)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, ink)
    return re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{name}-", svg)


def _settle(figure: "Figure") -> None:
    """Leave out grounds, and the search for a place of labels that have no text."""
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set(facecolor="none", edgecolor="none")
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if not axis.label.get_text():
            axis.set_label_coords(0.5, 0.5)


def to_pdf(figure: "Figure") -> bytes:
    """Return the figure as a PDF whose text is text: the same bytes each time."""
    import matplotlib as mpl

    file = BytesIO()
    with mpl.rc_context({**_STYLE, "pdf.fonttype": 42}):
        figure.savefig(file, format="pdf", metadata={"CreationDate": None, "Creator": None})
    return file.getvalue()


def to_png(figure: "Figure") -> bytes:
    """Return the figure as a PNG on white: the same bytes each time."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return file.getvalue()
