"""W&B's filters of runs, which are MongoDB's, and its orders."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wandb_server.records import USER, Run, unwrapped

COLUMNS: Mapping[str, Callable[[Run], Any]] = {
    "name": lambda run: run.id,
    "display_name": lambda run: run.display_name,
    "state": lambda run: run.state,
    "group": lambda run: run.group,
    "job_type": lambda run: run.job_type,
    "sweep": lambda run: run.sweep,
    "tags": lambda run: run.tags,
    "created_at": lambda run: run.created_at,
    "heartbeat_at": lambda run: run.heartbeat_at,
    "username": lambda run: USER,
    "host": lambda run: run.host,
}

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": lambda got, wanted: bool(got == wanted),
    "$ne": lambda got, wanted: bool(got != wanted),
    "$gt": lambda got, wanted: got is not None and bool(got > wanted),
    "$gte": lambda got, wanted: got is not None and bool(got >= wanted),
    "$lt": lambda got, wanted: got is not None and bool(got < wanted),
    "$lte": lambda got, wanted: got is not None and bool(got <= wanted),
    "$in": lambda got, wanted: any(one in wanted for one in _listed(got)),
    "$nin": lambda got, wanted: not any(one in wanted for one in _listed(got)),
    "$exists": lambda got, wanted: (got is not None) == wanted,
    "$regex": lambda got, wanted: got is not None and bool(re.search(wanted, str(got))),
}


def matches(run: Run, wanted: Mapping[str, Any]) -> bool:
    """Whether a run passes a filter."""
    return all(_passes(run, key, value) for key, value in wanted.items())


def ordered(runs: Sequence[Run], order: str) -> list[Run]:
    """By `+column` or `-column`, runs without the value last."""
    column = order.lstrip("+-")
    have = [run for run in runs if value_of(run, column) is not None]
    lack = [run for run in runs if value_of(run, column) is None]
    is_descending = order.startswith("-")
    if is_descending:
        have.reverse()
    return sorted(have, key=lambda run: value_of(run, column), reverse=is_descending) + lack


def value_of(run: Run, column: str) -> Any:
    """What a run has under a column such as `state` or `summary_metrics.loss`."""
    kind, _, path = column.partition(".")
    if kind in ("summary_metrics", "summary", "summaryMetrics"):
        return _dug(run.summary, path)
    if kind == "config":
        return _dug(unwrapped(run.wrapped_config), re.sub(r"\.value(?=\.|$)", "", path))
    return COLUMNS[re.sub(r"(?<!^)([A-Z])", r"_\1", column).lower()](run)


def _passes(run: Run, key: str, wanted: Any) -> bool:
    if key == "$and":
        return all(matches(run, each) for each in wanted)
    if key == "$or":
        return any(matches(run, each) for each in wanted) or not wanted
    if key == "$nor":
        return not any(matches(run, each) for each in wanted)
    if key == "$not":
        return not matches(run, wanted)
    got = value_of(run, key)
    if isinstance(wanted, Mapping) and any(name.startswith("$") for name in wanted):
        return all(OPERATORS[name](got, operand) for name, operand in wanted.items())
    return wanted in got if isinstance(got, list) else bool(got == wanted)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _dug(values: Any, path: str) -> Any:
    """The value at a dotted path; names may hold dots themselves."""
    if not isinstance(values, Mapping):
        return None
    if path in values:
        return values[path]
    first, _, rest = path.partition(".")
    return _dug(values.get(first), rest) if rest else None
