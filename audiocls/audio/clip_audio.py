"""The audio of a clip: of a file, of a segment of a recording, of a member of a shard."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from audiocls.audio.clips import Clip
from audiocls.audio.decode import Waveform, decode
from audiocls.errors import DataError


def decode_clip(clip: Clip) -> Waveform:
    """Decode a clip at its own rate, mixed down to one channel.

    Raises:
        DataError: as `decode` does; it names the member of a shard.

    Shape: → samples (T,)
    """
    with file_of(clip) as path:
        return decode(path, clip.segment)


@contextmanager
def file_of(clip: Clip) -> Iterator[Path]:
    """Yield the file that holds a clip's recording; a member of a shard as a temporary file.

    A file because libsndfile tells several formats by a name's ending, and because what examines
    headers reads files.
    """
    if clip.member is None:
        yield clip.path
        return
    first, num_bytes = clip.member
    with tempfile.NamedTemporaryFile(suffix=PurePosixPath(clip.id).suffix) as file:
        try:
            with clip.path.open("rb") as shard:
                shard.seek(first)
                file.write(shard.read(num_bytes))
                file.flush()
        except FileNotFoundError as error:
            raise DataError(f"{clip.path}: no such file, of which {clip.id} is a part") from error
        try:
            yield Path(file.name)
        except DataError as error:
            raise DataError(str(error).replace(file.name, clip.id)) from error
