"""Lists of clips beside their audio files, in CSV or JSON Lines: read, missed, and written."""

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets.cells import Reading, Row, row_problems
from audiocls.audio.datasets.class_folders import class_folders
from audiocls.audio.datasets.columns import ROLES, UNREAD, Columns, recognise
from audiocls.audio.datasets.layout import raise_problems, read_csv, read_jsonl
from audiocls.audio.datasets.rows import Listed
from audiocls.audio.listing import FileFinder
from audiocls.errors import DataError, UsageError
from audiocls.formatting import join_names

JSON_LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv", ".txt", *JSON_LINES)
"""Endings of files that may be a manifest of another name."""
EXAMPLE = "path,label,source\n  audio/1.wav,dog,rover\n  audio/2.wav,cat,tom"


def read_manifest(path: Path, given: Columns, reading: Reading, encoding: str = "") -> Listed:
    """Return the rows of a manifest, by role.

    Raises:
        DataError: the file is no such table; its columns are not recognised.
    """
    is_json = path.suffix.lower() in JSON_LINES
    listing = read_jsonl(path) if is_json else read_csv(path, ROLES, encoding)
    if not reading.is_multi_label and given.also is None:
        given = given.model_copy(update={"also": UNREAD})  # further labels of clips that have one
    recognised = recognise(listing.columns, given)
    raise_problems(path, recognised.problems)
    rows = {line: recognised.row(cells) for line, cells in listing.rows.items()}
    remarks = (*listing.remarks, *recognised.remarks)
    return Listed(path, tuple(recognised.column_of), rows, remarks)


def check_rows(listed: Listed, reading: Reading, files: FileFinder, has_audio: bool) -> None:
    """Raise `DataError` with what is wrong with the rows of a list, all at once.

    `has_audio` is whether the option `data.audio` says where the clips lie.
    """
    audio = " If the clips lie elsewhere below the manifest's folder: --set data.audio=FOLDER."
    root = (
        f" If {'manifest and clips' if has_audio else 'they'} lie elsewhere: --set data.root=DIR."
    )
    problems = list(row_problems(listed.roles, listed.rows, reading, path_problem(files)))
    missing = missing_files(listed, files) if problems else ""
    raise_problems(listed.where, problems, missing and f"{missing}{audio * has_audio}{root}")


def missing_files(listed: Listed, files: FileFinder) -> str:
    """Return where the files of a list were looked for, if some of them are not there."""
    num_missing = sum(files.find(row["path"]) is None for row in listed.rows.values())
    where = (
        f"Paths are relative to {files.root}: {num_missing} of {len(listed.rows)} are not there."
    )
    return where if num_missing else ""


def path_problem(files: FileFinder, has_absolute: bool = False) -> Callable[[str], str | None]:
    """Return what says why a path cannot be that of a clip; `has_absolute` ones may be."""

    def problem(path: str) -> str | None:
        if not path.strip() or (Path(path).is_absolute() and not has_absolute):
            return f"got {path!r}, allowed is a path relative to the manifest"
        if files.find(path) is not None:
            return None
        return f"there is no file {path!r} in {files.root}{_elsewhere(files.root, path)}"

    return problem


def _elsewhere(root: Path, path: str) -> str:
    """Return where a path is found that is none below `root`, if anywhere."""
    if path.startswith(f"{root.name}/") and (root.parent / path).is_file():
        return f"; leave out '{root.name}/', for paths begin there"
    folders = sorted(each.name for each in root.iterdir() if each.is_dir()) if root.is_dir() else []
    folder = next((name for name in folders if (root / name / path).is_file()), "")
    return f"; it is in {folder!r}: --set data.audio={folder}" if folder else ""


def missing_manifest(folder: Path, manifest: str) -> DataError:
    """Return the refusal of a folder without a manifest and without classes: what to do."""
    tables = sorted(f.name for f in folder.iterdir() if f.suffix.lower() in TABLES)
    inside = sorted(f.name for f in folder.iterdir() if f.is_dir() and not f.name.startswith("."))
    within = next((name for name in inside if _is_data(folder / name, manifest)), "")
    hints = []
    if tables:
        hints.append(f"If {join_names(tables)} is the list: --set data.manifest={tables[0]}.")
    if within:
        hints.append(f"{within!r} holds one or the other: --set data.root={folder / within}.")
    hint = "".join(f"{each}\n" for each in hints)
    return DataError(
        f"The data set 'folder' should hold {manifest!r} or a folder for each of two classes or "
        f"more, which are not in {folder}; for another folder --set data.root=DIR.\n"
        f"{hint}"
        f"Either put the clips of each class into a folder called like it, such as "
        f"{folder.name}/dog/1.wav, or write {manifest} with a line for each clip:\n  {EXAMPLE}\n"
        "Columns: path and label; further ones, if you have them: split (train, val, test) or fold "
        "(from 1), source (speaker or recording), start and end (seconds)."
    )


def _is_data(folder: Path, manifest: str) -> bool:
    """Whether a folder holds a manifest or folders of classes."""
    try:
        return (folder / manifest).is_file() or class_folders(folder, manifest) is not None
    except DataError:  # folders of splits beside others
        return True


def write_rows(listed: Listed, table: ClipTable, out: Path) -> None:
    """Write a list with our column names, and the source of each clip where it is not the path.

    Raises:
        UsageError: the file exists already.
    """
    has_sources = any(clip.source != clip.id.partition("#")[0] for clip in table.clips)
    roles = [r for r in ROLES if r in listed.roles and r != "source"]
    header = [*roles, *(["source"] if has_sources else [])]
    try:
        with out.open("x", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, header)
            writer.writeheader()
            writer.writerows(_written(listed, table, header, out.absolute().parent))
    except FileExistsError as error:
        raise UsageError(f"{out} exists already; name another file: --out FILE") from error


def _written(listed: Listed, table: ClipTable, header: list[str], folder: Path) -> Iterator[Row]:
    """Yield rows whose paths are relative to `folder`."""
    for row, clip in zip(listed.rows.values(), table.clips, strict=True):
        path = Path(os.path.relpath(clip.path, folder)).as_posix()
        full = {**row, "path": path, "source": clip.source}
        yield {role: full.get(role, "") for role in header}


def below(listed: Listed, folder: str) -> Listed:
    """Return a list whose paths begin with `folder`."""
    rows = {line: {**row, "path": f"{folder}/{row['path']}"} for line, row in listed.rows.items()}
    return replace(listed, rows=rows)
