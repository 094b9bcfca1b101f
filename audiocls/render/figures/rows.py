"""What figures of differences share: a row each, zero, the zone of equivalence, and the words."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from audiocls.analysis.results import Comparison
from audiocls.render.figures.svg import BLUE, GREEN, GREY, INK, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_ARMS = 24
"""Arms in a figure, the first ones of the study; the page says so where there are more."""
MAX_CHARS = 60
"""In a line below an axis."""
MARKS = {
    "better": ("^", BLUE),
    "worse": ("v", ORANGE),
    "equivalent": ("s", GREEN),
    "interacts": ("X", ORANGE),
    "additive": ("s", GREEN),
    "too_few_pairs": ("D", GREY),
}
"""A verdict's shape and colour."""
NO_MARK = ("o", GREY)


def name_rows(axes: "Axes", names: Sequence[str]) -> None:
    """Name the rows, the first on top, with nothing but the names beside them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(1, len(names)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def draw_zone(axes: "Axes", comparison: Comparison, what: str, between: str = "") -> None:
    """Draw zero and the margin around it; `what` of the metric lies along the axis, and of whom."""
    scale, margin = comparison.scale, comparison.margin * comparison.scale
    axes.axvspan(-margin, margin, color=GREY, alpha=0.16, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    better = "right" if comparison.goal == "maximize" else "left"
    unit = " in points" if scale == 100 else ""
    label = f"{what} {comparison.metric}{unit}{between} ({better} is better)"
    axes.set_xlabel(textwrap.fill(label, MAX_CHARS, break_long_words=False))


def write_verdict(axes: "Axes", row: float, verdict: str) -> None:
    """Write the verdict at the right end of its row."""
    axes.annotate(
        verdict.replace("_", " "),
        (1.01, row),
        xycoords=("axes fraction", "data"),
        va="center",
        annotation_clip=False,
    )
