"""From a document without faults to a `Sweep`, with W&B's defaults filled in."""

from collections.abc import Mapping
from typing import Any, cast

from audiocls.search.check.forms import FORMS, distribution_of
from audiocls.search.check.kinds import number
from audiocls.search.sweep import (
    Categorical,
    Constant,
    Distribution,
    Hyperband,
    Metric,
    Nested,
    Numeric,
    Parameter,
    Sweep,
)

_DEFAULTS = {"mu": 0.0, "sigma": 1.0, "a": 1.0, "b": 1.0, "q": 1.0}


def build(document: Mapping[str, Any]) -> Sweep:
    """The sweep of a document in which `check.findings` finds no fault."""
    texts = {
        name: document[name]
        for name in ("name", "description", "entity", "project", "program")
        if name in document
    }
    return Sweep(
        method=document["method"],
        parameters=_parameters(document.get("parameters", {})),
        metric=_metric(document["metric"]) if "metric" in document else None,
        early_terminate=_hyperband(document.get("early_terminate")),
        run_cap=_integer(document.get("run_cap")),
        command=tuple(str(item) for item in document.get("command", ())),
        **texts,
    )


def _parameters(given: Mapping[str, Any]) -> dict[str, Parameter]:
    return {name: _parameter(parameter) for name, parameter in given.items()}


def _parameter(given: Mapping[str, Any]) -> Parameter:
    if "parameters" in given:
        return Nested(_parameters(given["parameters"]))
    distribution = distribution_of(given)
    assert distribution is not None
    if distribution == "constant":
        return Constant(given["value"])
    if "values" in given:
        shares = given.get("probabilities")
        return Categorical(tuple(given["values"]), shares and tuple(map(_number, shares)))
    names = FORMS[distribution].keys
    numbers = {name: _number(given.get(name, _DEFAULTS.get(name))) for name in names}
    return Numeric(cast(Distribution, distribution), **numbers)


def _metric(given: Mapping[str, Any]) -> Metric:
    target = {"target": _number(given["target"])} if "target" in given else {}
    return Metric(**{**given, **target})


def _hyperband(given: Mapping[str, Any] | None) -> Hyperband | None:
    if given is None:
        return None
    max_iter = _integer(given.get("max_iter"))
    return Hyperband(
        min_iter=_integer(given.get("min_iter")) if max_iter is None else None,
        max_iter=max_iter,
        s=_integer(given.get("s")) if max_iter is not None else None,
        eta=_number(given.get("eta", 3.0)),
        is_strict=given.get("strict", True),
    )


def _number(written: object) -> int | float:
    found = number(written)
    assert found is not None
    return found


def _integer(written: object) -> int | None:
    return None if written is None else int(_number(written))
