"""What YAML 1.1 reads otherwise than people mean: `no`, `010`, `1:30`, `2024_01`, `(3, 3)`."""

import re

NO_VALUES = {
    **dict.fromkeys(("None", "none", "NONE", "nil", "undefined"), "null for no value"),
    **dict.fromkeys(("nan", "NaN", "NAN", "NA"), ".nan for a number that is none"),
    **dict.fromkeys(("inf", "Inf", "+inf", "infinity", "Infinity"), ".inf for the number"),
    **dict.fromkeys(("-inf", "-Inf", "-infinity", "-Infinity"), "-.inf for the number"),
}
"""Words that Python or people take for a value, and YAML for text."""
SEVERAL_NUMBERS = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?(\s+[-+]?[\d.]+(e[-+]?\d+)?)+", re.IGNORECASE)
DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?")
"""A number that nobody reads otherwise."""
LEADING_ZERO = re.compile(r"[-+]?0\d+")
"""Text such as `008`, which other readers of YAML take for a number."""
GROUPED = re.compile(r"[-+]?\d{1,3}(_\d{3})+(\.\d+)?")
"""A number whose underscores part its thousands, as they are meant to."""
OCTAL_OF_OTHERS = re.compile(r"[-+]?0o[0-7]+")
"""An octal number in Python and in YAML 1.2."""


def misreading(word: str, value: object) -> str:
    """Return what a word without quotes became and what to write; empty where all is as meant.

    >>> misreading("2024_01", 202401)
    "2024_01 is read as 202401, its underscores left out: write 202401, or '2024_01' for the text"
    """
    if isinstance(value, bool):
        if word.lower() in ("true", "false"):
            return ""
        return f"{word} is read as {value}: write {str(value).lower()}, or '{word}' for the text"
    if isinstance(value, int | float):
        return _misread_number(word, value)
    return _misread_text(word) if isinstance(value, str) else ""


def _misread_number(word: str, value: float) -> str:
    as_text = f"write {value}, or '{word}' for the text"
    if ":" in word:
        return f"{word} is read as {value}, in sixties: {as_text}"
    if "_" in word and not GROUPED.fullmatch(word):
        return f"{word} is read as {value}, its underscores left out: {as_text}"
    decimal = _without_zeros(word)
    if LEADING_ZERO.fullmatch(word) and int(decimal) != value:
        return f"{word} is read as {value}, an octal number: write {decimal} or {value}"
    return ""


def _misread_text(word: str) -> str:
    if LEADING_ZERO.fullmatch(word):
        return f"{word} is read as text: write {_without_zeros(word)} for the number"
    if OCTAL_OF_OTHERS.fullmatch(word):
        return f"{word} is read as text: write {int(word, 8)} for the number"
    if word in NO_VALUES:
        return f"{word} is read as the text '{word}': write {NO_VALUES[word]}"
    if word.startswith("(") or (word.endswith(")") and "(" not in word):
        return f"{word} is read as text, for YAML has no tuples: write a list, such as [3, 3]"
    if SEVERAL_NUMBERS.fullmatch(word):
        return f"{word} is read as one text: put commas between the numbers"
    return ""


def _without_zeros(word: str) -> str:
    sign, digits = ("-" if word.startswith("-") else ""), word.lstrip("+-0")
    return sign + digits if digits else "0"
