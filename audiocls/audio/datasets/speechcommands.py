"""Speech Commands v0.02: spoken words, speaker-disjoint lists for validation and test.

P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", 2018,
arXiv:1804.03209.
"""

import unicodedata
from pathlib import Path
from typing import Literal

from pydantic import Field

from audiocls.audio.clips import Clip, ClipTable, Validation
from audiocls.audio.datasets.layout import find_root
from audiocls.audio.listing import Listing, Remark, list_clips, normalised, spelling_key
from audiocls.errors import DataError, did_you_mean
from audiocls.formatting import join_names
from audiocls.options import Options, added

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
    """Classes; empty means all words."""
    validation: Validation = added("held_out")

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
        root = find_root(self.name, self.root, _LISTS["test"], cache, inside)
        listing = list_clips(root)
        files = _by_word(root, listing)
        words = _words(root, self.words, sorted(files))
        splits = _splits(root)
        clips = tuple(
            _clip(root, path, label, splits)
            for label, word in enumerate(words)
            for path in files[word]
        )
        absent = _absent(splits, {spelling_key(clip.id) for clip in clips})
        _check_listed(root, words, absent)
        elsewhere = (
            [] if self.words else [id_ for id_ in absent if id_.partition("/")[0] not in words]
        )
        return ClipTable(clips, words, (1,), remarks=(*listing.remarks(), *_unmatched(elsewhere)))


def _by_word(root: Path, listing: Listing) -> dict[str, list[Path]]:
    """Return the clips of each word's folder, by its name in one Unicode form."""
    files: dict[str, list[Path]] = {}
    for path in listing.files:
        word, *rest = path.relative_to(root).parts
        if len(rest) == 1 and not word.startswith("_"):
            files.setdefault(normalised(word), []).append(path)
    return files


def _clip(root: Path, path: Path, label: int, splits: dict[str, str]) -> Clip:
    id_ = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
    speaker = path.name.partition("_nohash_")[0]
    return Clip(id_, path, (label,), speaker, split=splits.get(spelling_key(id_), "train"))


def _words(root: Path, wanted: tuple[str, ...], there: list[str]) -> tuple[str, ...]:
    wanted = tuple(map(normalised, wanted))
    unknown = [word for word in wanted if word not in there]
    if unknown:
        raise DataError(
            f"data.words: {join_names(map(repr, unknown))} not in {root}, which has "
            f"{join_names(there, limit=40)}.{did_you_mean(unknown[0], there)}"
        )
    return tuple(sorted(set(wanted))) if wanted else tuple(there)


def _splits(root: Path) -> dict[str, str]:
    """Return the split of each listed clip, by what spellings of its path share."""
    splits: dict[str, str] = {}
    for split, file in _LISTS.items():
        try:
            text = (root / file).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{root / file}: cannot be read ({error}).") from error
        lines = [spelling_key(line.strip()) for line in text.splitlines() if line.strip()]
        both = [line for line in lines if splits.get(line, split) != split]
        if both:
            raise DataError(f"{root}: {len(both)} clips are in both lists: {join_names(both)}.")
        splits |= dict.fromkeys(lines, split)
    return splits


def _absent(splits: dict[str, str], ids: set[str]) -> list[str]:
    return [id_ for id_ in splits if id_ not in ids]


def _check_listed(root: Path, words: tuple[str, ...], absent: list[str]) -> None:
    missing = [id_ for id_ in absent if id_.partition("/")[0] in words]
    if missing:
        raise DataError(
            f"{root}: the lists name {len(missing)} clips that are not there: "
            f"{join_names(missing)}. Download the data set again."
        )


def _unmatched(lines: list[str]) -> tuple[Remark, ...]:
    """Return that lines of the lists name words that have no folder, if any do."""
    if not lines:
        return ()
    text = f"{len(lines)} lines of the lists name words that have no clips: {join_names(lines)}"
    return (Remark("unmatched", text, tuple(lines)),)
