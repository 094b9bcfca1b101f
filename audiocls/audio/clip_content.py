"""The bytes of clips: one digest of a whole data set, computed again only where files changed."""

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from audiocls.atomic import write_text
from audiocls.audio.listing import shown
from audiocls.errors import DataError
from audiocls.formatting import join_names

if TYPE_CHECKING:
    from audiocls.audio.clips import Clip

Rows = Sequence[Sequence[Any]]
"""What is known of each clip before its bytes are read, as JSON values."""
_BLOCK_BYTES = 1 << 20


def memoised_digest(labels: Sequence[str], clips: "Sequence[Clip]", rows: Rows, cache: Path) -> str:
    """Return 16 hex digits over labels, rows and bytes of clips, kept in `cache/fingerprints/`.

    Raises:
        DataError: files are missing or unreadable.
    """
    memo = cache / "fingerprints" / f"{_signature(labels, clips, rows)}.json"
    known = _read_memo(memo)
    if known is None:
        known = _digest(labels, clips, rows)
        write_text(memo, json.dumps(_memo_of(known)) + "\n", is_synced=True)
    return known


def _signature(labels: Sequence[str], clips: "Sequence[Clip]", rows: Rows) -> str:
    total = hashlib.sha256(json.dumps(labels).encode())
    missing: list[str] = []
    for clip, row in zip(clips, rows, strict=True):
        try:
            status = os.stat(clip.path)  # noqa: PTH116  (three times Path.stat's speed)
        except (OSError, ValueError):
            missing.append(shown(clip.path))
            continue
        if not stat.S_ISREG(status.st_mode):  # a pipe would never end
            missing.append(f"{clip.path} (no regular file)")
            continue
        place = [str(clip.path), status.st_size, status.st_mtime_ns, *(clip.member or ())]
        total.update(json.dumps([*row, *place]).encode())
    if missing:
        raise DataError(
            f"{len(missing)} of {len(clips)} audio files are missing: {join_names(missing)}. "
            "Check `data.root`, or fetch the data set again."
        )
    return total.hexdigest()[:32]


def _digest(labels: Sequence[str], clips: "Sequence[Clip]", rows: Rows) -> str:
    total = hashlib.sha256(json.dumps(labels).encode())
    last: tuple[object, str] = (None, "")
    for clip, row in zip(clips, rows, strict=True):
        place = (clip.path, clip.member)
        # Segments of one recording mostly follow each other: it is read once for all of them.
        content = last[1] if last[0] == place else _content(clip)
        last = (place, content)
        total.update(json.dumps([*row, content]).encode())
    return total.hexdigest()[:16]


def _content(clip: "Clip") -> str:
    try:
        with clip.path.open("rb") as file:
            if clip.member is None:
                return hashlib.file_digest(file, "sha256").hexdigest()
            return _of_part(file, *clip.member)
    except OSError as error:
        raise DataError(f"{clip.path}: cannot be read ({error.strerror}).") from error


def _of_part(file: BinaryIO, first: int, num_bytes: int) -> str:
    part = hashlib.sha256()
    file.seek(first)
    while num_bytes > 0 and (block := file.read(min(num_bytes, _BLOCK_BYTES))):
        part.update(block)
        num_bytes -= len(block)
    return part.hexdigest()


def _read_memo(memo: Path) -> str | None:
    try:
        content = json.loads(memo.read_text())
        known = str(content["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, or damaged: computed again
    return known if content == _memo_of(known) else None


def _memo_of(known: str) -> dict[str, str]:
    """Return a memo's content, with a digest by which damage is found."""
    return {"fingerprint": known, "digest": hashlib.sha256(known.encode()).hexdigest()[:8]}
