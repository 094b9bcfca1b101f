"""Reads a W&B transaction log (`run-ID.wandb`) without W&B's private modules.

The file is LevelDB's log format: after a header of seven bytes come blocks of 32 KiB, each a row
of chunks of `crc32, length, kind` and a body; a record is one chunk or spans several. Records are
protobuf messages whose definitions W&B ships.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

HEADER = b":W&B\xe1\xbe\x00"  # identity, magic number 0xBEE1, version 0
BLOCK = 32 * 1024
CHUNK = struct.Struct("<IHB")


class Kind(IntEnum):
    """Which part of a record a chunk is."""

    FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


@dataclass
class LoggedRun:
    """What one run told W&B."""

    id: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    name: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    step_metrics: dict[str, str] = field(default_factory=dict)
    """Metric, or a pattern of them → the metric on its axis."""
    exit_code: int | None = None
    """None if the run never said that it ended."""


def read_run(folder: Path) -> LoggedRun:
    """The one offline run somewhere below `folder`."""
    (file,) = folder.rglob("*.wandb")
    return replay(records(file.read_bytes()))


def records(content: bytes) -> Iterator[bytes]:
    """Every whole record; a torn end is left out, a damaged chunk raises `ValueError`."""
    if not content.startswith(HEADER):
        raise ValueError(f"not a W&B log: it begins with {content[:7]!r}")
    record, position = b"", len(HEADER)
    while position + CHUNK.size <= len(content):
        left_in_block = BLOCK - position % BLOCK
        if left_in_block < CHUNK.size:  # too little for a chunk: padding
            position += left_in_block
            continue
        checksum, length, kind = CHUNK.unpack_from(content, position)
        position += CHUNK.size
        body = content[position : position + length]
        position += length
        if len(body) < length:
            return
        if zlib.crc32(bytes([kind]) + body) != checksum:
            raise ValueError(f"damaged chunk before byte {position}")
        record = body if kind in (Kind.FULL, Kind.FIRST) else record + body
        if kind in (Kind.FULL, Kind.LAST):
            yield record


def replay(messages: Iterable[bytes]) -> LoggedRun:
    """The run after everything that was told of it."""
    from wandb.proto.wandb_internal_pb2 import Record  # noqa: TID251  (only the definitions)

    run = LoggedRun()
    for message in messages:
        record = Record()
        record.ParseFromString(message)
        _tell(run, record)
    return run


def _tell(run: LoggedRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        told = record.run
        run.id, run.project, run.group = told.run_id, told.project, told.run_group
        run.job_type, run.name, run.notes = told.job_type, told.display_name, told.notes
        run.tags = tuple(told.tags)
        run.config |= _values(told.config.update)
    elif kind == "config":
        run.config |= _values(record.config.update)
    elif kind == "summary":
        run.summary |= _values(record.summary.update)
    elif kind == "history":
        run.history.append(_values(record.history.item))
    elif kind == "metric":
        metric = record.metric
        run.step_metrics[metric.name or metric.glob_name] = metric.step_metric
    elif kind == "exit":
        run.exit_code = record.exit.exit_code


def _values(items: Iterable[Any]) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}
