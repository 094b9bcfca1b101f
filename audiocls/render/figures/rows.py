"""What figures of differences share: a row each, zero, the zone of equivalence, and the words."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from audiocls.analysis.family import Estimate
from audiocls.analysis.results import Comparison
from audiocls.render.figures.svg import BLUE, GREEN, GREY, INK, ORANGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_ARMS = 24
"""Arms in a figure, the first ones of the study; the page says so where there are more."""
MAX_CHARS = 60
"""In a line below an axis."""
MAX_NAME = 48
"""Characters of a name beside a row."""
NARROW = 4.2
"""Inches of a figure for a phone, whose text is then as large as that around it."""
MAX_NARROW = 34
"""Characters of a name there, beside which a verdict stands."""
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


def mark_of(estimate: Estimate, goal: str) -> dict[str, Any]:
    """Return the mark of an estimate for `plot`; hollow where it leans and nothing was shown."""
    shape, colour = MARKS.get(estimate.verdict, NO_MARK)
    if estimate.is_leaning and estimate.kind != "interaction":
        is_up = (estimate.delta or 0.0) > 0
        shape, colour = MARKS["better" if is_up == (goal == "maximize") else "worse"]
        return {"marker": shape, "color": colour, "mfc": "none", "mec": colour}
    return {"marker": shape, "color": colour, "mfc": colour, "mec": INK}


def name_rows(axes: "Axes", names: Sequence[str]) -> None:
    """Name the rows, the first on top, with nothing but the names beside them."""
    axes.set_yticks(range(len(names)), [shorten(name, MAX_NAME) for name in names])
    axes.set_ylim(max(1, len(names)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def name_rows_above(axes: "Axes", names: Sequence[str]) -> None:
    """Name the rows in the line above each, where there is no room beside them."""
    name_rows(axes, [""] * len(names))
    for row, name in enumerate(names):
        axes.annotate(
            shorten(name, MAX_NARROW),
            (0.0, row - 0.38),
            xycoords=("axes fraction", "data"),
            weight="bold",
            va="center",
            annotation_clip=False,
        )


def shorten(name: str, most: int) -> str:
    """Return a name of at most so many characters, its middle left out.

    >>> shorten("optim.weight_decay=0.003526", 13)
    'optim.…003526'
    """
    half = (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[half + 1 - most :]}"


def draw_zone(
    axes: "Axes", comparison: Comparison, what: str, between: str = "", width: int = MAX_CHARS
) -> None:
    """Draw zero and the margin around it; `what` of the metric lies along the axis, and of whom.

    `width` is the longest line below the axis, in characters.
    """
    scale, margin = comparison.scale, comparison.margin * comparison.scale
    axes.axvspan(-margin, margin, color=GREY, alpha=0.16, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    better = "right" if comparison.goal == "maximize" else "left"
    unit = " in points" if scale == 100 else ""
    label = f"{what} {comparison.metric}{unit}{between} ({better} is better)"
    axes.set_xlabel(textwrap.fill(label, width, break_long_words=False))


def write_verdict(axes: "Axes", row: float, verdict: str, is_narrow: bool = False) -> None:
    """Write the verdict at the right end of its row, or of the name above it."""
    axes.annotate(
        verdict.replace("_", " "),
        (1.0, row - 0.38) if is_narrow else (1.01, row),
        xycoords=("axes fraction", "data"),
        ha="right" if is_narrow else "left",
        va="center",
        annotation_clip=False,
    )
