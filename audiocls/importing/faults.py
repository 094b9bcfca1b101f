"""What is wrong with the results of a source or with the options of an import, all at once."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from audiocls.design import BASELINE
from audiocls.dotted import flatten
from audiocls.errors import UsageError, did_you_mean
from audiocls.formatting import join_names
from audiocls.importing.cells import AssignedRun, ImportOptions, missing_keys, repeats, unknown_key
from audiocls.importing.records import OF_THE_TRIAL, metrics_of
from audiocls.importing.results import Results
from audiocls.importing.tables import number_of
from audiocls.tracking.project import RemoteRun

METRICS = ("test/accuracy", "test/map")
"""Default metric of runs that audiocls logged: the first that they have."""
MOST_FAULTS = 20
"""Faults that one message lists."""
MATCHES = ("epochs", "steps", "samples", "macs", "seconds")


def raise_faults(results: Results, faults: Iterable[str]) -> None:
    """Raise one `UsageError` with all faults, if there is any."""
    known = list(dict.fromkeys(faults))
    if len(known) == 1:
        raise UsageError(f"{results.name}: {known[0]}")
    if known:
        shown = [f"  - {fault}" for fault in known[:MOST_FAULTS]]
        rest = len(known) - len(shown)
        shown += [f"  … and {rest} more"] if rest else []
        raise UsageError("\n".join([f"{results.name}: {len(known)} faults:", *shown]))


def check_keys(results: Results, options: ImportOptions) -> None:
    """Raise `UsageError` where cells cannot be told: faulty options, keys that no run has."""
    if not results.runs:
        raise UsageError(f"{results.name} has no {results.noun}s")
    faults = [*results.faults, *_odd_options(options), *missing_keys(results, options)]
    if results.is_table:
        faults += [*_unnamed(results, options), *_missing_columns(results, options)]
        faults += _empty_keys(results.runs, options)
    raise_faults(results, faults)


def _missing_columns(results: Results, options: ImportOptions) -> Iterator[str]:
    """Yield a fault for each metric that is no column."""
    columns = list({name: None for run in results.runs for name in (*run.config, *run.summary)})
    for name in (options.metric, *(each.name for each in options.secondary)):
        if name is not None and name not in columns:
            yield unknown_key(results, name, [c for c in columns if not c.startswith(OF_THE_TRIAL)])


def _odd_options(options: ImportOptions) -> Iterator[str]:
    margins = [options.margin, *(each.margin for each in options.secondary)]
    for margin in margins:
        if margin is not None and not 0 < margin < math.inf:
            yield f"margin: got {margin}; wanted: a number above 0, in units of the metric"
    goals = [options.goal, *(each.goal for each in options.secondary)]
    for goal in goals:
        if goal not in (None, "maximize", "minimize"):
            yield f"goal: got {goal!r}; allowed: maximize, minimize"
    if options.match not in MATCHES:
        hint = did_you_mean(options.match, MATCHES)
        yield f"match: got {options.match!r}; allowed: {', '.join(MATCHES)}.{hint}"
    named = [key for key in (*options.arm, options.seed, options.fold, options.metric) if key]
    for key in sorted({key for key in named if named.count(key) > 1}):
        yield f"{key!r} is named twice; arm, seed, fold and metric are different keys"


def _unnamed(results: Results, options: ImportOptions) -> Iterator[str]:
    """Yield the options without which a table says nothing."""
    columns = ", ".join(results.runs[0].config)
    if not options.arm:
        yield f"say which column names the arms with --arm COLUMN; columns: {columns}"
    if options.metric is None:
        numeric = ", ".join(_metrics(results.runs)) or "none"
        yield f"say which column is compared with --metric COLUMN; numeric columns: {numeric}"
    if options.goal is None:
        yield "say which way is better with --goal maximize or --goal minimize"


def _empty_keys(runs: Sequence[RemoteRun], options: ImportOptions) -> Iterator[str]:
    for run in runs:
        for key in (*options.arm, options.seed, options.fold):
            if key is not None and run.config.get(key, "") is None:
                yield f"{run.id}, {key}: is empty"


def metric_of(results: Results, options: ImportOptions, assigned: Sequence[AssignedRun]) -> str:
    """Return the metric that decides: as asked, or the one of the source or of audiocls."""
    known = _metrics([each.run for each in assigned])
    usual = [name for name in METRICS if name in known and not options.arm]
    metric = options.metric or results.metric or next(iter(usual), None)
    if metric is None:
        names = ", ".join(known)
        fault = f"name the metric to compare with --metric NAME; metrics: {names}"
        raise_faults(results, [fault])
    return str(metric)


def _metrics(runs: Iterable[RemoteRun]) -> list[str]:
    ended = [run for run in runs if run.state == "finished"]
    return sorted({name for run in ended for name in metrics_of(run)})


def _unknown_metric(results: Results, metric: str, known: Sequence[str]) -> str:
    if results.is_table:
        return f"no row has a value of {metric!r}"
    names = ", ".join(known) or f"none, as no {results.noun} is finished"
    hint = did_you_mean(metric, known)
    return f"no finished {results.noun} has the metric {metric!r}.{hint} Metrics: {names}"


def check_assigned(
    results: Results, options: ImportOptions, assigned: Sequence[AssignedRun], metric: str
) -> None:
    """Raise `UsageError` for repeated cells, values that are no numbers, unknown arms, metrics."""
    runs = [each.run for each in assigned]
    known = _metrics(runs)
    odd = list(_odd_values(runs, [metric, *(e.name for e in options.secondary)], results))
    faults = [*repeats(assigned, results, options), *odd]
    if metric not in known and not odd:
        faults.append(_unknown_metric(results, metric, known))
    raise_faults(results, [*faults, *_unknown_baseline(assigned, options, results)])


def _odd_values(
    runs: Sequence[RemoteRun], metrics: Sequence[str], results: Results
) -> Iterator[str]:
    """Yield cells of a table that hold no finite number; other sources have what they have."""
    for run in runs if results.is_table else ():
        for name in metrics:
            value = flatten(run.summary).get(name)
            number = number_of(value) if isinstance(value, str) else value
            if value is not None and not _is_finite(number):
                yield f"{run.id}, {name}: got {value!r}; wanted: a finite number, or nothing"


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(cast(float, value))


def _unknown_baseline(
    assigned: Sequence[AssignedRun], options: ImportOptions, results: Results
) -> Iterator[str]:
    arms = list(dict.fromkeys(each.arm for each in assigned))
    names = f"Arms: {join_names(arms, MOST_FAULTS, '; ', '; ')}"
    if len(arms) == 1 and results.is_table:
        yield f"there is one arm alone, {arms[0]}: nothing to compare it with"
    if options.baseline is None and BASELINE not in arms:
        yield f"name the arm that the others are compared with: --baseline NAME. {names}"
    elif options.baseline and arm_called(options.baseline, arms, options) is None:
        hint = did_you_mean(options.baseline, arms)
        yield f"no arm is called {options.baseline!r}.{hint} {names}"


def arm_called(name: str, arms: Sequence[str], options: ImportOptions) -> str | None:
    """Return the arm of that name, with or without the only key: `ast` or `model=ast`."""
    key = f"{options.arm[0]}=" if len(options.arm) == 1 else ""
    spellings = (name, f"{key}{name}", name.removeprefix(key))
    return next((arm for arm in spellings if arm in arms), None)
