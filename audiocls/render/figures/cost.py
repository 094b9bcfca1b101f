"""What each arm takes, as bars."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from audiocls.analysis.results import Comparison
from audiocls.formatting import format_count, format_duration
from audiocls.render.figures.rows import MAX_ARMS, MAX_NAME, MAX_NARROW, NARROW, shorten
from audiocls.render.figures.svg import BLUE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def cost_per_arm(comparison: Comparison, is_narrow: bool = False) -> "Figure":
    """Draw what each arm takes: seconds a trial, parameters, MACs per clip; every bar from zero.

    `is_narrow` draws it for a phone, one panel below the other.
    """
    arms = comparison.arms[: MAX_ARMS + 1]
    height, names = 0.7 + 0.32 * len(arms), [shorten(result.arm, MAX_NAME) for result in arms]
    if is_narrow:
        figure = new_figure(NARROW, 3 * height)
        panels = figure.subplots(3, 1, sharey=True)
        names = [shorten(name, MAX_NARROW // 2) for name in names]
    else:
        figure = new_figure(9.0, height)
        panels = figure.subplots(1, 3, sharey=True)
    quantities: dict[str, tuple[Callable[[float | None], str], list[float | None]]] = {
        "time of a trial": (format_duration, [result.seconds for result in arms]),
        "parameters": (format_count, [result.num_params for result in arms]),
        "MACs per clip": (format_count, [result.macs for result in arms]),
    }
    for panel, (title, (write, values)) in zip(panels, quantities.items(), strict=True):
        bars = panel.barh(range(len(arms)), [v or 0 for v in values], color=BLUE, height=0.5)
        panel.bar_label(bars, [write(value) for value in values], padding=4, fontsize=9)
        panel.set_title(title, loc="left", weight="bold")
        panel.set_xlim(0, 1.35 * max([v for v in values if v] or [1]))
        panel.set_xticks([])
        panel.spines["bottom"].set_visible(False)
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(arms)), names)
    panels[0].set_ylim(len(arms) - 0.5, -0.5)
    return figure
