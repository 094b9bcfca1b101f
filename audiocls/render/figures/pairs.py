"""The paired differences of each arm, with their mean and interval."""

from typing import TYPE_CHECKING

import numpy as np

from audiocls.analysis.results import ArmResult, Comparison
from audiocls.render.figures.rows import (
    MAX_ARMS,
    MAX_CHARS,
    NARROW,
    draw_zone,
    mark_of,
    name_rows,
    name_rows_above,
    write_verdict,
)
from audiocls.render.figures.svg import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def paired_differences(comparison: Comparison, is_narrow: bool = False) -> "Figure":
    """Draw a row an arm: its pairs as dots, mean and interval, zero, zone of equivalence.

    `is_narrow` draws it for a phone, with names above their rows.
    """
    arms = comparison.compared[:MAX_ARMS]
    width, height = (NARROW, 0.7) if is_narrow else (8.0, 0.46)
    figure = new_figure(width, 1.1 + height * max(1, len(arms)))
    axes = figure.add_subplot()
    between = f", arm − {comparison.other_side}"
    draw_zone(
        axes, comparison, "difference of", between, MAX_CHARS // 2 if is_narrow else MAX_CHARS
    )
    for row, result in enumerate(arms):
        _draw_pairs(axes, row, result, comparison)
        write_verdict(axes, row, result.verdict, is_narrow)
    (name_rows_above if is_narrow else name_rows)(axes, [result.arm for result in arms])
    return figure


def _draw_pairs(axes: "Axes", row: int, result: ArmResult, comparison: Comparison) -> None:
    """Draw the dots below the line of the mean, so that neither hides the other."""
    if result.delta is None:
        return
    mark, scale = mark_of(result, comparison.goal), comparison.scale
    colour = mark["color"]
    values = scale * np.array([difference for *_, difference in result.differences])
    axes.scatter(values, _spread(row + 0.17, len(values)), s=13, color=colour, alpha=0.55, lw=0)
    mean = scale * result.delta
    if result.ci_low is not None and result.ci_high is not None:
        ends = [scale * result.ci_low, scale * result.ci_high]
        axes.plot(ends, [row - 0.13] * 2, color=colour, linewidth=2, solid_capstyle="round")
    axes.plot(mean, row - 0.13, markersize=7.5, **mark)


def _spread(row: float, num: int) -> list[float]:
    """Return heights that part equal values: the same ones every time, not random jitter."""
    return [row + 0.05 * (index % 4 - 1.5) for index in range(num)]
