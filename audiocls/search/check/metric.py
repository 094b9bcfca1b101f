"""Findings on the objective, `metric` and `metrics`, and on `early_terminate`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.search.check.finding import Finding, fault, got, note
from audiocls.search.check.kinds import (
    ABOVE_ONE,
    BOOL,
    COUNT,
    NUMBER,
    TEXT,
    check_keys,
    number,
    one_of,
)
from audiocls.search.hyperband import bands
from audiocls.search.sweep import Hyperband
from audiocls.yaml_file import Key

_METRIC = {
    "name": TEXT,
    "goal": one_of("minimize", "maximize"),
    "target": NUMBER,
    "impute": one_of("worst", "best", "latest"),
    "impute_while_running": one_of("worst", "best", "latest", "false"),
}
_HYPERBAND = {
    "type": one_of("hyperband"),
    "min_iter": COUNT,
    "max_iter": COUNT,
    "s": COUNT,
    "eta": ABOVE_ONE,
    "strict": BOOL,
}
_BETTER_WHEN_LARGER = re.compile(
    r"accuracy|(?<![a-z0-9])(acc|f1|map|auc|auroc|precision|recall|dprime|iou|reward)(?![a-z0-9])"
)
"""Names of metrics that are always maximized."""


def check_metric(given: Any, key: Key = ("metric",)) -> Iterator[Finding]:
    """Check one metric."""
    yield from check_keys(given, key, "a metric", _METRIC, ("name",))
    if not isinstance(given, Mapping) or "goal" in given or not isinstance(given.get("name"), str):
        return
    if _BETTER_WHEN_LARGER.search(given["name"].lower()):
        sought = f"missing, so {given['name']} is minimized"
        yield note((*key, "goal"), f"{sought}; write goal: maximize if more is better")


def check_metrics(given: Any) -> Iterator[Finding]:
    """Check a list of metrics."""
    if not isinstance(given, list) or len(given) < 2:
        yield fault(("metrics",), f"{got(given)}; allowed: a list of at least two metrics")
    for position, metric in enumerate(given if isinstance(given, list) else ()):
        yield from check_metric(metric, ("metrics", position))


def check_early_terminate(given: Any) -> Iterator[Finding]:
    """Check a stop rule."""
    key = ("early_terminate",)
    on_keys = list(check_keys(given, key, "early_terminate", _HYPERBAND, ("type",)))
    yield from on_keys
    if not isinstance(given, Mapping):
        return
    if "max_iter" in given and "s" not in given:
        yield fault((*key, "s"), "missing; max_iter needs it: the number of bands")
    elif "max_iter" in given and not any(finding.is_fault for finding in on_keys):
        yield from _bands(given, key)
    elif "min_iter" not in given and "max_iter" not in given:
        yield fault(key, "says neither min_iter nor max_iter with s; allowed: one of the two")
    elif "s" in given and "max_iter" not in given:
        yield note((*key, "s"), "has no effect with min_iter, whose bands have no end")


def _bands(given: Mapping[str, Any], key: Key) -> Iterator[Finding]:
    numbers = {name: number(given.get(name, 3)) or 3 for name in ("max_iter", "s", "eta")}
    rule = Hyperband(None, int(numbers["max_iter"]), int(numbers["s"]), numbers["eta"])
    if not bands(rule):
        numbers_given = f"max_iter {rule.max_iter} and eta {rule.eta:g}"
        advice = "raise max_iter or lower eta"
        yield fault(key, f"{numbers_given} leave no band of at least 1; {advice}")
    if "min_iter" in given:
        yield note((*key, "min_iter"), "has no effect together with max_iter")
