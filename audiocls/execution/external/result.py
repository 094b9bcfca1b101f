"""`Reported`: what a program says of its trial itself, beside what it logs to W&B.

Either a JSON file at `AUDIOCLS_RESULT`, or the last line of its output that begins with `AUDIOCLS`:
`{"metrics": {"val_acc": 0.91}, "cost": {"epochs": 30}}`, or the metrics alone.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from audiocls.errors import DataError, did_you_mean
from audiocls.result import MARK, PREDICTIONS, RESULT
from audiocls.store import Cost, TrialFolder

COUNTS = ("num_train", "num_val", "num_test")
PARTS = ("metrics", "cost", *COUNTS, "torch")
COSTS = tuple(item.name for item in fields(Cost))
MEASURED = ("wall_s", "process_s", "peak_memory_mib")
"""Costs that are no counts."""
MARKED = re.compile(rf"^\s*{MARK} (.+)|\b{MARK} (?=\{{)(.+)")
"""A line with a result; a progress bar may stand before it."""
TAIL_BYTES = 65_536
"""Of the output, in which the last line of a result is looked for."""


@dataclass(frozen=True)
class Reported:
    """A result in a program's own words; empty where it left none."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    """Clips: `num_train`, `num_val`, `num_test`."""
    torch: str = ""
    """Its version; empty where the program does not use it."""


def result_variables(trial: TrialFolder) -> dict[str, str]:
    """Return the variables that tell a program where its result and its predictions go."""
    files = {RESULT: _result_file(trial), PREDICTIONS: predictions_file(trial)}
    return {name: str(file.resolve()) for name, file in files.items()}


def _result_file(trial: TrialFolder) -> Path:
    return trial.path / "result.json"


def predictions_file(trial: TrialFolder) -> Path:
    """Return where a program may leave its predictions, with an ending of its format or without."""
    return trial.path / "reported_predictions"


def drop_results(trial: TrialFolder) -> None:
    """Delete what an earlier attempt left."""
    file = predictions_file(trial)
    for left in (_result_file(trial), *file.parent.glob(f"{file.name}*")):
        left.unlink(missing_ok=True)


def reported(trial: TrialFolder, first_byte: int) -> Reported:
    """Return the result in a trial's file, or in its output from `first_byte` on.

    Raises `DataError` for a result that cannot be understood.
    """
    file = _result_file(trial)
    if file.is_file():
        return _parsed(file.read_text(encoding="utf-8", errors="replace"), str(file))
    line = _last_line(trial.log, first_byte)
    where = f"the last line of {trial.log} that begins with {MARK}"
    return _parsed(line, where) if line else Reported()


def _last_line(log: Path, first_byte: int) -> str:
    """Return the last result in the output, without its mark; empty where there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(first_byte, log.stat().st_size - TAIL_BYTES))
        lines = stream.read().decode(errors="replace").splitlines()
    matches = (match for line in reversed(lines) if (match := MARKED.search(line)))
    return next(((match[1] or match[2]).strip() for match in matches), "")


def _parsed(text: str, where: str) -> Reported:
    wanted = f'wanted: JSON such as {{"metrics": {{"val_acc": 0.91}}}} (parts: {", ".join(PARTS)})'
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: no JSON ({error}); {wanted}") from error
    if not isinstance(content, dict) or not content:
        raise DataError(f"{where}: got {text[:80]!r}; {wanted}")
    parts = content if "metrics" in content else {"metrics": content}
    if unknown := [name for name in parts if name not in PARTS]:
        hint = did_you_mean(unknown[0], PARTS)
        raise DataError(f"{where}: got the part {unknown[0]!r}; {wanted}.{hint}")
    counts = {name: parts[name] for name in COUNTS if name in parts}
    return Reported(
        _numbers(parts["metrics"], "metrics", where),
        _costs(parts.get("cost", {}), where),
        {name: _whole(name, value, where) for name, value in _numbers(counts, "", where).items()},
        str(parts.get("torch", "")),
    )


def _costs(given: Any, where: str) -> dict[str, float]:
    cost = _numbers(given, "cost", where)
    if unknown := [name for name in cost if name not in COSTS]:
        hint = did_you_mean(unknown[0], COSTS)
        raise DataError(f"{where}: cost.{unknown[0]}: allowed: {', '.join(COSTS)}.{hint}")
    return {
        name: _amount(f"cost.{name}", value, where)
        if name in MEASURED
        else _whole(f"cost.{name}", value, where)
        for name, value in cost.items()
    }


def _amount(name: str, value: float, where: str) -> float:
    if not math.isfinite(value) or value < 0:
        raise DataError(f"{where}: {name}: got {value}; wanted: a number from 0 on")
    return value


def _whole(name: str, value: float, where: str) -> int:
    """Return a count, which some programs write as `30.0`."""
    if _amount(name, value, where) != int(value):
        raise DataError(f"{where}: {name}: got {value}; wanted: a whole number")
    return int(value)


def _numbers(given: Any, part: str, where: str) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise DataError(f"{where}: {part}: got {given!r}; wanted: names with a number each")
    odd = [name for name, value in given.items() if not _is_number(value)]
    if odd:
        key = ".".join(filter(None, [part, odd[0]]))
        raise DataError(f"{where}: {key}: got {given[odd[0]]!r}; wanted: a number")
    return dict(given)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
