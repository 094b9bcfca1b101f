"""The pictures of an answer.

Colour never carries a meaning alone: shape, place or a word says the same.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from audiocls.report.notation import count, duration
from audiocls.report.results import ArmResult, Comparison
from audiocls.report.svg import BLUE, GREEN, GREY, INK, ORANGE, new_figure, styled
from audiocls.store.record import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = {
    "better": ("^", BLUE),
    "worse": ("v", ORANGE),
    "equivalent": ("s", GREEN),
    "no_evidence": ("o", GREY),
    "too_few_pairs": ("D", GREY),
}
MAX_ARMS = 24
"""Arms in a picture, the first ones of the study; the page says so where there are more."""

Histories = Mapping[str, Sequence[Mapping[str, Any]]]


@styled
def paired_differences(comparison: Comparison) -> "Figure":
    """A row an arm: its pairs as dots, mean and interval, zero, and the zone of equivalence."""
    arms, scale = comparison.compared[:MAX_ARMS], comparison.scale
    figure = new_figure(8.0, 1.1 + 0.46 * max(1, len(arms)))
    axes = figure.add_subplot()
    margin = comparison.margin * scale
    axes.axvspan(-margin, margin, color=GREY, alpha=0.16, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.8)
    for row, result in enumerate(arms):
        _draw_pairs(axes, row, result, scale)
    axes.set_yticks(range(len(arms)), [result.arm for result in arms])
    axes.set_ylim(max(1, len(arms)) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    unit = " in points" if scale == 100 else ""
    better = "right" if comparison.goal == "maximize" else "left"
    axes.set_xlabel(
        f"difference of {comparison.metric}{unit}, arm − {comparison.baseline} ({better} is better)"
    )
    return figure


def _draw_pairs(axes: "Axes", row: int, result: ArmResult, scale: int) -> None:
    """Dots lie below the line of the mean, so that neither hides the other."""
    words = result.verdict.replace("_", " ")
    axes.annotate(
        words, (1.01, row), xycoords=("axes fraction", "data"), va="center", annotation_clip=False
    )
    if result.delta is None:
        return
    mark, colour = MARKS.get(result.verdict, ("o", GREY))
    values = scale * np.array([difference for *_, difference in result.differences])
    axes.scatter(values, _spread(row + 0.17, len(values)), s=13, color=colour, alpha=0.55, lw=0)
    mean = scale * result.delta
    if result.ci_low is not None and result.ci_high is not None:
        ends = [scale * result.ci_low, scale * result.ci_high]
        axes.plot(ends, [row - 0.13] * 2, color=colour, linewidth=2, solid_capstyle="round")
    axes.plot(mean, row - 0.13, marker=mark, color=colour, markersize=7.5, markeredgecolor=INK)


def _spread(row: float, num: int) -> list[float]:
    """Heights that part equal values: the same ones every time, in place of random jitter."""
    return [row + 0.05 * (index % 4 - 1.5) for index in range(num)]


@styled
def learning_curves(study: Study, histories: Histories, key: str = "") -> "Figure":
    """A panel an arm over epochs: mean over blocks, band from lowest to highest, and the baseline.

    `key` is a column of the histories; by default the validation side of the study's metric. At
    each epoch the mean is over the trials that reached it. At most 24 arms.
    """
    key = key or validation_key(study)
    arms = [arm for arm in study.arms if arm != study.baseline][:MAX_ARMS] or [study.baseline]
    columns = min(3, len(arms))
    rows = math.ceil(len(arms) / columns)
    figure = new_figure(9.0 if columns > 1 else 6.0, 0.5 + 2.1 * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    baseline = _curve(study, histories, study.baseline, key)
    for index, panel in enumerate(panels):
        if index >= len(arms):
            panel.set_visible(False)
            continue
        panel.set_title(arms[index], loc="left", weight="bold")
        panel.tick_params(labelbottom=index + columns >= len(arms))
        _draw_curve(panel, _curve(study, histories, arms[index], key), BLUE, "-", arms[index])
        _draw_curve(panel, baseline, INK, (0, (4, 2)), study.baseline)
    figure.supylabel(key, fontsize=10)
    figure.supxlabel("epoch (solid: arm, dashed: baseline)", fontsize=10)
    return figure


def validation_key(study: Study) -> str:
    """`test/accuracy` → `val/accuracy`, which is what an epoch can know."""
    return f"val/{study.metric.rsplit('/', 1)[-1]}"


def _curve(study: Study, histories: Histories, arm: str, key: str) -> np.ndarray[Any, Any]:
    """Epoch, mean, lowest and highest over the arm's trials, one epoch a row."""
    by_epoch: dict[float, list[float]] = {}
    for cell in study.cells:
        for row in histories.get(cell.id, ()) if cell.arm == arm else ():
            value = row.get(key)
            if value is not None and math.isfinite(value):
                by_epoch.setdefault(row["epoch"], []).append(value)
    rows = [(e, sum(v) / len(v), min(v), max(v)) for e, v in sorted(by_epoch.items())]
    return np.array(rows, dtype=float).reshape(-1, 4)


def _draw_curve(
    axes: "Axes", curve: np.ndarray[Any, Any], colour: str, line: Any, label: str
) -> None:
    epochs, mean, low, high = curve.T
    axes.fill_between(epochs, low, high, color=colour, alpha=0.22 if line == "-" else 0.08, lw=0)
    axes.plot(epochs, mean, color=colour, linestyle=line, linewidth=1.6, label=label)


@styled
def cost_per_arm(comparison: Comparison) -> "Figure":
    """What each arm takes: seconds a trial, parameters, MACs per clip; every bar from zero."""
    arms = comparison.arms[: MAX_ARMS + 1]
    figure = new_figure(9.0, 0.7 + 0.32 * len(arms))
    panels = figure.subplots(1, 3, sharey=True)
    quantities: dict[str, tuple[Callable[[float | None], str], list[float | None]]] = {
        "time of a trial": (duration, [result.seconds for result in arms]),
        "parameters": (count, [result.num_params for result in arms]),
        "MACs per clip": (count, [result.macs for result in arms]),
    }
    for panel, (title, (write, values)) in zip(panels, quantities.items(), strict=True):
        bars = panel.barh(range(len(arms)), [v or 0 for v in values], color=BLUE, height=0.5)
        panel.bar_label(bars, [write(value) for value in values], padding=4, fontsize=9)
        panel.set_title(title, loc="left", weight="bold")
        panel.set_xlim(0, 1.35 * max([v for v in values if v] or [1]))
        panel.set_xticks([])
        panel.spines["bottom"].set_visible(False)
        panel.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(arms)), [result.arm for result in arms])
    panels[0].set_ylim(len(arms) - 0.5, -0.5)
    return figure


def has_curve(histories: Histories, key: str) -> bool:
    """Whether any trial recorded this column."""
    return any(key in row for rows in histories.values() for row in rows)
