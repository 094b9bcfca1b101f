"""The only door to narwhals: frames out, of pandas or polars, and frames of any library in."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from audiocls.errors import UsageError
from audiocls.formatting import format_json

BACKENDS = ("pandas", "polars", "pyarrow")
"""Libraries of frames; the last is used where it is named alone."""

Rows = Sequence[Mapping[str, Any]]


def frame_of(rows: Rows, backend: str | None = None) -> Any:
    """Return a frame of pandas or polars, with a column for each key of any row.

    `backend` is the library; by default the one that is imported, or else installed, pandas before
    polars. A key that a row lacks is missing there. Values of several kinds become text.
    """
    import narwhals as nw

    chosen = chosen_backend(backend)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: _of_one_kind([row.get(name) for row in rows]) for name in names}
    return nw.from_dict(columns, backend=chosen).to_native()


def chosen_backend(backend: str | None) -> Any:
    """Return the library to make frames with; raises `UsageError` where there is none."""
    if backend is not None:
        if backend not in BACKENDS:
            raise UsageError(f"backend: got {backend!r}; allowed: {', '.join(BACKENDS)}")
        if find_spec(backend) is None:
            raise UsageError(f"backend: {backend} is not installed: run `pip install {backend}`")
        return backend
    usual = BACKENDS[:2]
    installed = [name for name in usual if name in sys.modules] or [
        n for n in usual if find_spec(n)
    ]
    if not installed:
        raise UsageError(
            "a frame needs pandas or polars, and neither is installed: run `pip install pandas` or "
            "`pip install polars`; `.rows()` gives the same as a list of dicts"
        )
    return installed[0]


def _of_one_kind(values: list[Any]) -> list[Any]:
    """Return a column as every library takes it: numbers, truths or texts, and missing ones."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [value if value is None else float(value) for value in values]
    if len(kinds) < 2 and kinds <= {int, float, bool, str}:
        return values
    return [v if v is None or isinstance(v, str) else format_json(v) for v in values]


def rows_of(data: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame, of a dict of columns, or of a list of dicts, as plain values.

    Raises `UsageError` for anything else.
    """
    if isinstance(data, Mapping):
        columns = {str(name): list(values) for name, values in data.items()}
    elif isinstance(data, Sequence) and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(str(name) for row in data for name in row)
        columns = {name: [row.get(name) for row in data] for name in names}
    else:
        columns = _columns_of_frame(data)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"the columns differ in length: {lengths}")
    plain = {name: [_plain(value) for value in values] for name, values in columns.items()}
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


def _columns_of_frame(data: Any) -> dict[str, list[Any]]:
    import narwhals as nw

    try:
        frame = nw.from_native(data, eager_only=True)
    except TypeError as error:
        raise UsageError(
            f"got {type(data).__name__}; wanted: a frame of pandas, polars or pyarrow, a dict of "
            "columns, a list of dicts, or the path of a CSV or Parquet table"
        ) from error
    return {str(name): frame[name].to_list() for name in frame.columns}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: NumPy's scalars are numbers, NaN is missing."""
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    if isinstance(value, float) and math.isnan(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return None if type(value).__name__ in ("NAType", "NaTType") else str(value)


def flat(nested: Mapping[str, Any], leave_out: Iterable[str] = ()) -> dict[str, Any]:
    """Return a row without its nested values, and without some keys."""
    without = set(leave_out)
    return {
        name: value
        for name, value in nested.items()
        if name not in without and not isinstance(value, Mapping | list | tuple)
    }
