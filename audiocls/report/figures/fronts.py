"""The metric against what an arm costs, with the Pareto front."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from audiocls.report.figures.pairs import MAX_ARMS
from audiocls.report.notation import count, duration
from audiocls.report.pareto import Front, fronts
from audiocls.report.results import Comparison
from audiocls.report.svg import BLUE, GREY, INK, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def metric_against_cost(comparison: Comparison) -> "Figure":
    """A panel a cost in which arms differ: means with their intervals, the front as a line.

    Filled and named: on the front; hollow: some other arm is as good and cheaper, or better.
    """
    drawn = [front for front in fronts(comparison) if front.is_told_apart]
    figure = new_figure(3.0 * max(1, len(drawn)) + 0.6, 3.1)
    panels = figure.subplots(1, max(1, len(drawn)), sharey=True, squeeze=False)[0]
    for panel, front in zip(panels, drawn, strict=False):
        _draw(panel, front, comparison)
    unit = " %" if comparison.scale == 100 else ""
    panels[0].set_ylabel(f"{comparison.metric}{unit}")
    return figure


def _draw(axes: "Axes", front: Front, comparison: Comparison) -> None:
    scale = comparison.scale
    results = {result.arm: result for result in comparison.arms}
    places = {arm: (cost, scale * (results[arm].mean or 0.0)) for arm, cost in front.values.items()}
    _draw_steps(axes, [places[arm] for arm in front.arms])
    for arm, (cost, mean) in places.items():
        is_on = arm in front.arms
        colour = BLUE if is_on else GREY
        low, high = results[arm].mean_ci_low, results[arm].mean_ci_high
        if low is not None and high is not None:
            axes.plot([cost] * 2, [scale * low, scale * high], color=colour, lw=1, alpha=0.55)
        face = colour if is_on else "none"
        axes.plot(cost, mean, "o", ms=6.5, mfc=face, mec=INK if is_on else GREY)
    _name(axes, {arm: places[arm] for arm in front.arms[:MAX_ARMS]})
    write: Callable[[float | None], str] = duration if front.cost.startswith("time") else count
    axes.set_title(front.cost, loc="left", weight="bold")
    axes.xaxis.set_major_formatter(lambda value, _: write(value) if value > 0 else "0")
    axes.locator_params(axis="x", nbins=4)
    axes.margins(x=0.18)


def _draw_steps(axes: "Axes", points: Sequence[tuple[float, float]]) -> None:
    """What is reached for at most so much: constant until the next arm of the front."""
    axes.plot(*zip(*points, strict=True), color=BLUE, lw=1, ls=(0, (3, 2)), drawstyle="steps-post")


def _name(axes: "Axes", places: dict[str, tuple[float, float]]) -> None:
    for arm, place in places.items():
        axes.annotate(arm, place, (5, 5), textcoords="offset points", fontsize=9)
