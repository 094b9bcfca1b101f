"""`load_sweep`: a W&B sweep's document as a `Sweep`, with W&B's defaults, or all errors at once.

`check_sweep` returns the errors without raising them, and warnings too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from audiocls.errors import ConfigError
from audiocls.search.check import Finding, fault, findings, note, number, sentences
from audiocls.search.check.forms import FORMS, distribution_of
from audiocls.search.distributions import value_of
from audiocls.search.grid import grid_size
from audiocls.search.parameters import Path, varying
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
from audiocls.yaml_file import Key, Lines

_LARGE_GRID = 10_000
"""Cells; a larger grid is rarely meant to be tried completely."""
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0 - 2.0**-53)
_DEFAULTS = {"mu": 0.0, "sigma": 1.0, "a": 1.0, "b": 1.0, "q": 1.0}


@dataclass(frozen=True)
class Checked:
    """The errors and warnings of a sweep's document, a sentence each, in the order of the file."""

    faults: tuple[str, ...]
    """Errors: nothing runs."""
    notes: tuple[str, ...]
    """Warnings: it runs, but perhaps not as intended."""


def check_sweep(document: Mapping[str, Any], lines: Lines | None = None) -> Checked:
    """Return every error and warning of a sweep's document; `lines` comes from `yaml_file`."""
    all_findings = list(findings(document))
    if not any(finding.is_fault for finding in all_findings):
        sweep = _build(document)
        all_findings += [*_size(sweep), *_beyond_floats(sweep)]
    return Checked(
        sentences((finding for finding in all_findings if finding.is_fault), lines or {}),
        sentences((finding for finding in all_findings if not finding.is_fault), lines or {}),
    )


def load_sweep(document: Mapping[str, Any], where: str, lines: Lines | None = None) -> Sweep:
    """Return the sweep in `document`; raise `ConfigError` with all its errors."""
    faults = check_sweep(document, lines).faults
    if faults:
        raise ConfigError(where, faults)
    return _build(document)


def _size(sweep: Sweep) -> list[Finding]:
    num_cells = grid_size(sweep)
    if num_cells is None or num_cells <= _LARGE_GRID or sweep.run_cap is not None:
        return []
    return [note(("parameters",), f"a grid of {num_cells:,} cells without a run_cap")]


def _beyond_floats(sweep: Sweep) -> list[Finding]:
    """Find distributions that draw infinity, or that no float can compute."""
    unusable = [path for path, leaf in varying(sweep.parameters).items() if not _can_draw(leaf)]
    allowed = "allowed: a range whose values and steps floats can hold"
    return [
        fault(_key_of(path), f"draws numbers beyond every float; {allowed}") for path in unusable
    ]


def _can_draw(leaf: Categorical | Numeric) -> bool:
    if isinstance(leaf, Categorical):
        return True
    try:
        return all(math.isfinite(value_of(leaf, quantile)) for quantile in _QUANTILES)
    except (ArithmeticError, ValueError):
        return False


def _key_of(path: Path) -> Key:
    """Return the key in the document of a parameter that may be nested in others.

    >>> _key_of(("optim", "lr"))
    ('parameters', 'optim', 'parameters', 'lr')
    """
    return tuple(step for name in path for step in ("parameters", name))


def _build(document: Mapping[str, Any]) -> Sweep:
    """Return the sweep of a document without errors."""
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
        code=_patterns(document.get("code", ())),
        blocks=document.get("blocks", {}),
        **texts,
    )


def _patterns(written: str | list[str]) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else tuple(written)


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
    value = number(written)
    assert value is not None
    return value


def _integer(written: object) -> int | None:
    return None if written is None else int(_number(written))
