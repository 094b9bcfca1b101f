"""Reading the small files of a study: whole and as they were written, or `Damaged` with the reason.

A power cut, a full disk or a hand leaves files cut off, empty, filled with zeros, or changed in one
byte. Every reader of the store goes through `read`, so that such a file costs its own trial and
nothing else.
"""

import errno
import functools
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from audiocls.errors import DataError

T = TypeVar("T")

DAMAGES = {errno.EIO, errno.EISDIR, errno.ENOTDIR, getattr(errno, "EUCLEAN", errno.EIO)}
"""Faults of the file itself; any other, such as a lack of permission, is the machine's."""
SEAL = "digest"
"""Key of the digest of all the rest."""
TRAILER = b"crc32:%08x"
LONGEST_WHY = 120
"""Characters of a parser's complaint."""


class Damaged(DataError):
    """A stored file whose content is not what was written."""

    def __init__(self, path: Path, why: str, advice: str = ""):
        self.path, self.why = path, why
        super().__init__(f"{path}: damaged ({why})" + (f"; {advice}" if advice else ""))


def read(path: Path, parse: Callable[[bytes], T], advice: str = "") -> T | None:
    """Return what `parse` makes of a file, or `None` where there is no file.

    Raises `Damaged`, with `advice`, if `parse` fails on the content in whatever way.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in DAMAGES:
            raise
        raise Damaged(path, str(error.strerror), advice) from error
    try:
        return parse(content)
    except Exception as error:  # damage makes parsers fail in every way that they have
        raise Damaged(path, _why(error, content), advice) from error


def _why(error: Exception, content: bytes) -> str:
    if not content:
        return "it is empty"
    if not content.strip(b"\0"):
        return "it holds zeros alone"
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST_WHY else f"{text[:LONGEST_WHY]}…"


def mapping_of(content: bytes) -> dict[str, Any]:
    """Return the mapping in a JSON file; raises `ValueError` for other content."""
    mapping = json.loads(content)
    if not isinstance(mapping, dict):
        raise ValueError(f"it holds {type(mapping).__name__}, not a mapping")
    return mapping


def require_fields(kind: Any, content: bytes | str) -> None:
    """Raise `ValueError` unless JSON text fits the fields of the dataclass `kind` by its types."""
    _adapter(kind).validate_json(content, strict=True)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def sealed(mapping: Mapping[str, Any], within: str = "") -> str:
    """Return JSON text with the digest of its content, so that the change of a byte is noticed.

    The digest is a key of the mapping, or of the one that it holds under `within`.
    """
    seal = {SEAL: _digest(mapping)}
    whole = {**mapping, within: {**mapping[within], **seal}} if within else {**mapping, **seal}
    return json.dumps(whole, indent=1)


def unsealed(content: bytes, within: str = "") -> dict[str, Any]:
    """Return the mapping that `sealed` wrote; a file of an early version has no digest.

    Raises `ValueError` for a content that was changed.
    """
    mapping = mapping_of(content)
    seal = (mapping[within] if within else mapping).pop(SEAL, None)
    if seal is not None and seal != _digest(mapping):
        raise ValueError("it was changed after it was written")
    return mapping


def _digest(mapping: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(mapping, sort_keys=True).encode()).hexdigest()[:16]


def with_checksum(content: bytes) -> bytes:
    """Return bytes that end in their checksum."""
    return content + TRAILER % zlib.crc32(content)


def without_checksum(content: bytes) -> bytes:
    """Return the bytes given to `with_checksum`; raises `ValueError` if a bit of them changed."""
    length = len(TRAILER % 0)
    body, trailer = content[:-length], content[-length:]
    if trailer != TRAILER % zlib.crc32(body):
        raise ValueError("its checksum does not fit")
    return body
