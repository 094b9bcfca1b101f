"""What the files of a study and its trials hold: from bytes to values, or an error of any kind.

`stored_file.read` turns that error into `Damaged`, with the file's path.
"""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from audiocls import yaml_file
from audiocls.digests import verified_weights
from audiocls.store.old_files import with_kind
from audiocls.store.record import Failure, Record, Study
from audiocls.store.stored_file import (
    Damaged,
    mapping_of,
    read,
    require_fields,
    unsealed,
    without_checksum,
)

HEADER_START = 10
"""Bytes before the header of an `.npy` file: its magic number, its version, the header's length."""
MEND = "`audiocls sweep retry` has that trial alone trained anew"


@dataclass(frozen=True)
class Attempt:
    """Which attempt at a trial this is, from 1."""

    number: int
    origin: int
    """The attempt that began from the first epoch, and that this one resumes or is."""
    losses: int = 0
    """Attempts in a row whose process died without a further epoch."""
    epochs: int = 0
    """Epochs that were trained when the last of them died."""
    is_open: bool = False
    """Whether it was begun and not stopped in order: if nobody holds the trial, it is a loss."""

    def to_text(self) -> str:
        """Return the content of its file: five numbers."""
        return " ".join(map(str, map(int, astuple(self))))


def record_in(content: bytes) -> Record:
    """Return a record, whose digest and types fit."""
    mapping = unsealed(content, within="provenance")
    require_fields(Record, content)
    return Record.from_mapping(mapping)


def failure_in(content: bytes) -> Failure:
    """Return a failure, whose types fit."""
    require_fields(Failure, content)
    return Failure(**mapping_of(content))


def attempt_in(content: bytes) -> Attempt:
    """Return the counter of attempts; early ones had a number and an origin at most."""
    number, *others = map(int, content.split())
    origin, losses, epochs, is_open = [*others, 0, 0, 0, 0][:4] if others else (number + 1, 0, 0, 0)
    attempt = Attempt(number, origin, losses, epochs, bool(is_open))
    if not 0 < attempt.origin <= attempt.number + 1:
        raise ValueError(f"no attempt {attempt.number} goes back to {attempt.origin}")
    return attempt


def collect_rows(content: bytes, rows: list[dict[str, Any]]) -> None:
    """Append the row of each whole line to `rows`; raises `ValueError` at a damaged one."""
    whole, _, _ = content.rpartition(b"\n")
    for number, line in enumerate(whole.split(b"\n") if whole else (), start=1):
        row = json.loads(line)
        if not row or not isinstance(row, dict) or not all(map(_is_number, row.values())):
            raise ValueError(f"line {number} is no row of numbers")
        rows.append(row)


def last_of_each_epoch(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with only the last one of each epoch; rows without epochs are all kept.

    >>> last_of_each_epoch([{"epoch": 1, "a": 1}, {"epoch": 2, "a": 2}, {"epoch": 2, "a": 3}])
    [{'epoch': 1, 'a': 1}, {'epoch': 2, 'a': 3}]
    """
    last = {row["epoch"]: number for number, row in enumerate(rows) if "epoch" in row}
    return [row for number, row in enumerate(rows) if last.get(row.get("epoch"), number) == number]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def labels_in(content: bytes) -> tuple[str, ...]:
    """Return the class names in the description of a checkpoint."""
    return tuple(description_in(content)["labels"])


def description_in(content: bytes) -> dict[str, Any]:
    """Return the description of a checkpoint."""
    description = mapping_of(content)
    labels = description["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels: no list of texts")
    return description


def _weights_in(content: bytes, folder: Path) -> bytes:
    """Return the weights of the trial in `folder`, whose digest fits; raises `ValueError`."""
    with suppress(Damaged):  # which is told of by itself
        return verified_weights(content, read(folder / "checkpoint.json", description_in) or {})
    return content


def arrays_in(content: bytes) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of an `.npz` file; raises `BadZipFile` for a wrong checksum.

    As `numpy.load` does it in twice the time: it parses the header of every array as Python, and
    the ten thousand files of one report have the same few headers.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        return {
            name.removesuffix(".npy"): _array_in(archive.read(name)) for name in archive.namelist()
        }


def _array_in(content: bytes) -> np.ndarray[Any, Any]:
    """Return the array of an `.npy` file of version 1.0, which numpy writes of plain dtypes."""
    end = HEADER_START + int.from_bytes(content[HEADER_START - 2 : HEADER_START], "little")
    shape, is_fortran, dtype = _parsed_header(content[:end])
    values = np.frombuffer(bytearray(content[end:]), dtype)  # a bytearray can be written to
    return values.reshape(shape, order="F" if is_fortran else "C")


@lru_cache(maxsize=256)
def _parsed_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    file = io.BytesIO(header)
    if (version := np.lib.format.read_magic(file)) != (1, 0):
        raise ValueError(f"its arrays are of version {version}, not 1.0")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return shape, is_fortran, dtype


def config_in(content: bytes) -> dict[str, Any]:
    """Return the mapping of a configuration as YAML."""
    return yaml_file.parse_mapping(content.decode(), "it")


def study_in(content: bytes) -> Study:
    """Return the study, whose parts fit each other and have their types."""
    mapping = yaml_file.parse_mapping(content.decode(), "it", yaml_file.MAX_STORED)
    study = Study.from_mapping(mapping if "kind" in mapping else with_kind(mapping))
    # Cells are many, and were read one by one.
    require_fields(Study, json.dumps(asdict(replace(study, cells=())), default=str))
    _require_parts(study)
    return study


def _require_parts(study: Study) -> None:
    if study.kind == "search":
        if study.search is None:
            raise ValueError("sweep: missing")
        return
    unknown: Any = {cell.arm for cell in study.cells} - study.arms.keys()
    if not study.cells or unknown or study.baseline not in study.arms:
        raise ValueError(f"arms and cells do not fit: {', '.join(sorted(unknown)) or 'no cell'}")


WRITTEN = (
    *(".lease", "attempt", "config.yaml", "history.jsonl", "log.txt", "predictions.npz"),
    *("resume.pt", "checkpoint.json", "checkpoint.safetensors", "parameters.json"),
    *("parameters.yaml", "stage.json"),
)
"""Files that a trial, or a stage before it, writes while it runs."""
SMALL_FILES: dict[str, Callable[[bytes], object]] = {
    "attempt": attempt_in,
    "checkpoint.json": labels_in,
    "resume.pt": without_checksum,
}
"""Files of a trial, beside its record and failure, that are quick to check."""
LARGE_FILES: dict[str, Callable[[bytes], object]] = {
    "predictions.npz": arrays_in,
    "config.yaml": config_in,
}


def damages_in(folder: Path, record: Record | None, is_thorough: bool) -> list[Damaged]:
    """Return what is damaged in a trial's folder, beside its record and its failure.

    A finished trial whose history has fewer rows than it was trained epochs is damaged, too.
    """
    damages, rows = [], list[dict[str, Any]]()
    files = SMALL_FILES | (LARGE_FILES if is_thorough else {})
    files["history.jsonl"] = partial(collect_rows, rows=rows)
    if is_thorough:
        files["checkpoint.safetensors"] = partial(_weights_in, folder=folder)
    for name, parse in files.items():
        try:
            read(folder / name, parse, MEND)
        except Damaged as damage:
            damages.append(damage)
    num_epochs = record.cost.epochs or 0 if record else 0
    if not damages and len(rows) < num_epochs:
        why = f"{len(rows)} of {num_epochs} epochs can be read"
        damages.append(Damaged(folder / "history.jsonl", why, MEND))
    return damages
