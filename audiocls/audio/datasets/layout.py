"""Finding a data set's files on disk and reading its tables, with all errors reported at once."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from audiocls.errors import DataError

_PROBLEMS_SHOWN = 20


def find_root(name: str, root: str | None, marker: str, inside: Sequence[str] = ()) -> Path:
    """Return the absolute folder that holds `marker`: `root`, or one of the folders `inside` it.

    Raises:
        DataError: no root was given, it does not exist, or `marker` is in none of them.
    """
    if root is None:
        raise DataError(
            f"The data set {name!r} needs the folder it lies in: give it with --set data.root=DIR."
        )
    folder = Path(root).expanduser().absolute()
    if not folder.is_dir():
        raise DataError(f"data.root is {root!r}, which is not a folder; --set data.root=DIR.")
    for candidate in (folder, *(folder / part for part in inside)):
        if (candidate / marker).exists():
            return candidate
    looked = " or ".join([str(folder), *(f"its {part}" for part in inside)])
    raise DataError(
        f"The data set {name!r} should hold {marker!r}, which is not in {looked}; "
        "give the folder that holds it with --set data.root=DIR."
    )


def read_csv(path: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """Read column names, and rows by line number; stripped, a missing cell as empty text.

    Cells beyond the last column are under the key `""`.

    Raises:
        DataError: the file cannot be read as UTF-8 CSV with a header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            cells = ({key.strip(): _cell(row[key]) for key in row} for row in reader)
            rows = {reader.line_num: row for row in cells}  # noqa: B035  (it advances with cells)
            columns = [column.strip() for column in reader.fieldnames or ()]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 CSV ({error}).") from error
    return columns, rows


def read_listing(
    path: Path, columns: Sequence[str], whole: Sequence[str], classes: tuple[str, str]
) -> list[dict[str, str]]:
    """Read a CSV and check that `columns` are filled, those in `whole` with whole numbers.

    `classes` are the columns of class number and class name, which must correspond one to one.

    Raises:
        DataError: no such file, or errors in it, all of them with their lines.
    """
    there, rows = read_csv(path)
    missing = [column for column in columns if column not in there]
    raise_problems(path, (f"there is no column {column!r}" for column in missing))
    filled = [column for column in columns if column not in whole]
    raise_problems(path, _listing_problems(rows, filled, whole, classes))
    return list(rows.values())


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


def raise_problems(path: Path, problems: Iterable[str]) -> None:
    """Raise one error with the first twenty problems of a file and their number, if any.

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
    raise DataError("\n".join([f"{path}: {count}:", *shown]))


def _cell(value: str | list[str]) -> str:
    return value.strip() if isinstance(value, str) else ",".join(value)
