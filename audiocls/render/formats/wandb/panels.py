"""The panels of a study by section, for Report and Workspace alike.

W&B draws no box plot from a specification of this version: spread is a band or a whisker of one
standard deviation over the runs of an arm.
"""

from typing import Any

from audiocls.render.formats.wandb.workspaces_adapter import Panel, wr
from audiocls.render.run_selection import PairsRun, RunSelection
from audiocls.tracking.wandb.report_run import FIGURE, TABLE

COSTS = {"num_params": "parameters", "macs": "MACs per clip", "wall_s": "seconds of a trial"}
SYSTEM = {"process_s": "CPU seconds of a trial", "peak_memory_mib": "peak memory in MiB"}
FEWEST_SHOWN = 10
"""W&B's own limit of runs, groups and bars."""

Sections = dict[str, list[Panel]]


def sections(selection: RunSelection) -> Sections:
    """Return title → panels; a section with nothing to show is left out."""
    sections: Sections = {
        "Metric": [_bar(selection, selection.metric, selection.metric)] if selection.metric else [],
        "Learning curves": [_curve(selection, key) for key in selection.curves],
        "What was changed": _changes(selection) if selection.varied and selection.metric else [],
        "Cost": _spent(selection, COSTS),
        "System": _spent(selection, SYSTEM),
    }
    return {title: panels for title, panels in sections.items() if panels}


def metric_columns(selection: RunSelection) -> list[str]:
    """Return what the table of runs shows of the answer."""
    return [f"summary:{selection.metric}"] if selection.metric else []


def _curve(selection: RunSelection, key: str) -> Panel:
    return wr.LinePlot(
        title=key,
        x=selection.axis,
        y=[key],
        title_x=selection.axis.lower(),
        smoothing_type="none",
        max_runs_to_show=_limit(selection),
        **_grouped(selection),
    )


def _bar(selection: RunSelection, key: str, title: str) -> Panel:
    return wr.BarPlot(
        title=title,
        metrics=[key],
        max_runs_to_show=_limit(selection),
        max_bars_to_show=_limit(selection),
        **_grouped(selection),
    )


def _spent(selection: RunSelection, titles: dict[str, str]) -> list[Panel]:
    return [
        _bar(selection, f"cost/{name}", title)
        for name, title in titles.items()
        if name in selection.costs
    ]


def _grouped(selection: RunSelection) -> dict[str, Any]:
    """Return a plot of mean and spread over the runs of an arm."""
    if not selection.arm:
        return {}
    by = wr.Config(selection.arm)
    return {"groupby": by, "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}


def _changes(selection: RunSelection) -> list[Panel]:
    keys = dict.fromkeys(key for key in (selection.arm, *selection.varied) if key)
    metric = wr.SummaryMetric(selection.metric)
    axes: list[wr.MetricType] = [wr.Config(key) for key in keys]
    return [
        wr.ParallelCoordinatesPlot(
            title=f"What was changed, and {selection.metric}",
            columns=[wr.ParallelCoordinatesPlotColumn(axis) for axis in [*axes, metric]],
        ),
        wr.ParameterImportancePlot(with_respect_to=selection.metric),
    ]


def _limit(selection: RunSelection) -> int:
    return max(FEWEST_SHOWN, selection.num_runs)


def pair_panels(pairs: PairsRun) -> list[Panel]:
    """Return the figure of the pairs, and a line for each arm over the blocks to read values."""
    return [
        wr.MediaBrowser(title="Paired differences", num_columns=1, media_keys=[FIGURE]),
        wr.CustomChart(
            query={"summaryTable": {"tableKey": TABLE}},
            chart_name="wandb/lineseries/v0",
            chart_fields={"step": "block", "lineKey": "arm", "lineVal": "difference"},
            chart_strings={"title": pairs.title, "xname": "block (seed and fold)"},
        ),
    ]
