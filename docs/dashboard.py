"""Draws what W&B's panels show of a study that ran offline, from the files alone, without a server.

`audiocls report runs/dropout --format wandb`, then `python docs/dashboard.py runs/dropout`.

Each panel is read from `workspace.wandb.json`, which is what is saved at W&B, and each value from
the runs' logs, which is what is uploaded. Layout and colours are ours; W&B's own differ.
"""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from audiocls.atomic import write_text
from audiocls.formatting import format_count
from audiocls.render.figures.svg import BLUE, GREEN, GREY, ORANGE, new_figure, styled, to_svg_file
from audiocls.tracking.wandb.log import LoggedRun, WandbLog

COLOURS = (BLUE, ORANGE, GREEN, GREY)
COLUMNS = 3
MANY = 10_000
"""From here on amounts are written in thousands and millions."""
INK, GROUND = "#1d1f24", "#ffffff"
Panel = dict[str, Any]
Runs = Sequence[LoggedRun]


def logged_runs(study: Path) -> list[LoggedRun]:
    """Return the runs that have ended; of several openings of one, the last."""
    found = {}
    for file in sorted(study.glob("wandb/offline-run-*/run-*.wandb")):
        log = WandbLog(file)
        log.read()
        if log.run.exit_code == 0:
            found[log.run.id] = log.run
    return list(found.values())


def panels_of(study: Path) -> list[Panel]:
    """Return the workspace's panels in order, as they are saved."""
    saved = json.loads((study / "workspace.wandb.json").read_text("utf-8"))
    sections = saved["spec"]["section"]["panelBankConfig"]["sections"]
    return [panel for section in sections for panel in section["panels"]]


def value_of(run: LoggedRun, key: str) -> Any:
    """Return what an accessor such as `config:model.value.dropout` or `summary:test/loss` names."""
    where, _, name = key.partition(":")
    if where == "summary":
        return run.summary.get(name)
    first, _, *rest = name.split(".")
    found = run.config.get(first)
    for part in rest:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def groups_of(runs: Runs, panel: Panel) -> dict[str, list[LoggedRun]]:
    """Return the runs by the config key that a panel groups by; each for itself without one."""
    key = panel["config"].get("groupBy")
    groups: dict[str, list[LoggedRun]] = {}
    for run in runs:
        name = str(value_of(run, f"config:{key}")) if key else run.name
        groups.setdefault(name, []).append(run)
    return groups


def draw_bars(axes: Any, panel: Panel, runs: Runs) -> None:
    """Draw the mean of each group, with a whisker of one standard deviation."""
    (metric,) = panel["config"]["metrics"]
    groups = groups_of(runs, panel)
    for row, (name, members) in enumerate(groups.items()):
        values = [v for run in members if (v := run.summary.get(metric)) is not None]
        mean, spread = statistics.fmean(values), statistics.pstdev(values)
        axes.barh(row, mean, color=COLOURS[row % len(COLOURS)], height=0.6, xerr=spread or None)
        amount = format_count(mean) if mean >= MANY else f"{mean:.4g}"
        axes.text(0, row - 0.4, f"{name}: {amount}", fontsize=8, va="bottom")
    axes.set(xticks=[], yticks=[], ylim=(len(groups) - 0.4, -0.9))


def draw_curves(axes: Any, panel: Panel, runs: Runs) -> None:
    """Draw the mean of each group over the axis, in a band of one standard deviation."""
    (metric,), axis = panel["config"]["metrics"], panel["config"]["xAxis"]
    for number, (name, members) in enumerate(groups_of(runs, panel).items()):
        points: dict[float, list[float]] = {}
        for row in (row for run in members for row in run.history if metric in row and axis in row):
            points.setdefault(row[axis], []).append(row[metric])
        x = sorted(points)
        mean = [statistics.fmean(points[at]) for at in x]
        spread = [statistics.pstdev(points[at]) for at in x]
        ends = [[m + sign * s for m, s in zip(mean, spread, strict=True)] for sign in (-1, 1)]
        colour = COLOURS[number % len(COLOURS)]
        axes.fill_between(x, *ends, color=colour, alpha=0.15, lw=0)
        axes.plot(x, mean, color=colour, lw=1.4, label=name)
    axes.set_xlabel(axis)
    axes.legend(fontsize=7)


def draw_parallel(axes: Any, panel: Panel, runs: Runs) -> None:
    """Draw a line a run through an axis for each column, the colour by the first."""
    accessors = [column["accessor"] for column in panel["config"]["columns"]]
    table = [[value_of(run, key) for key in accessors] for run in runs]
    heights = [_heights([row[place] for row in table]) for place in range(len(accessors))]
    kinds = list(dict.fromkeys(str(row[0]) for row in table))
    for number, row in enumerate(table):
        colour = COLOURS[kinds.index(str(row[0])) % len(COLOURS)]
        axes.plot([column[number] for column in heights], color=colour, alpha=0.6, lw=0.9)
    names = [key.partition(":")[2].replace(".value", "") for key in accessors]
    axes.set_xticks(range(len(names)), names, fontsize=7)
    axes.set_yticks([])


def _heights(values: Sequence[Any]) -> list[float]:
    """Return values on an axis from 0 to 1: numbers by size, words side by side."""
    if all(isinstance(value, int | float) for value in values):
        low, high = min(values), max(values)
        return [(value - low) / ((high - low) or 1.0) for value in values]
    kinds = list(dict.fromkeys(map(str, values)))
    return [kinds.index(str(value)) / max(1, len(kinds) - 1) for value in values]


DRAWN: dict[str, Callable[[Any, Panel, Runs], None]] = {
    "Bar Chart": draw_bars,
    "Run History Line Plot": draw_curves,
    "Parallel Coordinates Plot": draw_parallel,
}
"""What can be drawn from logged values; importance is computed by W&B."""


@styled
def dashboard(study: Path) -> Any:
    """Return the figure: a panel each, in the order of the workspace."""
    panels = [panel for panel in panels_of(study) if panel["viewType"] in DRAWN]
    runs = logged_runs(study)
    rows = -(-len(panels) // COLUMNS)
    figure = new_figure(11.0, 2.5 * rows)
    places = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axes, panel in zip(places, panels, strict=False):
        axes.set_title(panel["config"]["chartTitle"], loc="left", weight="bold", fontsize=9)
        axes.tick_params(labelsize=7)
        DRAWN[panel["viewType"]](axes, panel, runs)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    return figure


def draw(study: Path, picture: Path) -> None:
    """Write what the panels of `study` show to `picture`, an SVG on white."""
    svg = to_svg_file(dashboard(study), "dashboard", INK)
    end = svg.index(">") + 1
    write_text(picture, f'{svg[:end]}<rect width="100%" height="100%" fill="{GROUND}"/>{svg[end:]}')


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(__file__).with_name("wandb-workspace.svg"))
