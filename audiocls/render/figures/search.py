"""The figures of a search."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from audiocls.analysis.ranking import Ranked, Ranking
from audiocls.formatting import NONE, format_value
from audiocls.render.figures.rows import MAX_NAME, MAX_NARROW, NARROW, shorten
from audiocls.render.figures.svg import BLUE, GREY, INK, ORANGE, new_figure, styled
from audiocls.search import Numeric
from audiocls.search.parameters import varying

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_PANELS = 12
MAX_POINTS = 600
"""Trials in a figure: the best ones and every so-and-so-many-th of the rest."""
MAX_KINDS = 12
"""Values without an order that have a position of their own on an axis."""
LOG_SPAN = 50
"""Listed values that reach over more than this factor lie on a logarithmic axis."""


def short(value: Any) -> str:
    """Return a parameter's value as it reads in a row."""
    if value is None:
        return NONE
    return format_value(value, digits=4)


def drawn(ranking: Ranking) -> list[Ranked]:
    """Return the trials with a value that a figure shows, in the order proposed."""
    half = MAX_POINTS // 2
    best, rest = list(ranking.scored[:half]), ranking.scored[half:]
    kept = best + list(rest[:: max(1, math.ceil(len(rest) / half))])
    return sorted(kept, key=lambda ranked: ranked.number)


def _value(ranked: Ranked) -> float:
    assert ranked.value is not None
    return float(ranked.value)


@styled
def best_so_far(ranking: Ranking, is_narrow: bool = False) -> "Figure":
    """Draw every trial in the order proposed, and the best value until then."""
    figure = new_figure(NARROW if is_narrow else 9.0, 2.8)
    axes = figure.add_subplot()
    points = drawn(ranking)
    axes.scatter(
        [ranked.number for ranked in points],
        [_value(ranked) for ranked in points],
        s=12,
        color=GREY,
        alpha=0.6,
        lw=0,
    )
    numbers, values = _records_of(ranking)
    axes.plot(numbers, values, color=BLUE, lw=1.8, drawstyle="steps-post")
    _mark_best(axes, ranking.scored[0].number, ranking.scored[0])
    axes.set_xlabel("trial, in the order proposed")
    axes.set_ylabel(ranking.metric)
    return figure


def _records_of(ranking: Ranking) -> tuple[list[int], list[float]]:
    """Return where the best value improved, and the last trial."""
    is_better = float.__gt__ if ranking.goal == "maximize" else float.__lt__
    numbers: list[int] = []
    values: list[float] = []
    for ranked in sorted(ranking.scored, key=lambda ranked: ranked.number):
        value = _value(ranked)
        if not values or is_better(value, values[-1]):
            numbers.append(ranked.number)
            values.append(value)
    last = max(ranked.number for ranked in ranking.scored)
    return [*numbers, last], [*values, values[-1]]


def _mark_best(axes: "Axes", x: float, best: Ranked) -> None:
    axes.plot(x, _value(best), "*", color=ORANGE, ms=13, mec=INK, mew=0.8)


@styled
def importances(ranking: Ranking, is_narrow: bool = False) -> "Figure":
    """Draw a bar a parameter: its share, and which way it goes with the metric."""
    parameters = [each for each in ranking.parameters if each.share is not None][:MAX_PANELS]
    width, most = (NARROW, MAX_NARROW // 2) if is_narrow else (8.0, MAX_NAME)
    figure = new_figure(width, 0.5 + 0.36 * len(parameters))
    axes = figure.add_subplot()
    shares = [100 * (each.share or 0.0) for each in parameters]
    bars = axes.barh(range(len(parameters)), shares, color=BLUE, height=0.55)
    axes.bar_label(bars, [f"{share:.0f} %" for share in shares], padding=4)
    axes.set_yticks(range(len(parameters)), [shorten(each.key, most) for each in parameters])
    axes.set_ylim(len(parameters) - 0.5, -0.5)
    axes.set_xlim(0, 112)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


@styled
def metric_by_parameter(ranking: Ranking, is_narrow: bool = False) -> "Figure":
    """Draw a panel a parameter, the most important first: the metric by each trial's value."""
    keys = [each.key for each in ranking.parameters][:MAX_PANELS]
    columns = 1 if is_narrow else min(3, max(1, len(keys)))
    rows = max(1, math.ceil(len(keys) / columns))
    figure = new_figure(NARROW if is_narrow else 9.4, 2.3 * rows + 0.2)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).flat
    points = drawn(ranking)
    for index, panel in enumerate(panels):
        if index < len(keys):
            _scatter(panel, ranking, points, keys[index])
        else:
            panel.set_visible(False)
    figure.supylabel(ranking.metric, fontsize=10)
    return figure


def _scatter(axes: "Axes", ranking: Ranking, points: Sequence[Ranked], key: str) -> None:
    known = [ranked for ranked in points if key in ranked.parameters]
    positions = _positions(axes, ranking, [ranked.parameters[key] for ranked in known], key)
    values = [_value(ranked) for ranked in known]
    axes.scatter(positions, values, s=12, color=BLUE, alpha=0.5, lw=0)
    best = ranking.scored[0]
    if best in known:
        _mark_best(axes, positions[known.index(best)], best)
    axes.set_xlabel(key)


def _positions(axes: "Axes", ranking: Ranking, values: Sequence[object], key: str) -> list[float]:
    """Return where values lie along the axis: numbers as they are, anything else side by side."""
    if ranking.is_numeric(key):
        numbers = [float(str(value)) for value in values]
        if min(numbers) > 0 and _is_logarithmic(ranking, key, numbers):
            axes.set_xscale("log")
        axes.margins(x=0.08)
        return numbers
    kinds = sorted({short(value) for value in values})
    axes.set_xticks(range(len(kinds))[:MAX_KINDS], kinds[:MAX_KINDS])
    axes.set_xlim(-0.6, len(kinds) - 0.4)
    spread = [0.07 * (index % 5 - 2) for index in range(len(values))]
    return [kinds.index(short(value)) + by for value, by in zip(values, spread, strict=True)]


def _is_logarithmic(ranking: Ranking, key: str, numbers: Sequence[float]) -> bool:
    """Whether it was drawn on a logarithmic scale; of listed values, by how far they reach."""
    leaves = {".".join(path): leaf for path, leaf in varying(ranking.sweep.parameters).items()}
    leaf = leaves.get(key)
    if isinstance(leaf, Numeric):
        return "log" in leaf.distribution
    return max(numbers) > LOG_SPAN * min(numbers)
