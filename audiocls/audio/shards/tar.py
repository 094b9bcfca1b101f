"""WebDataset: a tar whose members of one stem are one clip, `key.wav` beside `key.cls`."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from audiocls.audio.datasets.layout import text_of
from audiocls.audio.listing import SUFFIXES, is_hidden
from audiocls.audio.shards import Entry
from audiocls.errors import DataError

LABEL = "cls"
"""Ending of the member that is a clip's label."""
_LARGEST_TEXT = 1 << 20
"""Bytes of a member that may be a label or a description."""


def tar_entries(path: Path) -> Iterator[Entry]:
    """Yield the clips of a tar in its order.

    `key.json` has columns; `key.cls`, `key.txt` and other texts are columns called like their
    endings, the first of them `label`.

    Raises:
        DataError: it is damaged or cut off, or a clip has two audio files.
    """
    audio: dict[str, tarfile.TarInfo] = {}
    cells: dict[str, dict[str, str]] = {}
    try:
        with tarfile.open(path, "r:") as shard:
            for member in shard:
                key, ending = _parts(member)
                if not key:
                    continue
                if f".{ending}" in SUFFIXES:
                    if key in audio:
                        names = f"{audio[key].name} and {member.name}"
                        raise DataError(f"{path}: {names} are two recordings of one clip")
                    audio[key] = member
                elif member.size <= _LARGEST_TEXT:
                    content = shard.extractfile(member)
                    assert content is not None, "a regular file has content"
                    cells.setdefault(key, {}).update(_cells(ending, content.read()))
    except (tarfile.TarError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: damaged, or no tar ({error}); download it again") from error
    _check_whole(path, audio)
    for key, member in audio.items():
        yield Entry(member.name, member.offset_data, member.size, cells.get(key, {}))


def _parts(member: tarfile.TarInfo) -> tuple[str, str]:
    """Return key and ending of a member, as WebDataset splits them: at the name's first dot."""
    path = PurePosixPath(member.name)
    if not member.isreg() or is_hidden(path.name):
        return "", ""
    stem, _, ending = path.name.partition(".")
    return str(path.with_name(stem)) if stem else "", ending.lower()


def _cells(ending: str, content: bytes) -> dict[str, str]:
    if ending == "json":
        try:
            values: Any = json.loads(content)
        except ValueError:
            return {}
        texts = {k: text_of(v) for k, v in values.items()} if isinstance(values, dict) else {}
        return {key: text for key, text in texts.items() if text is not None}
    try:
        text = content.decode().strip()
    except UnicodeDecodeError:
        return {}  # a picture or an array beside the recording
    return {"label" if ending == LABEL else ending: text}


def _check_whole(path: Path, audio: dict[str, tarfile.TarInfo]) -> None:
    size = path.stat().st_size
    beyond = [m.name for m in audio.values() if m.offset_data + m.size > size]
    if beyond:
        raise DataError(f"{path}: cut off within {beyond[0]}; download it again")
    if not audio:
        raise DataError(f"{path}: no member is audio, such as key.wav, key.flac or key.mp3")
