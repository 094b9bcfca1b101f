"""Taking a run's log out of a sweep that no server knows: `wandb sync` fails on such a run."""

import zlib
from collections.abc import Iterable
from pathlib import Path

from audiocls.atomic import write_bytes
from audiocls.tracking.sweep_server import OFFLINE_SWEEP
from audiocls.tracking.wandb.log import BLOCK, CHUNK, HEADER, Kind, Records


def leave_offline_sweep(file: Path) -> None:
    """Write the log anew without a sweep of `OFFLINE_SWEEP`, if it names one.

    The log must have ended: what its process writes later would be lost. A damaged log stays as it
    is.
    """
    records = Records()
    messages = list(records.feed(file.read_bytes()))
    written = [_without_sweep(message) for message in messages]
    if written != messages and not records.num_damaged:
        write_bytes(file, encoded(written))


def _without_sweep(message: bytes) -> bytes:
    if OFFLINE_SWEEP.encode() not in message:
        return message
    # Imported late: it takes a third of a second.
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

    record = Record()
    record.ParseFromString(message)
    if not record.run.sweep_id.startswith(OFFLINE_SWEEP):
        return message
    record.run.sweep_id = ""
    return bytes(record.SerializeToString())


def encoded(messages: Iterable[bytes]) -> bytes:
    """Return the log that holds these records, as `Records` reads it."""
    log = bytearray(HEADER)
    for message in messages:
        rest, is_begun, is_ended = message, False, False
        while not is_ended:
            left = BLOCK - len(log) % BLOCK
            if left < CHUNK.size:
                log += bytes(left)
                continue
            body, rest = rest[: left - CHUNK.size], rest[left - CHUNK.size :]
            is_ended = not rest
            kind = _kind(is_begun, is_ended)
            log += CHUNK.pack(zlib.crc32(bytes([kind]) + body), len(body), kind) + body
            is_begun = True
    return bytes(log)


def _kind(is_begun: bool, is_ended: bool) -> Kind:
    if is_ended:
        return Kind.LAST if is_begun else Kind.FULL
    return Kind.MIDDLE if is_begun else Kind.FIRST
