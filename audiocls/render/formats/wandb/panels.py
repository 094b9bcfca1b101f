"""The panels of a study by section, for Report and Workspace alike.

W&B draws no box plot from a specification of this version: spread is a band or a whisker of one
standard deviation over the runs of an arm.
"""

from typing import Any

from audiocls.render.wandb.run_selection import RunSelection
from audiocls.render.wandb.workspaces_adapter import Panel, wr

COSTS = {"num_params": "parameters", "macs": "MACs per clip", "wall_s": "seconds of a trial"}
SYSTEM = {"process_s": "CPU seconds of a trial", "peak_memory_mib": "peak memory in MiB"}
FEWEST_SHOWN = 10
"""W&B's own limit of runs, groups and bars."""

Sections = dict[str, list[Panel]]


def sections(subject: RunSelection) -> Sections:
    """Title → panels; a section with nothing to show is left out."""
    found: Sections = {
        "Metric": [_bar(subject, subject.metric, subject.metric)] if subject.metric else [],
        "Learning curves": [_curve(subject, key) for key in subject.curves],
        "What was changed": _changes(subject) if subject.varied and subject.metric else [],
        "Cost": _spent(subject, COSTS),
        "System": _spent(subject, SYSTEM),
    }
    return {title: panels for title, panels in found.items() if panels}


def metric_columns(subject: RunSelection) -> list[str]:
    """What the table of runs shows of the answer."""
    return [f"summary:{subject.metric}"] if subject.metric else []


def _curve(subject: RunSelection, key: str) -> Panel:
    return wr.LinePlot(
        title=key,
        x=subject.axis,
        y=[key],
        title_x=subject.axis.lower(),
        smoothing_type="none",
        max_runs_to_show=_limit(subject),
        **_grouped(subject),
    )


def _bar(subject: RunSelection, key: str, title: str) -> Panel:
    return wr.BarPlot(
        title=title,
        metrics=[key],
        max_runs_to_show=_limit(subject),
        max_bars_to_show=_limit(subject),
        **_grouped(subject),
    )


def _spent(subject: RunSelection, titles: dict[str, str]) -> list[Panel]:
    return [
        _bar(subject, f"cost/{name}", title)
        for name, title in titles.items()
        if name in subject.costs
    ]


def _grouped(subject: RunSelection) -> dict[str, Any]:
    """Mean and spread over the runs of an arm."""
    if not subject.arm:
        return {}
    by = wr.Config(subject.arm)
    return {"groupby": by, "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}


def _changes(subject: RunSelection) -> list[Panel]:
    keys = dict.fromkeys(key for key in (subject.arm, *subject.varied) if key)
    metric = wr.SummaryMetric(subject.metric)
    axes: list[wr.MetricType] = [wr.Config(key) for key in keys]
    return [
        wr.ParallelCoordinatesPlot(
            title=f"What was changed, and {subject.metric}",
            columns=[wr.ParallelCoordinatesPlotColumn(axis) for axis in [*axes, metric]],
        ),
        wr.ParameterImportancePlot(with_respect_to=subject.metric),
    ]


def _limit(subject: RunSelection) -> int:
    return max(FEWEST_SHOWN, subject.num_runs)
