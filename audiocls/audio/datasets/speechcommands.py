"""Speech Commands v0.02: spoken words, speaker-disjoint lists for validation and test.

P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", 2018,
arXiv:1804.03209.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from audiocls.audio.clips import Clip, ClipTable
from audiocls.audio.datasets.layout import find_root
from audiocls.errors import DataError, did_you_mean
from audiocls.formatting import join_names
from audiocls.options import Options

_LISTS = {"val": "validation_list.txt", "test": "testing_list.txt"}
_FOLDER = "speech_commands_v0.02"


class SpeechCommands(Options):
    """Speech Commands in its layout, `root/SpeechCommands/speech_commands_v0.02/<word>/*.wav`.

    `root` may also be one of the two inner folders. Clips in neither list are for training;
    `_background_noise_` is ignored. `words` selects classes; empty means all words.
    """

    name: Literal["speechcommands"] = "speechcommands"
    root: str | None = None
    sample_rate: int = Field(default=16000, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=1.0, gt=0, description="seconds of a clip trained on")
    words: tuple[str, ...] = ()

    @property
    def is_multi_label(self) -> bool:
        return False

    @property
    def num_folds(self) -> int | None:
        return 1

    def table(self, cache: Path) -> ClipTable:
        """List the clips in one fold, the official lists; classes in alphabetical order.

        Raises:
            DataError: no root, another layout, an unknown word, or a list that names missing
                files.
        """
        inside = (f"SpeechCommands/{_FOLDER}", _FOLDER)
        root = find_root(self.name, self.root, _LISTS["test"], inside)
        words = _words(root, self.words)
        splits = _splits(root)
        clips = tuple(
            _clip(root, word, label, file, splits)
            for label, word in enumerate(words)
            for file in sorted(path.name for path in (root / word).glob("*.wav"))
        )
        _check_listed(root, words, splits, {clip.id for clip in clips})
        return ClipTable(clips, words, (1,))


def _clip(root: Path, word: str, label: int, file: str, splits: dict[str, str]) -> Clip:
    id_ = f"{word}/{file}"
    speaker = file.partition("_nohash_")[0]
    return Clip(id_, root / word / file, (label,), speaker, split=splits.get(id_, "train"))


def _words(root: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    folders = (path for path in root.iterdir() if path.is_dir() and path.name[0] not in "_.")
    there = sorted(path.name for path in folders if next(path.glob("*.wav"), None))
    unknown = [word for word in wanted if word not in there]
    if unknown:
        raise DataError(
            f"data.words: {join_names(map(repr, unknown))} not in {root}, which has "
            f"{join_names(there, limit=40)}.{did_you_mean(unknown[0], there)}"
        )
    return tuple(sorted(set(wanted))) if wanted else tuple(there)


def _splits(root: Path) -> dict[str, str]:
    splits: dict[str, str] = {}
    for split, file in _LISTS.items():
        try:
            lines = (root / file).read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{root / file}: cannot be read ({error}).") from error
        both = [line for line in lines if splits.get(line, split) != split]
        if both:
            raise DataError(f"{root}: {len(both)} clips are in both lists: {join_names(both)}.")
        splits |= dict.fromkeys(lines, split)
    return splits


def _check_listed(
    root: Path, words: tuple[str, ...], splits: dict[str, str], ids: set[str]
) -> None:
    absent = [id_ for id_ in splits if id_.partition("/")[0] in words and id_ not in ids]
    if absent:
        raise DataError(
            f"{root}: the lists name {len(absent)} clips that are not there: {join_names(absent)}. "
            "Download the data set again."
        )
