"""Parquet, Arrow and WebDataset shards, their audio read by our own decoder."""

import re
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from audiocls.audio.clips import ClipTable, Validation
from audiocls.audio.datasets.cells import SPLIT_NAMES, Reading, Row, row_problems
from audiocls.audio.datasets.columns import UNREAD, Columns, recognise
from audiocls.audio.datasets.layout import raise_problems, root_folder
from audiocls.audio.datasets.options import Pattern
from audiocls.audio.datasets.rows import Listed, Place, Val, table_of
from audiocls.audio.listing import Remark
from audiocls.audio.shards import TAR, Shard, open_shard, shard_files
from audiocls.errors import DataError
from audiocls.formatting import join_names
from audiocls.options import Options, added

_WORD = re.compile(r"[A-Za-z]+")


class Shards(Options):
    """A folder of `*.parquet`, `*.arrow` or `*.tar` files that hold clips and their labels.

    Parquet and Arrow as Hugging Face's `datasets` writes them: a column of audio bytes, class
    names from its metadata (needs the extra `parquet`). Tars as WebDataset writes them: `key.wav`
    beside `key.cls` or `key.json`. The split is the first word of a file's name, or its folder's
    name: `train-00000-of-00002.parquet`, `test/0000.tar`. Without splits, `fold` or `split` are
    columns, or sources are assigned to five folds.
    """

    name: Literal["shards"] = "shards"
    root: str | None = None
    sample_rate: int = Field(default=16000, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=1.0, gt=0, description="seconds of a clip trained on")
    columns: Columns = Columns()
    """`path` names the column of audio."""
    labels: Literal["single", "multi"] = "single"
    """`multi`: clips have several labels."""
    source: Pattern = None
    """Regular expression that finds the source in a clip's name."""
    val: Val = Val()
    pack: bool = True
    """Whether decoded samples are kept on the disk; if not, clips are decoded in every epoch."""
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return self.labels == "multi"

    @property
    def num_folds(self) -> int | None:
        """Unknown until the shards are read: `len(table.folds)`."""
        return None

    def table(self, cache: Path) -> ClipTable:
        """List the clips in the order of files and rows, classes in alphabetical order.

        Raises:
            DataError: no root, no shards, a damaged shard, or rows without labels (all at once).
            MachineFault: the disk has no room for the audio of Parquet or Arrow files.
        """
        root = root_folder(self.name, self.root, cache)
        paths = shard_files(root)
        shards = {path: open_shard(path, self.columns.path, cache) for path in paths}
        listed, places = self._listed(root, shards)
        reading = Reading(self.is_multi_label, self.source, self.val.share)
        problems = row_problems(listed.roles, listed.rows, reading, lambda path: None)
        raise_problems(root, problems)
        return table_of(listed, reading, places.__getitem__)

    def _listed(self, root: Path, shards: dict[Path, Shard]) -> tuple[Listed, dict[str, Place]]:
        splits, remarks = _splits(root, list(shards))
        header = list(dict.fromkeys(c for s in shards.values() for e in s.entries for c in e.cells))
        given = self.columns.model_copy(update={"path": "path"})
        if splits:
            given = given.model_copy(update={"split": UNREAD, "fold": UNREAD})
        recognised = recognise(["path", *(c for c in header if c != "path")], given)
        raise_problems(root, recognised.problems)
        rows: dict[int, Row] = {}
        places: dict[str, Place] = {}
        for path, shard in shards.items():
            stem = path.relative_to(root).with_suffix("").as_posix()
            for entry in shard.entries:
                name = f"{stem}/{entry.name}"
                cells = {**dict.fromkeys(header, ""), **entry.cells, "path": name}
                split = {"split": splits[path]} if splits else {}
                rows[len(rows) + 1] = recognised.row(cells) | split
                places[name] = (shard.file, (entry.first, entry.num_bytes))
        roles = (*recognised.column_of, *(["split"] if splits else []))
        return Listed(root, roles, rows, (*remarks, *recognised.remarks)), places


def _splits(root: Path, paths: list[Path]) -> tuple[dict[Path, str], list[Remark]]:
    """Return the split of each shard, or none where all are of one; and what is told of it."""
    split_of = {path: _split(path.relative_to(root)) for path in paths}
    without = [path.name for path, split in split_of.items() if not split]
    if without and len(without) < len(paths):
        raise DataError(
            f"{root}: {join_names(without)} are of no split, and the others are. A split is the "
            "first word of a file's name, or its folder's: train, val (validation, valid), test."
        )
    kind = "tars" if paths[0].suffix.lower() == TAR else f"{paths[0].suffix[1:]} files"
    names = dict.fromkeys(split_of.values())
    if len(names) == 1:
        only = f", all of them {next(iter(names))!r}: not taken for a split" if not without else ""
        return {}, [Remark("shards", f"{len(paths)} {kind}{only}")]
    text = f"{len(paths)} {kind}, whose names say the split: {join_names(names)}"
    return split_of, [Remark("shards", text)]


def _split(relative: Path) -> str:
    word = _WORD.match(relative.name)
    words = [word[0] if word else "", *reversed(PurePosixPath(relative.parent.as_posix()).parts)]
    return next((w.lower() for w in words if w.lower() in SPLIT_NAMES), "")
