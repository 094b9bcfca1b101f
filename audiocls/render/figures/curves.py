"""Learning curves: the mean over blocks, and how sure it is."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audiocls import stats
from audiocls.render.figures.rows import MAX_ARMS, NARROW, shorten
from audiocls.render.figures.svg import BLUE, INK, new_figure, styled
from audiocls.store.record import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Histories = Mapping[str, Sequence[Mapping[str, Any]]]


@styled
def learning_curves(
    study: Study,
    histories: Histories,
    key: str = "",
    ratio: float = 0.0,
    is_narrow: bool = False,
) -> "Figure":
    """Draw a panel an arm over epochs: mean over blocks with its interval, and the baseline.

    The dark band is the interval of the mean at level 1 − α at each epoch for itself, over folds
    and seeds (`stats.uncertainties` without recordings), the light one reaches from the lowest
    block to the highest. `ratio` is n_test/n_train, as in the verdicts. `key` is a column of the
    histories; by default the validation side of the study's metric. At each epoch the mean is over
    the trials that reached it. At most 24 arms. `is_narrow` draws it for a phone.
    """
    key = key or validation_key(study)
    arms = [arm for arm in study.arms if arm != study.baseline][:MAX_ARMS] or [study.baseline]
    columns = min(2 if is_narrow else 3, len(arms))
    rows = math.ceil(len(arms) / columns)
    width = NARROW if is_narrow else 9.0 if columns > 1 else 6.0
    figure = new_figure(width, 0.5 + (1.6 if is_narrow else 2.1) * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    curves = {
        arm: curve(study, histories, arm, key, ratio)
        for arm in dict.fromkeys([study.baseline, *arms])
    }
    limits = _limits(list(curves.values()))
    for index, panel in enumerate(panels):
        if index >= len(arms):
            panel.set_visible(False)
            continue
        _name_panel(panel, arms[index], is_narrow)
        panel.tick_params(labelbottom=index + columns >= len(arms), labelleft=not index % columns)
        panel.set(**limits)
        panel.locator_params(axis="x", integer=True)
        _draw_curve(panel, curves[arms[index]], BLUE, "-", arms[index])
        _draw_curve(panel, curves[study.baseline], INK, (0, (4, 2)), study.baseline)
    figure.supylabel(key, fontsize=10)
    figure.supxlabel("epoch (solid: arm, dashed: baseline)", fontsize=10)
    return figure


def _limits(curves: Sequence[NDArray[np.float64]]) -> dict[str, tuple[float, float]]:
    """Return the limits of all panels: set once, since shared axes adapt at every stroke.

    A twentieth of the range is left free on each side.
    """
    every = np.concatenate(curves)
    if not len(every):
        return {}
    limits = {}
    for name, values in (("xlim", every[:, 0]), ("ylim", every[:, 1:])):
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        free = (high - low) / 20 or 0.05 * (abs(high) or 1.0)
        limits[name] = (low - free, high + free)
    return limits


def validation_key(study: Study) -> str:
    """Return the metric on validation clips, known at each epoch: `val/accuracy`."""
    return f"val/{study.metric.rsplit('/', 1)[-1]}"


def curve(
    study: Study, histories: Histories, arm: str, key: str, ratio: float
) -> NDArray[np.float64]:
    """Return epoch, mean, its interval, lowest and highest over the arm's trials, a row each."""
    by_epoch: dict[float, dict[int, list[float]]] = {}
    for cell in study.cells:
        for row in histories.get(cell.id, ()) if cell.arm == arm else ():
            value = row.get(key)
            if value is not None and math.isfinite(value):
                by_epoch.setdefault(row["epoch"], {}).setdefault(cell.fold, []).append(value)
    rows = []
    for epoch, folds in sorted(by_epoch.items()):
        every = [value for values in folds.values() for value in values]
        interval = _mean_and_interval(list(folds.values()), ratio, study.alpha)
        rows.append((epoch, *interval, min(every), max(every)))
    return np.array(rows, dtype=float).reshape(-1, 6)


def _mean_and_interval(
    folds: Sequence[Sequence[float]], ratio: float, alpha: float
) -> tuple[float, float, float]:
    """Return the mean over folds and its interval; NaN where one value shows no spread."""
    components = stats.components_of([stats.FoldDifferences(np.array(values)) for values in folds])
    errors = stats.uncertainties(stats.stacked([components]), ratio)
    mean, half = float(components.mean), float(stats.half_width(errors, alpha)[0])
    ends = (mean - half, mean + half) if math.isfinite(half) else (math.nan, math.nan)
    return mean, *ends


def _name_panel(axes: "Axes", arm: str, is_narrow: bool) -> None:
    """Name a panel, in lines broken after commas, so that the title stays above its panel."""
    width, most = (18, 18) if is_narrow else (28, 84)
    axes.set_title(_in_lines(arm, width, most), loc="left", weight="bold")


def _in_lines(arm: str, width: int, most: int) -> str:
    lines = [""]
    for part in shorten(arm, most).replace(",", ",\n").split("\n"):
        lines += [part] if len(lines[-1] + part) > width else [lines.pop() + part]
    return "\n".join(shorten(line, width) for line in lines if line)


def _draw_curve(
    axes: "Axes", curve: NDArray[np.float64], colour: str, line: Any, label: str
) -> None:
    epochs, mean, low, high, lowest, highest = curve.T
    strength = 1.0 if line == "-" else 0.4
    axes.fill_between(epochs, lowest, highest, color=colour, alpha=0.10 * strength, lw=0)
    axes.fill_between(epochs, low, high, color=colour, alpha=0.28 * strength, lw=0)
    axes.plot(epochs, mean, color=colour, linestyle=line, linewidth=1.6, label=label)


def has_curve(histories: Histories, key: str) -> bool:
    """Whether any trial recorded this column."""
    return any(key in row for rows in histories.values() for row in rows)
