"""Finding a data set's files on disk and reading its tables, with all errors reported at once."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocls.audio.datasets.columns import NAMES
from audiocls.audio.listing import Remark, normalised
from audiocls.audio.remote import is_url, local_copy
from audiocls.errors import DataError
from audiocls.formatting import join_names

_PROBLEMS_SHOWN = 20
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
"""What stands between cells instead of commas: a comma is decimal in half of the world."""
_VERBATIM = ("slice_file_name", *NAMES["path"])
"""Columns of file names, in which blanks count."""
_INDEX = ("", "unnamed: 0", "index")
"""Names of a column of row numbers, which pandas writes before the others."""


@dataclass(frozen=True)
class Csv:
    """Column names, rows by line number, and what was read otherwise than it is written."""

    columns: list[str]
    rows: dict[int, dict[str, str]]
    remarks: tuple[Remark, ...] = ()


def find_root(
    name: str, root: str | None, marker: str, cache: Path, inside: Sequence[str] = ()
) -> Path:
    """Return the absolute folder that holds `marker`: `root`, or one of the folders `inside` it.

    Raises:
        DataError: no root was given, it does not exist, or `marker` is in none of them.
    """
    folder = root_folder(name, root, cache)
    for candidate in (folder, *(folder / part for part in inside)):
        if (candidate / marker).exists():
            return candidate
    looked = " or ".join([str(folder), *(f"its {part}" for part in inside)])
    raise DataError(
        f"The data set {name!r} should hold {marker!r}, which is not in {looked}; "
        "give the folder that holds it with --set data.root=DIR."
    )


def root_folder(name: str, root: str | None, cache: Path) -> Path:
    """Return the absolute folder of a data set; of a URL, its copy in the cache.

    Raises:
        DataError: no root was given, or it does not exist.
        UsageError: a URL of which nothing here knows how to read it.
    """
    if root is None:
        raise DataError(
            f"The data set {name!r} needs the folder it lies in: give it with --set data.root=DIR."
        )
    return local_copy(root, cache) if is_url(root) else existing_folder(root)


def existing_folder(root: str) -> Path:
    """Return a folder's absolute path; raises `DataError` where there is none."""
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"data.root is {root!r}, which is not a folder; --set data.root=DIR.")
    return folder


def read_csv(path: Path, columns: Sequence[str] = (), encoding: str = "") -> Csv:
    """Read a table; cells without blanks at their ends but for file names, missing ones empty.

    Cells beyond the last column are under the key `""`. Columns are known by the names `columns` in
    any case, and separated by commas, or else by semicolons, tabs or bars. Without an `encoding`
    the text is in UTF-8, or in UTF-16 that says so.

    Raises:
        DataError: the file cannot be read as CSV with a header.
    """
    try:
        content = path.read_bytes()
        text = content.decode(encoding) if encoding else _decoded(content)
        separator = _separator(text)
        text = text.partition("\n")[2] if text.startswith("sep=") else text
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        header = [_column(name, columns) for name in next(reader, [])]
        lines = {reader.line_num: cells for cells in reader if any(map(str.strip, cells))}  # noqa: B035
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(
            f"{path}: cannot be read as {encoding or 'UTF-8'} CSV ({error}). Save it as CSV in "
            "UTF-8, or name its encoding, such as --set data.encoding=cp1252 for Windows."
        ) from error
    has_index = bool(header) and header[0].lower() in _INDEX and header[0] not in columns
    names = header[has_index:]
    rows = {line: _row(names, cells[has_index:]) for line, cells in lines.items()}
    written = (pair for cells in lines.values() for pair in zip(header, cells, strict=False))
    odd = {ascii(text): None for column, text in written if _is_respelled(column, text)}
    return Csv(names, rows, tuple(_remarks(path, separator, has_index, odd)))


def read_jsonl(path: Path) -> Csv:
    """Read a table of one JSON object a line; lists are cells with semicolons between.

    Raises:
        DataError: the file cannot be read, or a line is no object.
    """
    rows: dict[int, dict[str, str]] = {}
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
            if line.strip():
                values = json.loads(line)
                texts = {key: text_of(value) for key, value in values.items()}
                rows[number] = {key: text for key, text in texts.items() if text is not None}
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path}: cannot be read as JSON Lines, an object a line in UTF-8 ({error})"
        ) from error
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    return Csv(names, {n: dict.fromkeys(names, "") | row for n, row in rows.items()})


def text_of(value: object) -> str | None:
    """Return a cell as text, several values separated by semicolons; none for what is no text.

    >>> text_of(3), text_of(["a", "b"]), text_of(None), text_of({"x": 1})
    ('3', 'a;b', '', None)
    """
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, Sequence) and all(isinstance(each, str | int) for each in value):
        return ";".join(map(str, value))
    return None


