"""Files that break off: what a header promises, held against what the file has.

Decoders are forgiving and pass over a lost end in silence, so the promise is read from the bytes.
An MP3 promises nothing that could be held against it.
"""

import struct
from pathlib import Path
from typing import BinaryIO

_LARGEST_PAGE = 65_307  # bytes, of Ogg (RFC 3533, section 6)
_PAGE_HEADER = struct.Struct("<4sBBq12xB")
_END_OF_STREAM = 4
_UNKNOWN_SIZE = (0, 0xFFFFFFFF)  # of a WAV written into a pipe, or an RF64


def truncation(path: Path, num_samples: int) -> str:
    """What the file lacks of what it promises, or an empty text.

    `num_samples` are those of one channel that could be decoded.
    """
    with path.open("rb") as file:
        magic = file.read(4)
        if magic == b"RIFF":
            return _of_wav(file)
        if magic == b"fLaC":
            return _of_flac(file, num_samples)
        if magic == b"OggS":
            return _of_ogg(file, num_samples)
    return ""


def _of_wav(file: BinaryIO) -> str:
    """Chunk by chunk to the samples: an id, a size, so many bytes, and a pad byte if odd."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            start = file.tell()
            there = file.seek(0, 2) - start
            is_short = size not in _UNKNOWN_SIZE and there < size
            return f"{there} of {size} bytes of samples" if is_short else ""
        file.seek(size + size % 2, 1)
    return "it has no samples"


def _of_flac(file: BinaryIO, num_samples: int) -> str:
    """STREAMINFO has the number of samples in the low 36 bits of bytes 18 to 26 (RFC 9639, 8.2)."""
    file.seek(18)
    promised = int.from_bytes(file.read(8), "big") & (1 << 36) - 1
    return f"{num_samples} of {promised} samples" if num_samples < promised else ""


def _of_ogg(file: BinaryIO, num_samples: int) -> str:
    """The last page is whole and says that it is the last; of Vorbis it counts all samples."""
    file.seek(0)
    is_vorbis = b"\x01vorbis" in file.read(64)
    file.seek(max(0, file.seek(0, 2) - _LARGEST_PAGE))
    tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _PAGE_HEADER.size:
        return "its last page is broken off"
    _, _, flags, position, num_parts = _PAGE_HEADER.unpack_from(page)
    parts = page[_PAGE_HEADER.size : _PAGE_HEADER.size + num_parts]
    if len(parts) < num_parts or len(page) < _PAGE_HEADER.size + num_parts + sum(parts):
        return "its last page is broken off"
    if not flags & _END_OF_STREAM:
        return "its last page is lost"
    return f"{num_samples} of {position} samples" if is_vorbis and num_samples < position else ""
