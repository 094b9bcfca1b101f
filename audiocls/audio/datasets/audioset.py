"""AudioSet: ten-second segments of videos, each with one or more of 527 labels.

J. F. Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events", ICASSP
2017. Google publishes lists of segments, not their audio, and videos are taken down over time: two
copies of the data rarely hold the same clips.
"""

import csv
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from audiocls.audio.clips import Clip, ClipTable, Validation
from audiocls.audio.datasets.layout import find_root, raise_problems, read_listing
from audiocls.audio.listing import SUFFIXES, UNREADABLE, Listing, is_hidden
from audiocls.errors import DataError
from audiocls.formatting import join_names
from audiocls.options import Options, added

CLASSES = "class_labels_indices.csv"
BALANCED, UNBALANCED, EVALUATION = (
    f"{name}_segments.csv" for name in ("balanced_train", "unbalanced_train", "eval")
)
_TRAINING = {
    "balanced": (BALANCED,),
    "unbalanced": (UNBALANCED,),
    "all": (BALANCED, UNBALANCED),
}


class AudioSet(Options):
    """AudioSet: `root` holds `class_labels_indices.csv`, the lists of segments, and audio files.

    A segment's file is called `<YTID>`, `Y<YTID>` or `<YTID>_<start>` (in seconds: `30` or
    `30.000`) and ends in .wav, .flac, .ogg, .mp3 or the like. It is looked for in `audio/` and in
    folders called like the lists (`balanced_train_segments/`, `eval_segments/` …), and in folders
    inside these. Segments without a file are an error by default; `missing: leave_out` skips them,
    and `audiocls data check` counts them.

    The evaluation list is the test split. There is no official validation list: `val_percent` of
    the training *videos* validate, chosen by the hash of their id, so that with another percentage
    or training list the same videos stay in the validation split as far as possible.
    """

    name: Literal["audioset"] = "audioset"
    root: str | None = None
    sample_rate: int = Field(default=22050, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=10.0, gt=0, description="seconds of a clip trained on")
    train_list: Literal["balanced", "unbalanced", "all"] = "balanced"
    """Official list, or lists, of the training segments."""
    val_percent: float = Field(default=10.0, gt=0, lt=100)
    """Share of the training videos that validate, in percent."""
    missing: Literal["refuse", "leave_out"] = "refuse"
    """`leave_out`: train on the segments whose files are there."""
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return True

    @property
    def num_folds(self) -> int | None:
        return 1

    def table(self, cache: Path) -> ClipTable:
        """List the clips in one fold, the official lists, with all classes of the index.

        Raises:
            DataError: no root, another layout, errors in a list (all at once), or segments
                without a file unless these are to be skipped.
        """
        root = find_root(self.name, self.root, CLASSES, cache, ("AudioSet",))
        labels = _labels(root)
        numbers = {mid: number for number, mid in enumerate(labels)}
        segments = [
            segment
            for list_ in (*_TRAINING[self.train_list], EVALUATION)
            for segment in _segments(root / list_, numbers)
        ]
        files, passed_over = _files(root)
        clips = [_clip(segment, files, self.val_percent) for segment in segments]
        there = tuple(clip for clip in clips if clip is not None)
        absent = [s.id for s, clip in zip(segments, clips, strict=True) if clip is None]
        if absent and (self.missing == "refuse" or not there):
            raise _incomplete(root, absent, len(segments), passed_over)
        names, remarks = tuple(labels.values()), passed_over.remarks()
        return ClipTable(there, names, (1,), True, tuple(absent), remarks)


@dataclass(frozen=True)
class _Segment:
    """Ten seconds of one video, its labels, and whether it is on the evaluation list."""

    video: str
    start_s: float
    labels: tuple[int, ...]
    is_evaluation: bool

    @property
    def id(self) -> str:
        return f"{self.video}_{self.start_s:g}"


