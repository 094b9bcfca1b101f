"""What Python gives in place of the command line's words: seeds, arms, assignments, folders."""

import json
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from inspect import signature
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from audiocls import yaml_file
from audiocls.errors import AudioclsError, UsageError, did_you_mean
from audiocls.formatting import RUNS, join_names

P = ParamSpec("P")
Result = TypeVar("Result")

Assignments = Mapping[str, Any] | Sequence[str]
"""`{"data.root": "ESC-50"}`, or `["data.root=ESC-50"]` as after `--set`."""
Numbers = str | Iterable[int]
"""`range(5)`, `[0, 2, 5]`, or `"0..4"` as after `--seeds`."""
Names = str | Iterable[str]
"""`["dropout=0.1", "dropout=0.3"]`, or one text as after `--arms`."""
Folder = str | Path


def known_options(function: Callable[P, Result]) -> Callable[P, Result]:
    """Refuse keywords that a function does not have, with a `UsageError` that names the nearest."""
    parameters = signature(function).parameters.values()
    names = [each.name for each in parameters if each.name != "self"]

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Result:
        for name in kwargs:
            if name not in names:
                raise UsageError(
                    f"{function.__name__}() has no option {name!r}.{did_you_mean(name, names)} "
                    f"Options: {', '.join(names)}"
                )
        return function(*args, **kwargs)

    return checked


def assignments_of(given: Assignments | None) -> list[str] | None:
    """Return `key=value` texts, which are read back as the values that were given.

    >>> assignments_of({"optim.lr": 0.001, "data.root": "007"})
    ['optim.lr=0.001', 'data.root="007"']
    """
    if given is None or not isinstance(given, Mapping):
        if isinstance(given, str):
            raise UsageError(f"set: got the text {given!r}; allowed: such as {{'optim.lr': 0.001}}")
        return None if given is None else list(given)
    return [f"{key}={_text(value)}" for key, value in given.items()]


def _text(value: Any) -> str:
    """Return what YAML reads as that value: a text as it is, unless it would become a number."""
    if isinstance(value, Path):
        value = str(value)
    with suppress(AudioclsError):
        if isinstance(value, str) and value and yaml_file.parse(value, "set") == value:
            return value
    return _quoted(value)


def _quoted(value: Any) -> str:
    """Return a value in YAML, whose floats need a point: `1e-05` is a text there."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_quoted(key)}: {_quoted(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, float):
        text = repr(float(value))
        if not math.isfinite(value):
            return text.replace("inf", ".inf").replace("nan", ".nan")
        return text if "." in text else text.replace("e", ".0e")
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Integral):  # NumPy's, too
        return str(int(value))
    allowed = "numbers, texts, truths, None, lists and mappings"
    raise UsageError(f"set: got {value!r}; allowed: {allowed}")


def numbers_text(given: Numbers | None, option: str) -> str | None:
    """Return seeds or folds as the command line has them; raise `UsageError` for other things.

    >>> numbers_text(range(5), "seeds"), numbers_text([0, 2, 3, 4, 9], "seeds")
    ('0..4', '0,2..4,9')
    """
    if given is None or isinstance(given, str):
        return given
    allowed = "such as range(5), [0, 2, 5] or '0..4'"
    try:
        numbers = [operator.index(number) for number in given]
    except TypeError as error:
        raise UsageError(f"{option}: got {given!r}; allowed: {allowed}") from error
    if not numbers:
        raise UsageError(f"{option}: got none; allowed: {allowed}, or leave it out")
    spans = [[numbers[0], numbers[0]]]
    for before, number in pairwise(numbers):
        if number == before + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}..{high}" for low, high in spans)


def names_text(given: Names | None) -> str | None:
    """Return arms as the command line has them."""
    if given is None or isinstance(given, str):
        return given
    names = list(given)
    if not names:
        raise UsageError("arms: got none; allowed: names of arms, or leave it out")
    return ";".join(names)


def blocks_text(
    seeds: Numbers | None, folds: Numbers | None, arms: Names | None
) -> tuple[str | None, str | None, str | None]:
    """Return the seeds, folds and arms that are chosen, as the command line has them."""
    return numbers_text(seeds, "seeds"), numbers_text(folds, "folds"), names_text(arms)


def runs_folder(given: Folder | None) -> Path:
    """Return the folder of studies: as given, or `AUDIOCLS_RUNS`, or `runs`."""
    return Path(os.environ.get("AUDIOCLS_RUNS") or RUNS if given is None else given)


def existing_runs_folder(given: Folder | None) -> Path:
    """Return the folder of studies to read from.

    Where none is given, it may lie in a folder above: Jupyter starts in a notebook's own.
    """
    runs, here = runs_folder(given), Path.cwd()
    folders = () if given is not None else (here, *here.parents)
    return next((folder / runs for folder in folders if (folder / runs).is_dir()), runs)


def choice(given: str, allowed: Iterable[str], what: str) -> str:
    """Return what was given if it is allowed; raise `UsageError` with the nearest otherwise."""
    known = list(allowed)
    if given not in known:
        hint = did_you_mean(given, known)
        raise UsageError(f"{what}: got {given!r}; allowed: {join_names(known, 30)}.{hint}")
    return given
