"""Findings on the parameters of a sweep, nested ones too."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from audiocls.errors import did_you_mean
from audiocls.search.check.finding import Finding, fault, got, listing, note
from audiocls.search.check.forms import DISTRIBUTION, FORMS, distribution_of
from audiocls.search.check.kinds import (
    MAPPING,
    MOST_STEPS,
    SHARE,
    check_keys,
    check_value,
    in_yaml,
    number,
    unquoted,
)
from audiocls.yaml_file import Key

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DEEPEST = 50
"""Levels of nesting; only an alias that contains itself goes deeper."""
_SUM_TOLERANCE = 1e-5
"""How far from 1 W&B lets probabilities sum."""


def check_parameters(given: Any, key: Key = ("parameters",)) -> Iterator[Finding]:
    """Check a mapping of parameters without regard to the method."""
    if not isinstance(given, Mapping) or not given:
        yield fault(key, f"{got(given)}; allowed: a mapping of at least one parameter")
        return
    for name, parameter in given.items():
        if not isinstance(name, str):
            yield unquoted((*key, name))
        elif not _NAME.fullmatch(name):
            allowed = "letters, digits and _ . - after a letter or _"
            yield fault((*key, name), f"got the name {name!r}; allowed: {allowed}")
        yield from _parameter(parameter, (*key, name))


def forms_of(given: Any, key: Key = ("parameters",)) -> Iterator[tuple[Key, str]]:
    """Yield every parameter that has a known distribution, with that distribution.

    Descends into nested mappings, also of documents with errors.
    """
    for name, parameter in given.items() if isinstance(given, Mapping) else ():
        if not isinstance(parameter, Mapping) or len(key) > 2 * _DEEPEST:
            continue
        if "parameters" in parameter:
            yield from forms_of(parameter["parameters"], (*key, name, "parameters"))
        elif distribution := distribution_of(parameter):
            yield (*key, name), distribution


def _parameter(given: Any, key: Key) -> Iterator[Finding]:
    if not isinstance(given, Mapping):
        example = f"value: {given}" if isinstance(given, int | float | str) else "values: [1, 2]"
        yield fault(key, f"{got(given)}; allowed: a mapping such as {{{example}}}")
    elif len(key) > 2 * _DEEPEST:
        yield fault(key, f"nested more than {_DEEPEST} deep; does an alias hold itself?")
    elif "parameters" in given:
        yield from check_keys(given, key, "a nest of parameters", {"parameters": MAPPING})
        yield from check_parameters(given["parameters"], (*key, "parameters"))
    elif distribution := distribution_of(given):
        form = FORMS[distribution]
        keys = {**form.keys, "distribution": DISTRIBUTION}
        on_keys = list(check_keys(given, key, distribution, keys, form.required))
        yield from on_keys
        if not any(finding.is_fault for finding in on_keys):
            yield from _relations(given, key, distribution)
    else:
        yield _formless(given, key)


def _formless(given: Mapping[str, Any], key: Key) -> Finding:
    """Return the error of a parameter whose keys imply no distribution."""
    if "distribution" in given:
        named = given["distribution"]
        hint = did_you_mean(named, DISTRIBUTION.names) if isinstance(named, str) else ""
        return fault(
            (*key, "distribution"), f"{got(named)}; allowed: {DISTRIBUTION.description}.{hint}"
        )
    for names, example in ((("mu", "sigma"), "normal"), (("a", "b"), "beta")):
        if any(name in given for name in names):
            advice = f"{listing(names)} want one, such as distribution: {example}"
            return fault((*key, "distribution"), f"missing; {advice}")
    if given and all(isinstance(inner, Mapping) for inner in given.values()):
        return fault(key, "its own parameters belong under a key: {parameters: {…}}")
    forms = "value; values; min and max; distribution; parameters"
    return fault(key, f"{got(dict(given))}; allowed: one of {forms}")


def _relations(given: Mapping[str, Any], key: Key, distribution: str) -> Iterator[Finding]:
    """Check keys against each other once each is valid by itself."""
    form = FORMS[distribution]
    if "distribution" not in given and distribution == "uniform":
        yield from _mixed(given, key)
    if "min" in form.keys:
        yield from _bounds(given, key, distribution)
    if "probabilities" in form.keys:
        yield from _probabilities(given, key)
    for name in ("value", "values"):
        if name in given:
            yield from _beyond_json(given[name], (*key, name))
    if "value" in given:
        yield from _text_numbers([given["value"]], (*key, "value"))
    if "values" in given:
        yield from _text_numbers(given["values"], (*key, "values"))


def _beyond_json(value: Any, key: Key) -> Iterator[Finding]:
    """Find values that have no JSON form, in which W&B stores and passes them on."""
    if isinstance(value, list | Mapping):
        inner = value.items() if isinstance(value, Mapping) else enumerate(value)
        for name, child in inner:
            yield from _beyond_json(child, (*key, name))
    elif isinstance(value, float) and not math.isfinite(value):
        yield fault(key, f"{got(value)}; allowed: a finite number, or text in quotes")
    elif not isinstance(value, str | int | float | None):
        yield fault(key, f"YAML reads {value} as a {type(value).__name__}; write it in quotes")


def _mixed(given: Mapping[str, Any], key: Key) -> Iterator[Finding]:
    low, high = number(given["min"]), number(given["max"])
    if isinstance(low, int) == isinstance(high, int):
        return
    mixture = f"min {low!r} and max {high!r} are an integer and a float: read as uniform floats"
    refused = "" if len(key) > 2 else ", which W&B's client refuses"
    yield note(key, f"{mixture}{refused}; write both alike, or say distribution: uniform")


def _bounds(given: Mapping[str, Any], key: Key, distribution: str) -> Iterator[Finding]:
    low, high = number(given["min"]), number(given["max"])
    step = number(given.get("q", 1.0))
    assert low is not None
    assert high is not None
    assert step is not None
    if low >= high:
        yield fault(key, f"got min {low!r} and max {high!r}; allowed: a min below the max")
    elif FORMS[distribution].are_exponents:
        yield _exponents(low, high, key, distribution)
    elif distribution == "q_uniform" and high - low > MOST_STEPS * step:
        yield fault((*key, "q"), f"{got(step)}; allowed: at most 2^53 steps from min to max")


def _exponents(low: float, high: float, key: Key, distribution: str) -> Finding:
    low, high = (-high, -low) if distribution.startswith("inv") else (low, high)
    try:
        drawn = f"{math.exp(low):.4g} to {math.exp(high):.4g}"
    except OverflowError:
        return fault(key, f"e^{high} is beyond every float; min and max are natural exponents here")
    advice = f"{distribution}_values takes the bounds themselves"
    return note(key, f"min and max are natural exponents: draws from {drawn}; {advice}")


def _probabilities(given: Mapping[str, Any], key: Key) -> Iterator[Finding]:
    values, written = given["values"], given["probabilities"]
    key = (*key, "probabilities")
    on_shares = [
        finding
        for position, share in enumerate(written)
        for finding in check_value(share, (*key, position), SHARE)
    ]
    yield from on_shares
    if len(values) != len(written):
        yield fault(key, f"got {len(written)} for {len(values)} values; allowed: one for each")
    if any(finding.is_fault for finding in on_shares):
        return
    total = math.fsum(number(share) or 0 for share in written)
    if abs(total - 1) > _SUM_TOLERANCE:
        yield fault(key, f"got a sum of {total:g}; allowed: 1")


def _text_numbers(values: list[Any], key: Key) -> Iterator[Finding]:
    """Find numbers without quotes that YAML reads as text, such as `1e-4`."""
    numbers = {
        value: in_yaml(value)
        for value in values
        if isinstance(value, str) and number(value) is not None and in_yaml(value) != value.lower()
    }
    if numbers:
        written = f"text in YAML: {listing(numbers)}; handed on as text, as W&B does"
        yield note(key, f"{written}. For numbers write {listing(numbers.values())}")
