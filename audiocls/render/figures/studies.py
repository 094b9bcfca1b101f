"""The effects of all studies side by side, distinguished by shape and position, not by colour."""

from typing import TYPE_CHECKING

from audiocls.analysis.contrasts.cross_study import MultiStudyReport
from audiocls.analysis.results import ArmResult
from audiocls.render.figures.rows import MAX_NARROW, NARROW, name_rows, shorten
from audiocls.render.figures.svg import BLUE, GREEN, GREY, INK, ORANGE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHAPES = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D"}
COLOURS = (BLUE, ORANGE, GREEN, GREY)
MAX_STUDIES = len(SHAPES)
MAX_ARMS = 24


def shapes(joint: MultiStudyReport) -> list[str]:
    """Return `circle dropout`, for the caption."""
    return [f"{shape} {a.study}" for shape, a in zip(SHAPES, joint.answers, strict=False)]


@styled
def effects(joint: MultiStudyReport, is_narrow: bool = False) -> "Figure":
    """Draw a row an arm, a mark and an interval a study; the first 24 arms.

    `is_narrow` draws it for a phone.
    """
    arms = list(dict.fromkeys(r.arm for answer in joint.answers for r in answer.compared))[
        :MAX_ARMS
    ]
    width = NARROW if is_narrow else 8.0
    figure = new_figure(width, 1.1 + 0.24 * max(2, len(joint.answers) + 1) * max(1, len(arms)))
    axes = figure.add_subplot()
    axes.axvline(0, color=INK, linewidth=0.8)
    for index, answer in enumerate(joint.answers):
        height = 0.5 * (index - (len(joint.answers) - 1) / 2) / max(1, len(joint.answers) - 1)
        for result in answer.compared:
            if result.arm in arms:
                _draw(axes, arms.index(result.arm) + height, result, index, joint.scale)
    name_rows(axes, [shorten(arm, MAX_NARROW // 2) for arm in arms] if is_narrow else arms)
    axes.set_xlabel(f"effect on {joint.answers[0].metric}{' in points' * (joint.scale == 100)}")
    return figure


def _draw(axes: "Axes", row: float, result: ArmResult, index: int, scale: int) -> None:
    if result.delta is None:
        return
    shape, colour = list(SHAPES.values())[index], COLOURS[index]
    if result.ci_low is not None and result.ci_high is not None:
        ends = [scale * result.ci_low, scale * result.ci_high]
        axes.plot(ends, [row, row], color=colour, linewidth=2, solid_capstyle="round")
    axes.plot(scale * result.delta, row, shape, color=colour, markersize=7, markeredgecolor=INK)
