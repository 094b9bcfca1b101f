"""How a number is written for people: points, intervals, p values, counts, times.

A true minus, as wide as the plus; a missing number is a dash, never a zero.
"""

import math
from collections.abc import Iterable

NONE = "–"
MINUS = "\N{MINUS SIGN}"
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def scale_of(goal: str, means: Iterable[float]) -> int:
    """100 where the metric is a share to be maximised, and so told in points; else 1."""
    return 100 if goal == "maximize" and all(0 <= mean <= 1 for mean in means) else 1


def num_decimals(*values: float) -> int:
    """Decimals that show the largest of these values with two digits, one decimal at least."""
    largest = max((abs(value) for value in values), default=0.0)
    return 1 if largest == 0 else min(6, max(1, 1 - math.floor(math.log10(largest))))


def format_fixed(value: float, decimals: int) -> str:
    """`−0.7`: a value that rounds to zero has no sign."""
    text = f"{value:.{decimals}f}"
    return f"{abs(value):.{decimals}f}" if float(text) == 0 else text.replace("-", MINUS)


def format_signed(value: float, decimals: int) -> str:
    """`+2.1`, `−0.7`, `0.0`."""
    text = format_fixed(value, decimals)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def format_estimate(
    value: float | None, low: float | None, high: float | None, scale: int, is_signed: bool = False
) -> str:
    """`85.3 [83.1, 87.2]`; without its interval where that is unknown."""
    if value is None:
        return NONE
    write = format_signed if is_signed else format_fixed
    if low is None or high is None:
        return write(value * scale, num_decimals(value * scale))
    decimals = num_decimals(low * scale, high * scale) if is_signed else num_decimals(value * scale)
    low_text, high_text = (write(bound * scale, decimals) for bound in (low, high))
    return f"{write(value * scale, decimals)} [{low_text}, {high_text}]"


def format_p(p: float | None) -> str:
    """Four decimals, as many as the exact test of five folds needs (0.0625)."""
    if p is None:
        return NONE
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def format_count(number: float | None) -> str:
    """`845`, `1.24 M`, `38.1 G`."""
    if number is None:
        return NONE
    number = float(f"{number:.3g}")
    if number < 1_000:
        return f"{number:g}"
    power = min(4, int(math.log10(number)) // 3)
    return f"{number / 1000**power:.3g} {' kMGT'[power]}"


def format_duration(seconds: float | None) -> str:
    """`8.4 s`, `3.2 min`, `1.5 h`."""
    if seconds is None:
        return NONE
    for limit, divisor, unit in ((90, 1, "s"), (5400, 60, "min")):
        if seconds < limit:
            return f"{seconds / divisor:.1f} {unit}"
    return f"{seconds / 3600:.1f} h"


def format_percent(share: float) -> str:
    """`95 %`, `99.5 %`."""
    return f"{100 * share:g} %"


def number_word(number: int) -> str:
    """Words up to ten, as in running text."""
    return _WORDS[number] if number < len(_WORDS) else str(number)


def join_names(names: Iterable[str], limit: int = 5) -> str:
    """Join the first `limit` names: `a, b, c and 7 more`."""
    known = list(names)
    rest = len(known) - limit
    return ", ".join(known[:limit]) + (f" and {rest} more" if rest > 0 else "")


def plural(number: int, noun: str) -> str:
    """`1 pair`, `15 pairs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
