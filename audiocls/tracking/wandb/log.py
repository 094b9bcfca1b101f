"""Reader of a run's transaction log (`run-ID.wandb`), also while the run still writes it.

The file is in LevelDB's log format: seven bytes of header, then blocks of 32 KiB, each a row of
chunks of `crc32, length, kind` and a body. A record is one chunk or spans several. Records are
protobuf messages whose definitions W&B ships. As in W&B's own reader, the rest of a damaged block
is skipped, and an incomplete record at the end is kept until its other bytes arrive.
"""

import glob
import itertools
import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
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
    """What one run has logged so far."""

    id: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    name: str = ""
    notes: str = ""
    sweep_id: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    step_metrics: dict[str, str] = field(default_factory=dict)
    """Metric, or a pattern of them → the metric on its axis."""
    exit_code: int | None = None
    """None if the run has not logged its end."""
    started: float = 0.0
    """When it was opened, in seconds since 1970; 0 if that is not known yet."""


class Records:
    """Cuts the bytes of a log into whole records, in whatever pieces the bytes arrive."""

    def __init__(self) -> None:
        self._held = b""
        self._at = len(HEADER)
        """Where in `_held` the next chunk begins; beyond its end, what is to be skipped."""
        self._dropped = 0
        """Bytes of the log before `_held`."""
        self._parts: list[bytes] = []
        self.num_damaged = 0
        """Blocks of which a part was skipped."""

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Yield the records that `content`, the next bytes of the log, completes."""
        self._dropped += min(self._at, len(self._held))
        left = self._held[self._at :]
        self._at = max(0, self._at - len(self._held))
        self._held = left + content
        while (chunk := self._chunk()) is not None:
            kind, body = chunk
            if kind in (Kind.FULL, Kind.FIRST):
                self._parts = [body]
            elif self._parts:  # else its beginning was in a damaged block
                self._parts.append(body)
            if kind in (Kind.FULL, Kind.LAST) and self._parts:
                yield b"".join(self._parts)
                self._parts = []

    def _chunk(self) -> tuple[int, bytes] | None:
        """Return the next whole chunk as kind and body, or None until more bytes arrive."""
        while self._at + CHUNK.size <= len(self._held):
            left_in_block = BLOCK - (self._dropped + self._at) % BLOCK
            if left_in_block < CHUNK.size:
                self._at += left_in_block  # padding
                continue
            checksum, length, kind = CHUNK.unpack_from(self._held, self._at)
            begin, end = self._at + CHUNK.size, self._at + CHUNK.size + length
            fits = end <= self._at + left_in_block
            if fits and len(self._held) < end:
                return None
            body = self._held[begin:end]
            if fits and zlib.crc32(bytes([kind]) + body) == checksum:
                self._at = end
                return kind, body
            self._at, self._parts = self._at + left_in_block, []
            self.num_damaged += 1
        return None


class WandbLog:
    """One run's log, read from where the last reading ended."""

    def __init__(self, file: Path):
        self.file = file
        self.run = LoggedRun()
        self._records = Records()
        self._num_bytes = 0

    @property
    def num_damaged(self) -> int:
        """Return the number of blocks of which a part was skipped."""
        return self._records.num_damaged

    def read(self) -> list[dict[str, Any]]:
        """Bring `run` up to date and return the new rows of its history."""
        num_rows = len(self.run.history)
        with self.file.open("rb") as stream:
            stream.seek(self._num_bytes)
            content = stream.read()
        self._num_bytes += len(content)
        replay(self.run, self._records.feed(content))
        return self.run.history[num_rows:]


def replay(run: LoggedRun, messages: Iterable[bytes]) -> None:
    """Bring `run` up to date with further records."""
    # Imported late: it takes a third of a second.
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    for message in messages:
        record = Record()
        record.ParseFromString(message)
        _apply(run, record)


