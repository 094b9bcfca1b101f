"""Truncated files: the length that a header announces, compared with what the file holds.

Decoders accept a missing end without an error, so the headers are read here. An MP3 announces no
length that could be compared.
"""

import struct
from pathlib import Path
from typing import BinaryIO

_LARGEST_PAGE = 65_307  # bytes of the largest Ogg page (RFC 3533, section 6)
_PAGE_HEADER = struct.Struct("<4sBBq12xB")
_END_OF_STREAM = 4
_UNKNOWN_SIZE = (0, 0xFFFFFFFF)  # in a WAV written into a pipe, or in an RF64


def truncation(path: Path, num_samples: int) -> str:
    """Return the missing part of a file in words, or an empty text.

    `num_samples` is the number of samples per channel that could be decoded.
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
    """Compare the size of the data chunk with the rest of the file."""
    # Chunks after the 12 bytes of the RIFF header: an id, a size, the content, and a pad byte if
    # the size is odd.
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        if name == b"data":
            start = file.tell()
            num_bytes = file.seek(0, 2) - start
            is_short = size not in _UNKNOWN_SIZE and num_bytes < size
            return f"{num_bytes} of {size} bytes of samples" if is_short else ""
        file.seek(size + size % 2, 1)
    return "it has no samples"


def _of_flac(file: BinaryIO, num_samples: int) -> str:
    """Compare the number of samples in STREAMINFO with those decoded."""
    # The low 36 bits of bytes 18 to 26 (RFC 9639, section 8.2).
    file.seek(18)
    announced = int.from_bytes(file.read(8), "big") & (1 << 36) - 1
    return f"{num_samples} of {announced} samples" if num_samples < announced else ""


def _of_ogg(file: BinaryIO, num_samples: int) -> str:
    """Check that the last page is whole and marked as the last, and its position in Vorbis."""
    # The position of the last page is the number of samples in Vorbis; Opus adds a delay to it.
    file.seek(0)
    is_vorbis = b"\x01vorbis" in file.read(64)
    file.seek(max(0, file.seek(0, 2) - _LARGEST_PAGE))
    tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < _PAGE_HEADER.size:
        return "its last page is incomplete"
    _, _, flags, position, num_segments = _PAGE_HEADER.unpack_from(page)
    segments = page[_PAGE_HEADER.size : _PAGE_HEADER.size + num_segments]
    if len(segments) < num_segments or len(page) < _PAGE_HEADER.size + num_segments + sum(segments):
        return "its last page is incomplete"
    if not flags & _END_OF_STREAM:
        return "its last page is missing"
    return f"{num_samples} of {position} samples" if is_vorbis and num_samples < position else ""
