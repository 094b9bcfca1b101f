"""Kinds of plain values, and the check of a mapping against them key by key.

Numeric text counts as a number: PyYAML reads `1e-4` as text.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiocls.errors import did_you_mean
from audiocls.search.check.finding import Finding, fault, got, listing, note
from audiocls.yaml_file import Key

_NUMERIC = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def number(value: object) -> int | float | None:
    """Return the number that is written, also as text, or None.

    >>> number("1e-4"), number("12"), number(True), number("a")
    (0.0001, 12, None, None)
    """
    if isinstance(value, str) and _NUMERIC.fullmatch(value):
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Kind:
    """The values that a key may have."""

    description: str
    accepts: Callable[[Any], bool]
    names: tuple[str, ...] = ()
    is_numeric: bool = False


def one_of(*names: str) -> Kind:
    """Return the kind of a few names."""
    return Kind(listing(names), lambda value: isinstance(value, str) and value in names, names)


def _numbers(description: str, accepts: Callable[[int | float], bool]) -> Kind:
    """Return the kind of the finite numbers that fulfil a condition."""

    def is_accepted(value: object) -> bool:
        num = number(value)
        return num is not None and abs(num) <= sys.float_info.max and accepts(num)

    return Kind(description, is_accepted, is_numeric=True)


MOST_STEPS = 2**53
"""Integers that JSON, and so W&B, can tell apart."""

ANYTHING = Kind("anything", lambda _: True)
TEXT = Kind("text", lambda value: isinstance(value, str))
BOOL = Kind("true or false", lambda value: isinstance(value, bool))
MAPPING = Kind("a mapping", lambda value: isinstance(value, Mapping))
LIST = Kind("a list", lambda value: isinstance(value, list))
PATTERNS = Kind(
    "a pattern of files, such as src/**/*.py, or a list of them",
    lambda value: all(
        isinstance(each, str) and each and not each.startswith("/")
        for each in (value if isinstance(value, list) else [value])
    ),
)
FILLED_LIST = Kind("a list of at least one", lambda value: isinstance(value, list) and value != [])
NUMBER = _numbers("a finite number", lambda _: True)
SHARE = _numbers("a number from 0 to 1", lambda value: 0 <= value <= 1)
POSITIVE = _numbers("a number above 0", lambda value: value > 0)
ABOVE_ONE = _numbers("a number above 1", lambda value: value > 1)
INTEGER = _numbers(
    "an integer without a point, below 2^53",
    lambda value: isinstance(value, int) and abs(value) < MOST_STEPS,
)
COUNT = _numbers("a whole number of at least 1", lambda value: value >= 1 and value % 1 == 0)


def check_keys(
    given: Any,
    key: Key,
    what: str,
    known: Mapping[str, Kind],
    required: tuple[str, ...] = (),
    meant: Mapping[str, str] | None = None,
) -> Iterator[Finding]:
    """Yield what is wrong with keys and values of `given`, a mapping called `what`.

    `meant` names what people mean by some unknown keys, where likeness of letters would mislead.
    """
    if not isinstance(given, Mapping):
        yield fault(key, f"{got(given)}; allowed: a mapping with the keys {listing(known)}")
        return
    for name in required:
        if name not in given:
            yield fault((*key, name), f"missing; {what} needs it: {known[name].description}")
    for name, value in given.items():
        if name in known:
            yield from check_value(value, (*key, name), known[name])
        elif not isinstance(name, str):
            yield unquoted((*key, name))
        else:
            advice = (meant or {}).get(name)
            hint = f" Write {advice} instead." if advice else did_you_mean(name, known)
            yield fault((*key, name), f"no key of {what}.{hint} Known here: {listing(known)}")


def unquoted(key: Key) -> Finding:
    """Return the fault of a name such as `on` or `1`, which YAML does not read as text."""
    return fault(key, f"YAML reads this name as {key[-1]!r}, which is no text; write it in quotes")


def check_value(value: Any, key: Key, kind: Kind) -> Iterator[Finding]:
    """Yield what is wrong with a plain value, or odd: a number that is text."""
    if not kind.accepts(value):
        hint = did_you_mean(value, kind.names) if isinstance(value, str) else ""
        yield fault(key, f"{got(value)}; allowed: {kind.description}.{hint}")
    elif kind.is_numeric and isinstance(value, str):
        read = f"{value!r} is text in YAML, read here as the number {number(value)!r}"
        yield note(key, f"{read}; W&B refuses it: write {in_yaml(value)}")


def in_yaml(text: str) -> str:
    """Write a number so that YAML reads it as a number.

    >>> in_yaml("1e-4"), in_yaml("12"), in_yaml("1e3")
    ('1.0e-4', '12', '1.0e+3')
    """
    mantissa, letter, exponent = text.lower().partition("e")
    if not letter:
        return text
    sign = "" if exponent[0] in "+-" else "+"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}e{sign}{exponent}"