def _decoded(content: bytes) -> str:
    """Return text in UTF-8, or in the UTF-16 that Excel calls Unicode."""
    is_utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    return content.decode("utf-16" if is_utf16 else "utf-8-sig")


def _separator(text: str) -> str:
    """Return what separates the cells of a table, by its header."""
    header = text.partition("\n")[0].strip("\r")
    if header.startswith("sep=") and len(header) == 5:
        return header[4]
    return max(_SEPARATORS, key=header.count) if "," not in header and _has_other(header) else ","


def _has_other(header: str) -> bool:
    return any(separator in header for separator in _SEPARATORS)


def _remarks(path: Path, separator: str, has_index: bool, odd: Iterable[str]) -> Iterator[Remark]:
    """Yield what was read otherwise than it is written."""
    if separator != ",":
        named = _SEPARATORS.get(separator, repr(separator))
        yield Remark("separator", f"{path.name}: cells are separated by {named} and not by commas")
    if has_index:
        yield Remark("index column", f"{path.name}: its first column counts rows; not read")
    if names := tuple(odd):
        text = f"{path.name}: {len(names)} texts read in one Unicode form, with single blanks: "
        yield Remark("normalised", text + join_names(names), names)


def _is_respelled(column: str, cell: str) -> bool:
    return column.lower() not in _VERBATIM and normalised(cell) != cell.strip()


def _column(name: str, known: Sequence[str]) -> str:
    """Return the name of a column as it is known, whatever its case."""
    stripped = normalised(name)
    return stripped.lower() if stripped not in known and stripped.lower() in known else stripped


def _row(names: list[str], cells: list[str]) -> dict[str, str]:
    """Return the cells of a row by column; names of files verbatim, for blanks are part of them."""
    padded = [*cells, *[""] * (len(names) - len(cells))]
    row = dict(zip(names, padded, strict=False))
    beyond = cells[len(names) :]
    known = {
        key: text if key.lower() in _VERBATIM else normalised(text) for key, text in row.items()
    }
    return known | ({"": ",".join(beyond)} if any(map(str.strip, beyond)) else {})


def read_listing(
    path: Path, columns: Sequence[str], whole: Sequence[str], classes: tuple[str, str]
) -> Csv:
    """Read a CSV and check that `columns` are filled, those in `whole` with whole numbers.

    `classes` are the columns of class number and class name, which must correspond one to one.

    Raises:
        DataError: no such file, or errors in it, all of them with their lines.
    """
    listing = read_csv(path, columns)
    missing = [column for column in columns if column not in listing.columns]
    raise_problems(path, (f"there is no column {column!r}" for column in missing))
    filled = [column for column in columns if column not in whole]
    raise_problems(path, _listing_problems(listing.rows, filled, whole, classes))
    return listing


def class_names(rows: Iterable[dict[str, str]], classes: tuple[str, str]) -> dict[int, str]:
    """Return official class number → name, in the order of the numbers."""
    number, name = classes
    return dict(sorted({int(row[number]): row[name] for row in rows}.items()))


def _listing_problems(
    rows: dict[int, dict[str, str]],
    filled: Sequence[str],
    whole: Sequence[str],
    classes: tuple[str, str],
) -> Iterator[str]:
    number, name = classes
    named: dict[str, str] = {}
    for line, row in rows.items():
        for column in whole:
            if not row[column].isdecimal():
                yield f"line {line}, {column}: got {row[column]!r}, allowed is a whole number"
        for column in filled:
            if not row[column]:
                yield f"line {line}, {column}: is empty"
        other = named.setdefault(row[number], row[name])
        if other != row[name]:
            yield (
                f"line {line}, {name}: {number} {row[number]} is {row[name]!r} here "
                f"and {other!r} above"
            )


def raise_problems(path: Path, problems: Iterable[str], next_step: str = "") -> None:
    """Raise one error with the first twenty problems of a file and their number, if any.

    `next_step` is a sentence on what to do about them.

    Raises:
        DataError: there is at least one problem.
    """
    known = list(problems)
    if not known:
        return
    shown = [f"  - {problem}" for problem in known[:_PROBLEMS_SHOWN]]
    if len(known) > len(shown):
        shown.append(f"  … and {len(known) - len(shown)} more")
    count = "1 fault" if len(known) == 1 else f"{len(known)} faults"
    raise DataError("\n".join([f"{path}: {count}:", *shown, *filter(None, [next_step])]))
