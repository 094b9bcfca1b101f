"""Text for people: numbers, intervals, p values, durations, values of parameters, lists of names.

Numbers have a true minus, as wide as the plus; a missing number is a dash, never a zero.
"""

import json
import math
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from audiocls.dotted import flatten

NONE = "–"
MINUS = "\N{MINUS SIGN}"
RUNS = Path("runs")
"""Where studies are kept, if nothing else is said."""
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def scale_of(goal: str, values: Iterable[float]) -> int:
    """Return 100 for a share to be maximised, which is written in points, and 1 for the rest."""
    return 100 if goal == "maximize" and all(0 <= value <= 1 for value in values) else 1


def num_decimals(*values: float) -> int:
    """Return the decimals that show the largest value with two digits: 1 to 6."""
    largest = max((abs(value) for value in values), default=0.0)
    return 1 if largest == 0 else min(6, max(1, 1 - math.floor(math.log10(largest))))


def format_fixed(value: float, decimals: int) -> str:
    """Write `−0.7`; a value that rounds to zero has no sign."""
    text = f"{value:.{decimals}f}"
    return f"{abs(value):.{decimals}f}" if float(text) == 0 else text.replace("-", MINUS)


def format_signed(value: float, decimals: int) -> str:
    """Write `+2.1`, `−0.7` or `0.0`."""
    text = format_fixed(value, decimals)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def format_estimate(
    value: float | None, low: float | None, high: float | None, scale: int, is_signed: bool = False
) -> str:
    """Write `85.3 [83.1, 87.2]`, without the interval where that is unknown."""
    if value is None:
        return NONE
    write = format_signed if is_signed else format_fixed
    if low is None or high is None:
        return write(value * scale, num_decimals(value * scale))
    decimals = num_decimals(low * scale, high * scale) if is_signed else num_decimals(value * scale)
    low_text, high_text = (write(bound * scale, decimals) for bound in (low, high))
    return f"{write(value * scale, decimals)} [{low_text}, {high_text}]"


def format_signed_pair(low: float, high: float, between: str) -> str:
    """Write the bounds of a difference with the decimals that both need.

    >>> format_signed_pair(-3.71, 1.44, " to ")
    '−3.7 to +1.4'
    """
    decimals = num_decimals(low, high)
    return between.join(format_signed(bound, decimals) for bound in (low, high))


def format_p(p: float | None) -> str:
    """Write four decimals, as many as the exact test of five folds needs (0.0625)."""
    if p is None:
        return NONE
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


def format_count(number: float | None) -> str:
    """Write `845`, `1.24 M` or `38.1 G`."""
    if number is None:
        return NONE
    number = float(f"{number:.3g}")
    if number < 1_000:
        return f"{number:g}"
    power = min(4, int(math.log10(number)) // 3)
    return f"{number / 1000**power:.3g} {' kMGT'[power]}"


def format_duration(seconds: float | None) -> str:
    """Write `8.4 s`, `3.2 min` or `1.5 h`: one unit, for columns that are compared."""
    if seconds is None:
        return NONE
    for limit, divisor, unit in ((90, 1, "s"), (5400, 60, "min")):
        if seconds < limit:
            return f"{seconds / divisor:.1f} {unit}"
    return f"{seconds / 3600:.1f} h"


def format_elapsed(seconds: float | None) -> str:
    """Write `1 h 03 min`, `4 min 20 s` or `12 s`, for running text; unknown is a question mark."""
    if seconds is None or not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def format_bytes(number: int) -> str:
    """Write `840 kB`, `12 MB` or `1.5 GB`.

    >>> format_bytes(839_500), format_bytes(1_490_000_000)
    ('840 kB', '1.49 GB')
    """
    for unit, divisor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= 0.9995 * divisor:
            return f"{number / divisor:.3g} {unit}"
    return f"{number} B"


def format_percent(share: float) -> str:
    """Write `95 %` or `99.5 %`."""
    return f"{100 * share:g} %"


def number_word(number: int) -> str:
    """Write a number up to ten as a word, as in running text."""
    return _WORDS[number] if number < len(_WORDS) else str(number)


def plural(number: int, noun: str) -> str:
    """Write `1 pair` or `15 pairs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def join_names(
    names: Iterable[str], limit: int = 5, separator: str = ", ", before_rest: str = " "
) -> str:
    """List the first `limit` names and the number of the others.

    >>> join_names("abcde", limit=3)
    'a, b, c and 2 more'
    >>> join_names("abcde", limit=3, before_rest=", ")
    'a, b, c, and 2 more'
    """
    known = list(names)
    rest = len(known) - limit
    return separator.join(known[:limit]) + (f"{before_rest}and {rest} more" if rest > 0 else "")


def format_value(value: Any, digits: int = 3) -> str:
    """Write the value of a parameter, a float with `digits` significant digits."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def format_values(values: Mapping[str, Any]) -> str:
    """Write values, nested or dotted, by the last part of their names.

    >>> format_values({"optim": {"lr": 0.00123456}, "model.dropout": 0.1})
    'lr=0.00123,dropout=0.1'
    """
    flat = flatten(values).items()
    return ",".join(f"{key.rpartition('.')[2]}={format_value(value)}" for key, value in flat)


def assignment(key: str, value: Any) -> str:
    """Return `key=value` as the command line reads it back."""
    return f"{key}={value if isinstance(value, str) else json.dumps(value)}"


def format_level(level: Any) -> str:
    """Write the level of a factor as it stands in the names of arms.

    >>> format_level([8, None]), format_level(True)
    ('8xnone', 'on')
    >>> format_level({"name": "my_pkg.losses:focal", "gamma": 2})
    'my_pkg.losses:focal(gamma=2)'
    """
    if isinstance(level, Mapping) and ":" in str(level.get("name")):
        options = {key: value for key, value in level.items() if key != "name"}
        inside = ",".join(f"{key}={format_level(value)}" for key, value in options.items())
        return f"{level['name']}({inside})"
    if isinstance(level, list):
        return "x".join(format_level(item) for item in level)
    if level is None or isinstance(level, bool):
        return {None: "none", True: "on", False: "off"}[level]
    return str(level)


def format_arm(name: str) -> str:
    """Write an arm's name with `none` for an empty list, which has no text of its own.

    >>> format_arm("mixes=,rho=0.05"), format_arm("dropout=0.1")
    ('mixes=none,rho=0.05', 'dropout=0.1')
    """
    return ",".join(f"{part}none" if part.endswith("=") else part for part in name.split(","))


def format_json(value: Any) -> str:
    """Write text as it is and any other value as JSON, on one line."""
    text = value if isinstance(value, str) else json.dumps(value)
    return " ".join(text.split())


def command_line(*words: str, runs: Path | None = None) -> str:
    """Return a command of ours that can be pasted into a shell, whatever its words hold.

    `runs` is the folder of the studies that it is about.

    >>> command_line("report", "lr search", runs=Path("my runs"))
    "audiocls report 'lr search' --runs 'my runs'"
    """
    return with_runs(shlex.join(["audiocls", *words]), runs)


def with_runs(command: str, runs: Path | None) -> str:
    """Return a quoted command with the folder of its studies, where that is not the default."""
    if runs is None or runs.absolute() == RUNS.absolute():
        return command
    return f"{command} --runs {shlex.quote(str(runs))}"
