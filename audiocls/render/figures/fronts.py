"""The metric against what an arm costs, with the Pareto front."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from audiocls.analysis.pareto import Front, fronts
from audiocls.analysis.results import ArmResult, Comparison
from audiocls.formatting import format_count, format_duration
from audiocls.render.figures.rows import MAX_ARMS, MAX_NAME, MAX_NARROW, NARROW, shorten
from audiocls.render.figures.svg import BLUE, GREY, INK, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def metric_against_cost(comparison: Comparison, is_narrow: bool = False) -> "Figure":
    """Draw a panel a cost in which arms differ: means with their intervals, the front as a line.

    Filled: on the front; hollow: some other arm is as good and cheaper, or better.
    `is_narrow` draws it for a phone, one panel below the other.
    """
    drawn = [front for front in fronts(comparison) if front.costs_differ]
    on_front = [arm for front in drawn for arm in front.arms]
    placed = [arm for front in drawn for arm in front.values]
    named = list(dict.fromkeys([*on_front, *placed]))[:MAX_ARMS]
    num = max(1, len(drawn))
    columns = 1 if is_narrow or max(map(len, named), default=0) > 24 else 3
    height = 0.2 * math.ceil(len(named) / columns)
    if is_narrow:
        figure = new_figure(NARROW, 2.9 * num + height)
        panels = figure.subplots(num, 1, sharey=True, squeeze=False)[:, 0]
    else:
        figure = new_figure(9.4, 2.9 + height)
        panels = figure.subplots(1, num, sharey=True, squeeze=False)[0]
    for panel, front in zip(panels, drawn, strict=False):
        _draw(panel, front, comparison, named)
    unit = " %" if comparison.scale == 100 else ""
    panels[0].set_ylabel(f"{comparison.metric}{unit}")
    _draw_key(figure, named, columns)
    return figure


def _draw(axes: "Axes", front: Front, comparison: Comparison, named: Sequence[str]) -> None:
    scale = comparison.scale
    results = {result.arm: result for result in comparison.arms}
    places = {arm: (cost, scale * (results[arm].mean or 0.0)) for arm, cost in front.values.items()}
    _draw_steps(axes, [places[arm] for arm in front.arms])
    for arm, place in places.items():
        _draw_arm(axes, place, results[arm], scale, is_on=arm in front.arms)
        if arm in named:
            number = str(named.index(arm) + 1)
            axes.annotate(number, place, (6, 4), textcoords="offset points", weight="bold")
    write: Callable[[float | None], str] = (
        format_duration if front.cost.startswith("time") else format_count
    )
    axes.set_title(front.cost, loc="left", weight="bold")
    axes.xaxis.set_major_formatter(lambda value, _: write(value))
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.12)


def _draw_arm(
    axes: "Axes", place: tuple[float, float], result: ArmResult, scale: int, is_on: bool
) -> None:
    cost, mean = place
    colour = BLUE if is_on else GREY
    low, high = result.mean_ci_low, result.mean_ci_high
    if low is not None and high is not None:
        axes.plot([cost] * 2, [scale * low, scale * high], color=colour, lw=1, alpha=0.55)
    face, edge = (colour, INK) if is_on else ("none", GREY)
    axes.plot(cost, mean, "o", ms=6.5, mfc=face, mec=edge)


def _draw_steps(axes: "Axes", points: Sequence[tuple[float, float]]) -> None:
    """Draw the best metric for at most each cost: constant until the next arm of the front."""
    axes.plot(*zip(*points, strict=True), color=BLUE, lw=1, ls=(0, (3, 2)), drawstyle="steps-post")


def _draw_key(figure: "Figure", named: Sequence[str], columns: int) -> None:
    """Draw the names apart from the points, beside which they would lie on one another."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], ls="", color=INK, marker=f"${number}$", ms=6 + 3 * (number > 9))
        for number in range(1, len(named) + 1)
    ]
    names = [shorten(name, 2 * MAX_NAME if columns == 1 else MAX_NARROW) for name in named]
    figure.legend(marks, names, loc="outside lower left", ncols=columns, fontsize=9)
