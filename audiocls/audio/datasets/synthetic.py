"""A data set that needs no download: ten synthetic classes, written once in ESC-50's layout."""

import csv
import hashlib
import json
import wave
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import Field

from audiocls.atomic import build_cache, build_once
from audiocls.audio.clips import Clip, ClipTable, Validation
from audiocls.audio.datasets.esc50 import META
from audiocls.audio.datasets.folder import write_manifest
from audiocls.errors import DataError
from audiocls.options import Options, added

_NUM_CLASSES = 10
"""Of `synthesis.CLASSES`, which takes a second to import and is not needed to read clips."""
_NUM_FOLDS = 5
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
_OTHERS = "others"
"""A column more where clips have several labels: the further ones, with spaces between."""
_WRITTEN_RATE = 16000  # Hz
_SHORTEST_S = 1.0
_GENERATOR_VERSION = 1  # raise it whenever the same seed gives other samples: caches depend on it


class Synthetic(Options):
    """Ten synthetic classes in five folds: `num_sources` recordings each, cut into clips.

    For demonstrations, tests and timing; a method that helps here need not help on recordings.
    Clips are written at 16 kHz and last `duration_s`, or one second if that is longer: another
    `sample_rate` or a shorter `duration_s` then reads the same recordings, as with real data.
    `difficulty` runs from 0 (30 dB signal-to-noise ratio) to 1 (-10 dB; interferers as loud as
    the event).
    """

    name: Literal["synthetic"] = "synthetic"
    root: None = Field(default=None, description="not an option: the data is generated")
    sample_rate: int = Field(default=16000, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=1.0, gt=0, description="seconds of a clip trained on")
    seed: int = Field(default=0, ge=0)
    """Of the recordings: another seed is another data set."""
    num_sources: int = Field(default=40, ge=_NUM_FOLDS, description="recordings a class")
    clips_per_source: int = Field(default=2, ge=1, le=26)
    """Clips cut from each recording."""
    difficulty: float = Field(default=0.5, ge=0, le=1)
    """From 0 (30 dB signal-to-noise ratio) to 1 (-10 dB, interferers as loud as the event)."""
    events: int = added(1, ge=1, le=4)
    """Most events in a clip, each of another class; with 2 or more a clip has several labels."""
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return self.events > 1

    @property
    def num_folds(self) -> int | None:
        return _NUM_FOLDS

    def table(self, cache: Path) -> ClipTable:
        """List the clips, written into `cache` by the first process that needs them."""
        folder = cache.absolute() / f"synthetic-{_key(self)}"
        build = partial(_write, self)
        return _read(build_cache(folder, build, _num_bytes(self)), self.is_multi_label)

    def make(self, folder: Path) -> ClipTable:
        """Write a new `folder`, with a manifest too: readable as `esc50` and as `folder`.

        Raises:
            DataError: the folder exists already, or clips have several labels.
        """
        if self.is_multi_label:
            raise DataError(
                "data.events: files have one label a clip in these layouts; leave it at 1"
            )
        if folder.exists():
            raise DataError(f"{folder} already exists; remove it, or name another folder.")
        build_once(folder.absolute(), partial(_write_both, self), _num_bytes(self))
        return _read(folder)


def _recorded_s(data: Synthetic) -> float:
    return max(_SHORTEST_S, data.duration_s)


def _num_bytes(data: Synthetic) -> int:
    """Return about how much the clips take on a disk."""
    num_clips = _NUM_CLASSES * data.num_sources * data.clips_per_source
    return num_clips * round(_recorded_s(data) * _WRITTEN_RATE) * 2


def _key(data: Synthetic) -> str:
    matters = data.model_dump(include={"seed", "num_sources", "clips_per_source", "difficulty"})
    matters |= {"events": data.events} if data.is_multi_label else {}
    facts = matters | {"seconds": _recorded_s(data), "version": _GENERATOR_VERSION}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _read(folder: Path, is_multi_label: bool = False) -> ClipTable:
    """List the clips that `_write` has written, with the classes in the order of their numbers."""
    with (folder / META).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    clips = tuple(
        Clip(
            id=row["filename"],
            path=folder / "audio" / row["filename"],
            labels=tuple(sorted(map(int, (row["target"], *row.get(_OTHERS, "").split())))),
            source=row["src_file"],
            fold=int(row["fold"]),
        )
        for row in rows
    )
    names = tuple(dict.fromkeys(row["category"] for row in rows))
    return ClipTable(clips, names, tuple(range(1, _NUM_FOLDS + 1)), is_multi_label)


def _write_both(data: Synthetic, folder: Path) -> None:
    _write(data, folder)
    write_manifest(_read(folder), folder)


def _write(data: Synthetic, folder: Path) -> None:
    from audiocls.audio.synthesis import CLASSES

    (folder / "audio").mkdir()
    (folder / "meta").mkdir()
    with (folder / META).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow((*_COLUMNS, _OTHERS) if data.is_multi_label else _COLUMNS)
        for label, category in enumerate(CLASSES):
            for source in range(data.num_sources):
                for take in range(data.clips_per_source):
                    rows.writerow(_write_clip(data, folder, label, category, source, take))


def _write_clip(
    data: Synthetic, folder: Path, label: int, category: str, source: int, take: int
) -> tuple[str | int | bool, ...]:
    """Write one WAV, named as in ESC-50 (fold-source-take-target); return its row of the CSV."""
    from audiocls.audio.synthesis import other_labels, synthesise

    num_samples = round(_recorded_s(data) * _WRITTEN_RATE)
    others = other_labels(data.seed, label, source, take, data.events - 1)
    samples = synthesise(
        data.seed, label, source, take, num_samples, _WRITTEN_RATE, data.difficulty, others
    )
    fold, letter = source % _NUM_FOLDS + 1, chr(ord("A") + take)
    recording = f"{label}{source:05d}"
    filename = f"{fold}-{recording}-{letter}-{label}.wav"
    with wave.open(str(folder / "audio" / filename), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_WRITTEN_RATE)
        file.writeframes((samples * 32767).round().astype("<i2").tobytes())
    row = (filename, fold, label, category, False, recording, letter)
    return (*row, " ".join(map(str, others))) if data.is_multi_label else row
