"""Sounds to listen to inside a page, from the data set's own files where they still are.

Legend: T samples.
"""

import base64
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from audiocls.audio.clip_audio import decode_clip
from audiocls.audio.clips import Clip
from audiocls.audio.datasets import DataSet
from audiocls.audio.decode import Waveform
from audiocls.audio.encode import encode
from audiocls.digests import Identity, identity_of
from audiocls.errors import AudioclsError
from audiocls.execution.devices import num_cores
from audiocls.formatting import plural
from audiocls.render.build.clips import AudioSnippets, Excerpt

LONGEST_S = 5.0
"""Taken from the start of the model's input."""
MOST_BYTES = 4_000_000
"""Of all sounds of a page together; those beyond are listed without audio."""
COLUMNS = 160


def audio_snippets(
    data: Mapping[str, Any], cache: Path, clips: Sequence[str], num_threads: int | None = None
) -> AudioSnippets:
    """Return the sounds of as many of `clips` as a page can hold, the first of them first.

    `data` is a trial's own part of the configuration. A clip that is named twice is twice in the
    page. Where the data set cannot be opened, the note says why. They are encoded on `num_threads`,
    by default as many as there are cores.
    """
    try:
        data_set: DataSet = TypeAdapter(DataSet).validate_python(data)
        table = {clip.id: clip for clip in data_set.table(cache).clips}
    except (AudioclsError, OSError, ValueError) as error:
        return AudioSnippets({}, f"No clip can be played here: {' '.join(str(error).split())}")
    excerpts: dict[str, Excerpt] = {}
    absent: dict[str, None] = {}
    num_bytes = 0
    excerpt_of = partial(_excerpt, table, data_set.duration_s)
    for name, excerpt in _each(excerpt_of, clips, num_threads or num_cores()):
        if num_bytes >= MOST_BYTES:
            break
        if excerpt is None:
            absent[name] = None
        else:
            excerpts[name] = excerpt
            num_bytes += len(excerpt.address)
    silent = set(clips) - excerpts.keys() - absent.keys()
    return AudioSnippets(excerpts, " ".join([*_gone(absent), *_beyond(len(silent))]))


def _each(
    excerpt_of: Callable[[str], Excerpt | None], clips: Sequence[str], num_threads: int
) -> Iterator[tuple[str, Excerpt | None]]:
    """Yield each clip with its excerpt, while the next ones are encoded."""
    with ThreadPoolExecutor(num_threads) as pool:
        excerpts = {name: pool.submit(excerpt_of, name) for name in dict.fromkeys(clips)}
        try:
            for name in clips:
                yield name, excerpts[name].result()
        finally:
            pool.shutdown(cancel_futures=True)


def _gone(absent: Collection[str]) -> Iterator[str]:
    if absent:
        yield f"Not in the data set any more, or not readable: {', '.join(absent)}."


def _beyond(num_silent: int) -> Iterator[str]:
    if num_silent:
        limit = f"{MOST_BYTES / 1e6:g} MB"
        yield f"{plural(num_silent, 'clip')} below cannot be played: a page holds {limit} of sound."


def _excerpt(table: Mapping[str, Clip], duration_s: float, name: str) -> Excerpt | None:
    if (clip := table.get(name)) is None:
        return None
    try:
        return _encoded(clip, duration_s, identity_of(clip.path))
    except (AudioclsError, OSError):
        return None


@lru_cache(maxsize=256)
def _encoded(clip: Clip, duration_s: float, identity: Identity) -> Excerpt:
    """Encode a clip once a process; a file that has changed since is read again."""
    wave = scored_window(decode_clip(clip), duration_s)
    file = encode(wave)
    text = base64.b64encode(file.content).decode()
    return Excerpt(f"data:{file.media_type};base64,{text}", outline(wave))


def scored_window(wave: Waveform, duration_s: float) -> Waveform:
    """Return the beginning of the middle `duration_s`, which is what trials are scored on."""
    window = round(duration_s * wave.sample_rate)
    start = max(0, (len(wave.samples) - window) // 2)
    length = min(window, round(LONGEST_S * wave.sample_rate))
    return Waveform(wave.samples[start : start + length], wave.sample_rate)


def outline(wave: Waveform) -> str:
    """Return the lowest and highest sample of each column as an SVG path, once around.

    Shape: samples (T,)
    """
    columns = np.array_split(wave.samples, min(COLUMNS, len(wave.samples)))
    peak = max(float(np.abs(wave.samples).max()), 1e-9)
    width = COLUMNS / len(columns)
    tops = [(width * i, -float(c.max()) / peak) for i, c in enumerate(columns)]
    bottoms = [(width * i, -float(c.min()) / peak) for i, c in enumerate(columns)]
    points = " ".join(f"{x:.4g} {y:.2f}" for x, y in [*tops, *reversed(bottoms)])
    return f"M{points}z"
