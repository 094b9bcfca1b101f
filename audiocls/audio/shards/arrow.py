"""Parquet and Arrow files as Hugging Face's `datasets` writes them: audio as bytes in a column."""

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from audiocls.audio.datasets.layout import text_of
from audiocls.audio.shards import ARROW, Entry
from audiocls.errors import DataError, did_you_mean
from audiocls.formatting import join_names

_ROWS = 16
"""Rows in memory at once: each holds a recording."""


def arrow_entries(path: Path, column: str | None, audio: Path) -> Iterator[Entry]:
    """Yield the clips of a file in its order, their audio written into the file `audio`.

    Raises:
        DataError: it is damaged, it embeds no audio, or pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise DataError(
            f"{path}: pyarrow is not installed, which reads Parquet and Arrow: run "
            "`pip install 'audiocls[parquet]'`"
        )
    import pyarrow

    try:
        with audio.open("wb") as out:
            yield from _entries(path, column, out)
    except (pyarrow.ArrowException, EOFError) as error:
        text = " ".join(str(error).split())
        raise DataError(
            f"{path}: damaged, or no {path.suffix[1:]} file ({text}); download it again"
        ) from error


def _entries(path: Path, column: str | None, out: BinaryIO) -> Iterator[Entry]:
    schema, batches = _opened(path)
    name = _audio_column(path, schema, column)
    classes = _class_names(schema)
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            content, inner = _recording(path, number, row.pop(name))
            # Names of files repeat: they were in folders of their classes.
            unique = f"{number:07}/{inner}" if inner else f"{number:07}"
            yield Entry(unique, out.tell(), len(content), dict(_cells(row, classes)))
            out.write(content)
            number += 1


def _opened(path: Path) -> tuple[Any, Iterator[Any]]:
    """Return the schema and the rows of a file, a few at once."""
    import pyarrow
    from pyarrow import parquet

    if path.suffix.lower() != ARROW:
        file = parquet.ParquetFile(path)
        return file.schema_arrow, file.iter_batches(batch_size=_ROWS)
    source = pyarrow.memory_map(str(path))
    try:  # `datasets` writes streams; other tools write files
        reader = pyarrow.ipc.open_stream(source)
        return reader.schema, _in_small(reader)
    except pyarrow.ArrowInvalid:
        whole = pyarrow.ipc.open_file(source)
        return whole.schema, _in_small(map(whole.get_batch, range(whole.num_record_batches)))


def _in_small(batches: Any) -> Iterator[Any]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            yield batch.slice(start, _ROWS)


def _audio_column(path: Path, schema: Any, given: str | None) -> str:
    """Return the column of audio: the one given, or the only one of bytes."""
    columns = [field.name for field in schema if _has_bytes(field.type)]
    if given is not None:
        if given not in columns:
            hint = did_you_mean(given, columns)
            raise DataError(
                f"{path}: data.columns.path: no column {given!r} holds audio; those with bytes: "
                f"{join_names(columns) or 'none'}.{hint}"
            )
        return given
    if len(columns) != 1:
        got = join_names(columns) or "none"
        raise DataError(
            f"{path}: one column should hold audio as bytes; got {got} of "
            f"{join_names(schema.names)}. Say which: --set data.columns.path=NAME"
        )
    return str(columns[0])


def _has_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        inner = {kind.field(i).name: kind.field(i).type for i in range(kind.num_fields)}
        return "bytes" in inner and _has_bytes(inner["bytes"])
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _recording(path: Path, number: int, cell: Any) -> tuple[bytes, str]:
    """Return the bytes of a recording and the name of its file, if that is known."""
    content, inner = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, "")
    if not content:
        raise DataError(
            f"{path}: row {number} holds no audio bytes, only a path to another file. Write the "
            "data set with its audio embedded (`datasets`: push_to_hub or to_parquet do)"
        )
    return content, PurePosixPath(str(inner or "").replace("\\", "/")).name


def _class_names(schema: Any) -> dict[str, Sequence[str]]:
    """Return the names of the classes of `ClassLabel` columns, which hold their numbers."""
    try:
        info = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        return {}
    names_of: dict[str, Sequence[str]] = {}
    for name, feature in info.items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else feature
        names = inner.get("names") if isinstance(inner, dict) else None
        if names:
            names_of[name] = names
    return names_of


def _cells(row: dict[str, Any], classes: dict[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        named = _named(value, classes[name]) if name in classes else value
        text = text_of(named)
        if text is not None:
            yield name, text


def _named(value: Any, names: Sequence[str]) -> Any:
    """Return class names instead of numbers; -1 is Hugging Face's for a hidden label."""
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else ""
