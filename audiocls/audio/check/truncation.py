"""Files whose header announces another length than they hold.

Decoders accept a missing end without an error, and pass over what lies beyond an announced one, so
the headers are read here.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from audiocls.audio.decode import Waveform
from audiocls.audio.mpeg import is_mpeg, mpeg_length

_LARGEST_PAGE = 65_307  # bytes of the largest Ogg page (RFC 3533, section 6)
_PAGE_HEADER = struct.Struct("<4sBBq12xB")
_END_OF_STREAM = 4
_UNKNOWN_SIZE = (0, 0xFFFFFFFF)  # in a WAV written into a pipe
_RIFF = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<", b"FORM": ">"}
"""First bytes of WAV, of RF64 (EBU Tech 3306) and of AIFF; order of the bytes in their sizes."""
_AU = {b".snd": ">", b"dns.": "<"}
"""First bytes of AU; order of the bytes in its sizes."""
_SAMPLES = (b"data", b"SSND")
_MOST_BEYOND = 1024
"""Bytes after the samples that need not be chunks, such as an ID3 tag or padding."""
_MOST_FRAMES_LOST = 4
"""Frames of MPEG audio that a decoder may pass over: delay, padding, a bit reservoir."""


def truncation(path: Path, waveform: Waveform) -> str:
    """Return in words what a file lacks of its announced length, or holds beyond it; or nothing.

    `waveform` is what was decoded of it.
    """
    num_samples = len(waveform.samples)
    with path.open("rb") as file:
        magic = file.read(4)
        if magic in _RIFF:
            odd = _of_riff(file, _RIFF[magic])
        elif magic in _AU:
            odd = _of_au(file, _AU[magic])
        elif magic == b"riff":
            odd = _of_wide_chunks(file, struct.Struct("<4s12xQ"), first=40)
        elif magic == b"caff":
            odd = _of_wide_chunks(file, struct.Struct(">4sq"), first=8)
        elif magic == b"fLaC":
            odd = _of_flac(file, num_samples)
        elif magic == b"OggS":
            odd = _of_ogg(file, num_samples)
        else:
            odd = _of_mpeg(path, num_samples) if is_mpeg(path) else ""
    stopped = f"decoding stopped after {num_samples} samples" if waveform.is_partial else ""
    return odd or stopped


def _of_riff(file: BinaryIO, order: str) -> str:
    """Compare the size of the chunk of samples with the rest of the file."""
    # Chunks after the 12 bytes of the file's header: an id, a size, the content, and a pad byte if
    # the size is odd. RF64 keeps sizes that need 64 bits in a chunk before.
    file.seek(12)
    long_size: int | None = None
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", head)
        if name == b"ds64":
            long_size = int(struct.unpack("<8xQ", file.read(16))[0])
            file.seek(-16, 1)
        if name in _SAMPLES:
            is_long = size == 0xFFFFFFFF and long_size is not None
            return _of_samples(file, long_size if is_long and long_size else size, order)
        file.seek(size + size % 2, 1)
    return "it has no samples"


def _of_samples(file: BinaryIO, size: int, order: str) -> str:
    """Compare the announced `size` in bytes with what follows the place where `file` is."""
    start = file.tell()
    num_bytes = file.seek(0, 2) - start
    if size in _UNKNOWN_SIZE:
        return ""
    if num_bytes < size:
        return _missing(num_bytes, size)
    beyond = _bytes_beyond(file, start + size, start + num_bytes, order)
    if beyond > _MOST_BEYOND:
        return f"{size + beyond} bytes of samples, where its header says {size}"
    return ""


def _missing(num_bytes: int, size: int) -> str:
    return f"{num_bytes} of {size} bytes of samples" if num_bytes < size else ""


def _of_au(file: BinaryIO, order: str) -> str:
    """Compare the size in the header with what lies behind the header."""
    start, size = struct.unpack(f"{order}II", file.read(8))
    file.seek(start)
    return _of_samples(file, size, order)


def _of_wide_chunks(file: BinaryIO, head: struct.Struct, first: int) -> str:
    """Compare the size of the chunk of samples of W64 or CAF, in 64 bits, with what is there.

    The chunks begin at byte `first`, each with a name and a size as in `head`.
    """
    at, is_w64 = first, head.size == 24  # whose sizes count the head, and are padded to 8 bytes
    while file.seek(at) == at and len(content := file.read(head.size)) == head.size:
        name, size = head.unpack(content)
        size -= head.size * is_w64
        if name == b"data":
            held = file.seek(0, 2) - at - head.size
            return _missing(held, size)  # a size below 0 is unknown: written into a pipe
        if size < 0:
            break
        at += head.size + (-(-size // 8) * 8 if is_w64 else size)
    return "it has no samples"


def _bytes_beyond(file: BinaryIO, start: int, end: int, order: str) -> int:
    """Return how many bytes from `start` to `end` are in no chunk, without zeros at the end."""
    starts = (start + start % 2, start)  # some writers leave the pad byte out
    rest = min((_after_chunks(file, each, end, order) for each in starts), key=lambda at: end - at)
    file.seek(rest)
    num_before, last = 0, 0
    while block := file.read(1 << 20):
        if content := block.rstrip(b"\0"):
            last = num_before + len(content)
        num_before += len(block)
    return last


def _after_chunks(file: BinaryIO, at: int, end: int, order: str) -> int:
    """Return where the last of the chunks from `at` on ends."""
    while at + 8 <= end:
        file.seek(at)
        name, size = struct.unpack(f"{order}4sI", file.read(8))
        after = at + 8 + size + size % 2
        if not (name.isascii() and name.decode("ascii").isprintable()) or after > end + 1:
            break
        at = after
    return min(at, end)


def _of_flac(file: BinaryIO, num_samples: int) -> str:
    """Compare the number of samples in STREAMINFO with those decoded."""
    # The low 36 bits of bytes 18 to 26 (RFC 9639, section 8.2).
    file.seek(18)
    announced = int.from_bytes(file.read(8), "big") & (1 << 36) - 1
    return f"{num_samples} of {announced} samples" if num_samples < announced else ""


def _of_mpeg(path: Path, num_samples: int) -> str:
    """Compare the frames that are announced, and those that are there, with what was decoded."""
    length = mpeg_length(path)
    if length is None:
        return ""
    slack = _MOST_FRAMES_LOST * length.frame_samples
    longest = max(length.announced, length.held)
    if num_samples + slack < longest:
        return f"{num_samples} of {longest} samples"
    if length.announced and length.announced + slack < length.held:
        return f"{length.held} samples, where its header says {length.announced}"
    return ""


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