def _labels(root: Path) -> dict[str, str]:
    """Read label id (`/m/09x0r`) → display name, in the order of the index."""
    columns = ("index", "mid", "display_name")
    listing = read_listing(root / CLASSES, columns, whole=("index",), classes=("index", "mid"))
    rows = list(listing.rows.values())
    rows.sort(key=lambda row: int(row["index"]))
    if [int(row["index"]) for row in rows] != list(range(len(rows))):
        raise DataError(f"{root / CLASSES}: `index` should count from 0 without a gap.")
    return {row["mid"]: row["display_name"] for row in rows}


def _segments(path: Path, numbers: dict[str, int]) -> list[_Segment]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file, skipinitialspace=True))
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such list; audiocls data fetch audioset.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 CSV ({error}).") from error
    cells = {n: row for n, row in enumerate(lines, 1) if row and not row[0].startswith("#")}
    raise_problems(path, _segment_problems(cells, numbers))
    is_evaluation = path.name == EVALUATION
    return [
        _Segment(row[0], float(row[1]), _numbers(row[3], numbers), is_evaluation)
        for row in cells.values()
    ]


def _numbers(mids: str, numbers: dict[str, int]) -> tuple[int, ...]:
    return tuple(sorted({numbers[mid] for mid in mids.split(",")}))


def _segment_problems(cells: dict[int, list[str]], numbers: dict[str, int]) -> Iterator[str]:
    for line, row in cells.items():
        if len(row) != 4:
            wanted = 'YTID, start_seconds, end_seconds, "label,label"'
            yield f"line {line}: got {len(row)} cells, allowed are four: {wanted}"
            continue
        if not row[1].replace(".", "", 1).isdecimal():
            yield f"line {line}, start_seconds: got {row[1]!r}, allowed is a number of seconds"
        for mid in row[3].split(","):
            if mid not in numbers:
                yield f"line {line}, labels: {mid!r} is not in {CLASSES}"


def _files(root: Path) -> tuple[dict[str, Path], Listing]:
    """Find audio files by name without suffix, in `audio/` and the folders of the lists.

    The listing has those in formats that cannot be read.
    """
    files: dict[str, Path] = {}
    unreadable: list[str] = []
    problems: list[str] = []
    lists = (BALANCED, UNBALANCED, EVALUATION)
    for subfolder in ("audio", *(list_.removesuffix(".csv") for list_ in lists)):
        for folder, folders, names in os.walk(root / subfolder, followlinks=True):
            folders.sort()
            for name in sorted(names):
                stem, ending = os.path.splitext(name)  # noqa: PTH122  (two million of them)
                if ending.lower() in UNREADABLE:
                    unreadable.append(f"{name} (not readable; convert it to wav or flac)")
                if ending.lower() in SUFFIXES and not is_hidden(name):
                    path = Path(folder, name)
                    other = files.setdefault(stem, path)
                    if other != path:
                        problems.append(f"{path} and {other} are called the same; keep one of them")
    raise_problems(root, problems)
    return files, Listing((), tuple(unreadable))


def _clip(segment: _Segment, files: dict[str, Path], val_percent: float) -> Clip | None:
    video, start_s = segment.video, segment.start_s
    names = (video, f"Y{video}", f"{video}_{start_s:g}", f"{video}_{start_s:.3f}")
    path = next((files[name] for name in names if name in files), None)
    if path is None:
        return None
    split = "val" if _share(video) < val_percent / 100 else "train"
    side = "test" if segment.is_evaluation else split
    return Clip(segment.id, path, segment.labels, video, split=side)


def _share(video: str) -> float:
    """Hash a video id to [0, 1), the same on every machine and in every list."""
    return int.from_bytes(hashlib.sha256(video.encode()).digest()[:8], "big") / 2**64


def _incomplete(root: Path, absent: list[str], num_listed: int, passed_over: Listing) -> DataError:
    return DataError(
        f"{root}: {len(absent)} of {num_listed} listed segments have no audio file: "
        f"{join_names(absent)}. Looked for are <YTID>, Y<YTID> and <YTID>_<start>, ending in .wav, "
        ".flac, .ogg, .mp3 or the like, in audio/ and in folders called like the lists. Videos are "
        "taken down over time: to skip missing ones, --set data.missing=leave_out."
        + "".join(f" {remark.text}." for remark in passed_over.remarks())
    )