def _apply(run: LoggedRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        opened = record.run
        run.id, run.project, run.group = opened.run_id, opened.project, opened.run_group
        run.job_type, run.name, run.notes = opened.job_type, opened.display_name, opened.notes
        run.sweep_id, run.tags = opened.sweep_id, tuple(opened.tags)
        run.started = run.started or opened.start_time.ToMicroseconds() / 1e6
        run.config |= _values(opened.config.update)
        run.summary |= _values(opened.summary.update)
    elif kind == "config":
        run.config |= _values(record.config.update)
    elif kind == "summary":
        run.summary |= _values(record.summary.update)
        for item in record.summary.remove:
            run.summary.pop(_name(item), None)
    elif kind == "history":
        run.history.append(_values(record.history.item))
    elif kind == "metric":
        metric = record.metric
        run.step_metrics[metric.name or metric.glob_name] = metric.step_metric
    elif kind == "exit":
        run.exit_code = record.exit.exit_code


def _values(items: Iterable[Any]) -> dict[str, Any]:
    return {_name(item): json.loads(item.value_json) for item in items}


def _name(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


PROCESS = re.compile(r"-(?:rank(\d+)|process)-\d+(?:-\d+)?$")
"""What a launch adds to the folder of a run of a process that does not lead its program."""


@dataclass
class Opening:
    """One opening of a run: a `wandb.init`, and what was logged until its end."""

    log: WandbLog
    until: float = 0.0
    """When it logged last, in seconds since 1970."""
    last: dict[str, float] = field(default_factory=dict)
    """The metrics logged last; a program may log millions of rows, which are not kept."""

    def read(self) -> list[dict[str, Any]]:
        """Return the new rows of its history."""
        rows = self.log.read()
        self.log.run.history.clear()
        for row in rows:
            self.last |= numbers(row)
            self.until = max(self.until, row.get("_timestamp", 0.0))
        return rows

    @property
    def started(self) -> float:
        return self.log.run.started

    @property
    def order(self) -> int:
        """Of the processes that open one run, whose word counts: the lowest.

        0 rank 0, or the process that leads the program, 1 a child process of no rank, 2 another
        rank.
        """
        match = PROCESS.search(self.log.file.parent.name)
        rank = match and match[1]
        return 0 if match is None or rank == "0" else 1 if rank is None else 2

    def numbers(self) -> dict[str, float]:
        """Return the final metrics: those of the summary, or else the ones logged last."""
        return self.last | numbers(self.log.run.summary)


class RunLogs:
    """The logs that a program started now will write for one run id, one for each `wandb.init`."""

    def __init__(self, folder: Path, run_id: str):
        self.run_id = run_id
        self._folder = folder
        self._openings: dict[Path, Opening] = {}
        self._earlier = set(self._files())

    def _files(self) -> list[Path]:
        run_id = glob.escape(self.run_id)
        return sorted(self._folder.glob(f"wandb/*run-*-{run_id}*/run-{run_id}.wandb"))

    def read(self) -> list[dict[str, Any]]:
        """Return the new rows of history, of the process whose word counts."""
        self.add(set(self._files()) - self._earlier)
        rows = [(opening, row) for opening in self.openings for row in opening.read()]
        first = min((opening.order for opening in self.openings), default=0)
        return [row for opening, row in rows if opening.order == first]

    def add(self, files: Iterable[Path]) -> None:
        """Read these logs too from now on."""
        for file in sorted(set(files) - self._openings.keys()):
            self._openings[file] = Opening(WandbLog(file))

    @property
    def openings(self) -> list[Opening]:
        """The openings of the run: by process, the one whose word counts last, then by time."""
        return sorted(self._openings.values(), key=lambda each: (-each.order, each.started))

    @property
    def files(self) -> list[Path]:
        return sorted(self._openings)

    @property
    def num_damaged(self) -> int:
        """Return the number of blocks of which a part was skipped."""
        return sum(opening.log.num_damaged for opening in self.openings)

    def numbers(self) -> dict[str, float]:
        """Return the final metrics; of one that several openings logged, the last one's."""
        metrics: dict[str, float] = {}
        for opening in self.openings:
            metrics |= opening.numbers()
        return metrics

    def values_of(self, metric: str) -> list[float]:
        """Return the metric's final value in each opening that has it; the last one counts."""
        return [opening.numbers()[metric] for opening in self._having(metric)]

    def rivals(self, metric: str) -> list[float]:
        """Return the values of processes of equal standing that ran at the same time, if any."""
        having = self._having(metric)
        equal = [opening for opening in having if opening.order == having[-1].order]
        is_parallel = any(a.until > b.started for a, b in itertools.pairwise(equal))
        return [opening.numbers()[metric] for opening in equal] if is_parallel else []

    def has_lesser(self, metric: str) -> bool:
        """Whether processes logged the metric whose word does not count."""
        return len({opening.order for opening in self._having(metric)}) > 1

    def _having(self, metric: str) -> list[Opening]:
        return [opening for opening in self.openings if metric in opening.numbers()]


def numbers(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the metrics among logged values, nested ones by dotted name.

    W&B's own (`_step`, `_runtime`), text, and descriptions of images and tables are no metrics.
    """
    metrics: dict[str, float] = {}
    for name, value in values.items():
        if name.startswith("_") or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            metrics[prefix + name] = value
        elif isinstance(value, Mapping) and "_type" not in value:
            metrics |= numbers(value, f"{prefix}{name}.")
    return metrics
