"""CSV and Parquet: a table with a row for each trial, as runs."""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from audiocls.errors import UsageError
from audiocls.importing.results import Results
from audiocls.store import Cost
from audiocls.tracking.project import RemoteRun

CSV, PARQUET = (".csv", ".tsv", ".txt"), (".parquet", ".pq")
SEPARATORS = (",", ";", "\t", "|")
MISSING = {"", "-", "na", "n/a", "nan", "none", "null"}
"""Texts in lower case that stand for a value that is not there."""
SIZES = {"num_train": "clips/train", "num_val": "clips/val", "num_test": "clips/test"}
KNOWN = {item.name: f"cost/{item.name}" for item in fields(Cost)} | SIZES
"""Columns that are known by their names → their names in a run's summary."""
TRUTHS = {"true": True, "false": False}
DECIMAL_COMMA = re.compile(r"[-+]?\d*,?\d+(e[-+]?\d+)?", re.IGNORECASE)
MEASURED = ("wall_s", "process_s", "peak_memory_mib")
"""Those of them that are no counts."""


@dataclass(frozen=True)
class Table:
    """Columns, and rows by where they stand: `line 3` of a CSV, `row 2` of a Parquet file."""

    columns: Sequence[str]
    rows: Mapping[str, Mapping[str, Any]]


def read_table(path: Path, keys: Iterable[str] = (), metrics: Iterable[str] = ()) -> Results:
    """Return the rows of a table: `keys` are columns that are no metric, `metrics` nothing else.

    The columns `num_train`, `num_val`, `num_test` (clips) and those named like the fields of `Cost`
    (`epochs`, `num_params`, `wall_s` …) are what their names say. Raises `UsageError` for a file
    that cannot be read or has no row.
    """
    table = _read_parquet(path) if path.suffix.lower() in PARQUET else _read_csv(path)
    return results_of(table, str(path), str(path.resolve()), keys, metrics)


def table_of(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return rows that are in memory as a table; their values are numbers, truths, texts, None."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(columns, {f"row {n}": row for n, row in enumerate(rows, 1)})


def results_of(
    table: Table, name: str, identity: str, keys: Iterable[str] = (), metrics: Iterable[str] = ()
) -> Results:
    """Return a table's rows as runs: see `read_table`."""
    if not table.rows:
        raise UsageError(f"{name}: the table has no row; wanted: a header and a row a trial")
    named, others = set(keys), set(metrics)
    known = {name: KNOWN[name] for name in KNOWN if name not in named | others}
    runs = [_run_of(*item, named, others, known) for item in table.rows.items()]
    faults = [*_repeated_columns(table), *_odd_counts(table, known)]
    return Results(name, runs, "", "row", identity, is_table=True, faults=tuple(faults))


def _run_of(
    where: str,
    row: Mapping[str, Any],
    keys: set[str],
    metrics: set[str],
    known: Mapping[str, str],
) -> RemoteRun:
    config = {name: row[name] for name in row if name not in metrics.union(MEASURED)}
    summary = {known.get(name, name): row[name] for name in row if name not in keys}
    counts = {known[name]: _whole(row[name]) for name in known.keys() & row.keys()}
    return RemoteRun(where, where, "finished", config, {**summary, **counts})


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _repeated_columns(table: Table) -> Iterator[str]:
    for name in sorted({name for name in table.columns if table.columns.count(name) > 1}):
        yield f"{table.columns.count(name)} columns are called {name!r}: rename all but one"


def _odd_counts(table: Table, known: Mapping[str, str]) -> Iterator[str]:
    """Yield cells of columns known by name that are no amounts of what their names say."""
    for where, row in table.rows.items():
        for name in known.keys() & row.keys():
            value, is_whole = row[name], name not in MEASURED
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            fits = is_number and value >= 0 and (not is_whole or float(value).is_integer())
            if value is not None and not fits:
                wanted = "a whole number" if is_whole else "a number"
                yield f"{where}, {name}: got {value!r}; wanted: {wanted} from 0 on, or nothing"


def _read_csv(path: Path) -> Table:
    """Read text in UTF-8, with or without a byte order mark, as Excel and pandas write it."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        first, _, rest = text.partition("\n")
        text = rest if first.startswith("sep=") else text
        header = text.partition("\n")[0]
        separator = max(SEPARATORS, key=header.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        columns = [name.strip() for name in next(reader, [])]
        lines = {reader.line_num: cells for cells in reader if any(map(str.strip, cells))}  # noqa: B035
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(
            f"{path}: cannot be read as CSV in UTF-8 ({error}); save it as CSV in UTF-8"
        ) from error
    odd = [number for number, cells in lines.items() if len(cells) != len(columns)]
    if odd:
        number = odd[0]
        raise UsageError(
            f"{path}: {len(odd)} rows have another number of cells than the header; line {number} "
            f"has {len(lines[number])}, the header {len(columns)} ({', '.join(columns)})"
        )
    return _typed(columns, lines, has_decimal_commas=separator != ",")


def _typed(columns: list[str], lines: dict[int, list[str]], has_decimal_commas: bool) -> Table:
    """Return the cells as numbers, truths or text: of one kind a column, but for missing ones."""
    texts = [[cells[place].strip() for cells in lines.values()] for place in range(len(columns))]
    values = [_values(column, has_decimal_commas) for column in texts]
    rows = zip(*values, strict=True) if values else ()
    named = [{name: cell for name, cell in zip(columns, row, strict=True) if name} for row in rows]
    return Table(columns, {f"line {n}": row for n, row in zip(lines, named, strict=False)})


def _values(texts: Sequence[str], has_decimal_commas: bool) -> list[Any]:
    """Return a column's cells; where most are numbers, a text among them is somebody's slip."""
    cells = [None if text.lower() in MISSING else text for text in texts]
    filled = [text for text in cells if text is not None]
    if filled and all(text.lower() in TRUTHS for text in filled):
        return [text and TRUTHS[text.lower()] for text in cells]
    numbers = [text and number_of(_with_point(text, has_decimal_commas)) for text in cells]
    num_texts = sum(isinstance(number, str) for number in numbers)
    if 2 * num_texts >= len(filled):
        return list(cells)
    pairs = zip(cells, numbers, strict=True)
    return [cell if isinstance(number, str) else number for cell, number in pairs]


def _with_point(text: str, has_decimal_commas: bool) -> str:
    is_decimal = has_decimal_commas and DECIMAL_COMMA.fullmatch(text)
    return text.replace(",", ".") if is_decimal else text


def number_of(text: str) -> int | float | str:
    """Return the number that a text is, or else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _read_parquet(path: Path) -> Table:
    if find_spec("pyarrow") is None:
        raise UsageError(
            f"{path}: pyarrow is not installed, which reads Parquet: run "
            "`pip install 'audiocls[parquet]'`, or save the table as CSV"
        )
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path}: cannot be read as Parquet ({error})") from error
    rows = table.to_pylist() if table.num_columns else []
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    return Table(table.column_names, {f"row {n}": row for n, row in enumerate(plain, 1)})


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what is no number, truth or text becomes text."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
