"""The forms of a parameter: each distribution with the keys it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiocls.search.check.kinds import (
    ANYTHING,
    FILLED_LIST,
    INTEGER,
    NUMBER,
    POSITIVE,
    Kind,
    number,
    one_of,
)


@dataclass(frozen=True)
class Form:
    """The keys of one distribution."""

    keys: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    are_exponents: bool = False
    is_enumerable: bool = False
    """Whether a grid can walk it."""


_BOUNDS = {"min": NUMBER, "max": NUMBER}
_ABOVE_ZERO = {"min": POSITIVE, "max": NUMBER}
_MOMENTS = {"mu": NUMBER, "sigma": POSITIVE}
_SHAPES = {"a": POSITIVE, "b": POSITIVE}
_STEP = {"q": POSITIVE}
_VALUES = {"values": FILLED_LIST}

FORMS: Mapping[str, Form] = {
    "constant": Form({"value": ANYTHING}, ("value",), is_enumerable=True),
    "categorical": Form(_VALUES, ("values",), is_enumerable=True),
    "categorical_w_probabilities": Form(
        _VALUES | {"probabilities": FILLED_LIST}, ("values", "probabilities")
    ),
    "int_uniform": Form({"min": INTEGER, "max": INTEGER}, ("min", "max"), is_enumerable=True),
    "uniform": Form(_BOUNDS, ("min", "max")),
    "q_uniform": Form(_BOUNDS | _STEP, ("min", "max"), is_enumerable=True),
    "log_uniform": Form(_BOUNDS, ("min", "max"), are_exponents=True),
    "log_uniform_values": Form(_ABOVE_ZERO, ("min", "max")),
    "inv_log_uniform": Form(_BOUNDS, ("min", "max"), are_exponents=True),
    "inv_log_uniform_values": Form(_ABOVE_ZERO, ("min", "max")),
    "q_log_uniform": Form(_BOUNDS | _STEP, ("min", "max"), are_exponents=True),
    "q_log_uniform_values": Form(_ABOVE_ZERO | _STEP, ("min", "max")),
    "normal": Form(_MOMENTS),
    "q_normal": Form(_MOMENTS | _STEP),
    "log_normal": Form(_MOMENTS),
    "q_log_normal": Form(_MOMENTS | _STEP),
    "beta": Form(_SHAPES),
    "q_beta": Form(_SHAPES | _STEP),
}

DISTRIBUTION = one_of(*FORMS)


def distribution_of(parameter: Mapping[str, Any]) -> str | None:
    """Return the distribution that is named, or that the other keys imply, or None.

    >>> distribution_of({"min": 1, "max": 2}), distribution_of({"min": 1, "max": 2.0})
    ('int_uniform', 'uniform')
    """
    if "distribution" in parameter:
        named = parameter["distribution"]
        return named if DISTRIBUTION.accepts(named) else None
    if "value" in parameter:
        return "constant"
    if "probabilities" in parameter:
        return "categorical_w_probabilities"
    if "values" in parameter:
        return "categorical"
    if "min" not in parameter and "max" not in parameter:
        return None
    bounds = [number(parameter.get(name)) for name in ("min", "max")]
    return "int_uniform" if all(isinstance(bound, int) for bound in bounds) else "uniform"
