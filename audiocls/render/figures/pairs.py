"""The paired differences of each arm, with their mean and interval."""

from typing import TYPE_CHECKING

import numpy as np

from audiocls.analysis.results import ArmResult, Comparison
from audiocls.render.figures.rows import (
    MARKS,
    MAX_ARMS,
    NO_MARK,
    draw_zone,
    name_rows,
    write_verdict,
)
from audiocls.render.figures.svg import INK, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def paired_differences(comparison: Comparison) -> "Figure":
    """Draw a row an arm: its pairs as dots, mean and interval, zero, zone of equivalence."""
    arms, scale = comparison.compared[:MAX_ARMS], comparison.scale
    figure = new_figure(8.0, 1.1 + 0.46 * max(1, len(arms)))
    axes = figure.add_subplot()
    draw_zone(axes, comparison, "difference of", f", arm − {comparison.other_side}")
    for row, result in enumerate(arms):
        _draw_pairs(axes, row, result, scale)
    name_rows(axes, [result.arm for result in arms])
    return figure


def _draw_pairs(axes: "Axes", row: int, result: ArmResult, scale: int) -> None:
    """Draw the dots below the line of the mean, so that neither hides the other."""
    write_verdict(axes, row, result.verdict)
    if result.delta is None:
        return
    mark, colour = MARKS.get(result.verdict, NO_MARK)
    values = scale * np.array([difference for *_, difference in result.differences])
    axes.scatter(values, _spread(row + 0.17, len(values)), s=13, color=colour, alpha=0.55, lw=0)
    mean = scale * result.delta
    if result.ci_low is not None and result.ci_high is not None:
        ends = [scale * result.ci_low, scale * result.ci_high]
        axes.plot(ends, [row - 0.13] * 2, color=colour, linewidth=2, solid_capstyle="round")
    axes.plot(mean, row - 0.13, marker=mark, color=colour, markersize=7.5, markeredgecolor=INK)


def _spread(row: float, num: int) -> list[float]:
    """Return heights that part equal values: the same ones every time, not random jitter."""
    return [row + 0.05 * (index % 4 - 1.5) for index in range(num)]
