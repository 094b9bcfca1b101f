"""Effects of factors: dots with intervals, and lines that are parallel where effects add up."""

from typing import TYPE_CHECKING, Any

from audiocls.analysis.results import Comparison, Effect, SimpleEffect, TwoWay
from audiocls.render.figures.rows import (
    MAX_CHARS,
    NARROW,
    draw_zone,
    mark_of,
    name_rows,
    name_rows_above,
    write_verdict,
)
from audiocls.render.figures.svg import BLUE, GREEN, GREY, ORANGE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_EFFECTS = 24
"""Effects in a figure, the first ones; the table has all."""
_LINES = (("o", BLUE, "-"), ("s", ORANGE, "--"), ("^", GREEN, ":"), ("D", GREY, "-."))


@styled
def effect_intervals(comparison: Comparison, is_narrow: bool = False) -> "Figure":
    """Draw a row an effect: mean and interval, zero, zone of equivalence, simple effects.

    `is_narrow` draws it for a phone, with names above their rows.
    """
    effects = comparison.effects.estimates[:MAX_EFFECTS]
    rows: list[Effect | SimpleEffect] = []
    for effect in effects:
        rows += [*effect.parts, effect]
    width, height_of_row = (NARROW, 0.58) if is_narrow else (8.0, 0.34)
    figure = new_figure(width, 1.1 + height_of_row * max(1, len(rows)))
    axes = figure.add_subplot()
    draw_zone(axes, comparison, "effect on", width=MAX_CHARS // 2 if is_narrow else MAX_CHARS)
    for height, row in enumerate(rows):
        _draw_row(axes, height, row, comparison, is_narrow)
    if is_narrow:
        name_rows_above(axes, [row.name for row in rows])
        return figure
    name_rows(axes, [row.name for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontsize(10 if isinstance(row, Effect) else 8.5)
    return figure


def _draw_row(
    axes: "Axes", height: int, row: Effect | SimpleEffect, comparison: Comparison, is_narrow: bool
) -> None:
    """Draw an effect with its verdict, or a simple effect, small and grey."""
    scale, size = comparison.scale, 4.5
    mark: dict[str, Any] = {"marker": "o", "color": GREY}
    if isinstance(row, Effect):
        mark, size = mark_of(row, comparison.goal), 7.5
        write_verdict(axes, height, row.verdict, is_narrow)
    if row.delta is None:
        return
    if row.ci_low is not None and row.ci_high is not None:
        ends = [scale * row.ci_low, scale * row.ci_high]
        colour = mark["color"]
        axes.plot(ends, [height] * 2, color=colour, lw=size / 3.7, solid_capstyle="round")
    axes.plot(scale * row.delta, height, ms=size, **mark)


@styled
def interactions(comparison: Comparison, is_narrow: bool = False) -> "Figure":
    """Draw a panel a pair of factors: the metric by one's levels, a line a level of the other.

    Lines are parallel where the two effects add up. `is_narrow` draws it for a phone.
    """
    tables = comparison.effects.tables
    columns = 1 if is_narrow else min(3, max(1, len(tables)))
    rows = max(1, -(-len(tables) // columns))
    figure = new_figure(NARROW if is_narrow else 9.4, 2.6 * rows + 0.3)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    for index, panel in enumerate(panels):
        if index < len(tables):
            _draw_lines(panel, tables[index], comparison.scale)
        else:
            panel.set_visible(False)
    unit = " %" if comparison.scale == 100 else ""
    figure.supylabel(f"{comparison.metric}{unit}", fontsize=10)
    return figure


def _draw_lines(axes: "Axes", table: TwoWay, scale: int) -> None:
    """Draw the lines with the factor of more levels along the axis."""
    means = table.means
    across, lines, title = table.first_levels, table.second_levels, table.second
    label = table.first
    if len(across) >= len(lines):
        means = tuple(zip(*means, strict=True))
    else:
        across, lines, title, label = lines, across, table.first, table.second
    for index, (level, row) in enumerate(zip(lines, means, strict=True)):
        mark, colour, style = _LINES[index % len(_LINES)]
        values = [float("nan") if mean is None else scale * mean for mean in row]
        axes.plot(range(len(across)), values, style, marker=mark, color=colour, label=level)
    axes.set_xticks(range(len(across)), across)
    axes.set_xlabel(label)
    axes.margins(x=0.12)
    axes.legend(title=title, fontsize=8.5, title_fontsize=8.5, alignment="left")
