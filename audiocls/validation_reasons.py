"""What a key wants, by the kind of error that pydantic found; its own phrases name types of Python.

Nothing of pydantic's wording reaches a message: a kind that is not known here is a plain refusal.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from audiocls.errors import did_you_mean

NUMBER, INTEGER, TRUTH = "a number", "a whole number", "true or false"
TEXT, LIST, MAPPING = "a text", "a list", "a mapping of keys to values"

WANTED: dict[str, str] = {
    **dict.fromkeys(("float_type", "float_parsing"), NUMBER),
    "finite_number": "a finite number",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), INTEGER),
    **dict.fromkeys(("bool_type", "bool_parsing"), TRUTH),
    **dict.fromkeys(("string_type", "string_unicode"), TEXT),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type"), MAPPING),
    **dict.fromkeys(("model_attributes_type", "dataclass_type"), MAPPING),
    "none_required": "null",
}
"""Kind of error → what is wanted."""

BOUNDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "greater_than": ("gt", lambda bound: f"more than {bound:g}"),
    "greater_than_equal": ("ge", lambda bound: f"{bound:g} or more"),
    "less_than": ("lt", lambda bound: f"less than {bound:g}"),
    "less_than_equal": ("le", lambda bound: f"{bound:g} or less"),
    "multiple_of": ("multiple_of", lambda step: f"a multiple of {step:g}"),
    "too_short": ("min_length", lambda length: f"{_counted(length)} or more"),
    "too_long": ("max_length", lambda length: f"{_counted(length)} at most"),
    "string_too_short": ("min_length", lambda length: "a text that is not empty"),
    "string_too_long": ("max_length", lambda length: f"a text of {length} characters at most"),
    "string_pattern_mismatch": ("pattern", lambda pattern: _form(pattern)),
}
"""Kind of error → the bound in its context, and what is wanted by it."""

FORMS = {
    r"^[A-Za-z0-9][A-Za-z0-9_-]*$": "letters a to z, digits, _ and -, first a letter or a digit",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "letters a to z, digits, _ . -, first a letter or a digit",
}


def reason(kind: str, context: Mapping[str, Any], got: object = None) -> str:
    """Return what is wanted or allowed instead of a value.

    >>> reason("int_parsing", {}), reason("greater_than_equal", {"ge": 1})
    ('wanted: a whole number', 'wanted: 1 or more')
    """
    if kind in ("literal_error", "enum"):
        allowed = context["expected"].replace(" or ", ", ")
        hint = did_you_mean(got, re.findall("'([^']*)'", allowed)) if isinstance(got, str) else ""
        return f"allowed: {allowed}{'.' * bool(hint)}{hint}"
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return f"wanted: {words(context[name])}"
    return f"wanted: {WANTED[kind]}" if kind in WANTED else "it is nothing that this key takes"


def _counted(length: int) -> str:
    return f"{length} value{'s' * (length != 1)}"


def _form(pattern: str) -> str:
    return FORMS.get(pattern, f"a text of the form {pattern}")
