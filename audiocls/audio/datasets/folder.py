"""Your own recordings: a list of paths and labels, or a folder for each class."""

import codecs
import csv
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from audiocls.audio.clips import ClipTable, Validation
from audiocls.audio.datasets.cells import Reading
from audiocls.audio.datasets.class_folders import class_folders
from audiocls.audio.datasets.columns import Columns
from audiocls.audio.datasets.layout import root_folder
from audiocls.audio.datasets.manifests import check_rows, missing_manifest, read_manifest
from audiocls.audio.datasets.options import Pattern
from audiocls.audio.datasets.presets import PresetName, detected, read_preset
from audiocls.audio.datasets.rows import Listed, Val, table_of
from audiocls.audio.listing import FileFinder
from audiocls.errors import DataError, UsageError
from audiocls.options import Options, added


class Folder(Options):
    """Your recordings: `root/manifest.csv`, another tool's list, or a folder for each class.

    The manifest has the columns `path,label[,split|fold][,source][,start,end]`, or others that are
    recognised by their names or named by `columns`. Paths are relative to it. Clips cut from one
    recording share a `source`, which by default is the path. `split` is train, val (validation,
    valid), test, or test:NAME for further test clips; `fold` counts from 1. With neither, sources
    are assigned to five folds, always the same way (`grouped_folds`).

    Without a manifest, presets are recognised, and then the folder of each class is its label:
    `root/dog/*.wav`, or below folders called as splits, `root/train/dog/*.wav`.
    """

    name: Literal["folder"] = "folder"
    root: str | None = None
    sample_rate: int = Field(default=16000, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=1.0, gt=0, description="seconds of a clip trained on")
    manifest: str = "manifest.csv"
    """File of the list, relative to the root."""
    preset: PresetName = added("auto")
    """The layout of a public data set, where it is not to be recognised."""
    columns: Columns = added(Columns())
    encoding: str = added("")
    """Of the manifest, where it is not UTF-8."""
    audio: str = added("")
    """Folder inside of the manifest's from which its paths start."""
    labels: Literal["single", "multi"] = added("single")
    """`multi`: cells have several labels, separated by `;` or else by `,`."""
    source: Pattern = added(None)
    """Regular expression of which a group, or all, is the source: searched in a file's name, then
    in its path."""
    val: Val = added(Val())
    pack: bool = added(True)
    """Whether decoded samples are kept on the disk; if not, clips are decoded in every epoch."""
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return self.labels == "multi"

    @property
    def num_folds(self) -> int | None:
        """Unknown until the manifest is read: `len(table.folds)`."""
        return None

    @property
    def reading(self) -> Reading:
        """How the cells of the manifest are meant."""
        return Reading(self.is_multi_label, self.source, self.val.share)

    def table(self, cache: Path) -> ClipTable:
        """List the clips in the manifest's order, classes in alphabetical order.

        Raises:
            DataError: no root, nothing to read in it, or errors in it (all at once, twenty shown).
        """
        return self.table_of(*self.listed(root_folder(self.name, self.root, cache)))

    def table_of(self, listed: Listed, files: FileFinder) -> ClipTable:
        """Return the clips of rows that were read."""
        table = table_of(listed, self.reading, lambda path: (files.path(path), None))
        # What was respelled is known once every path has been looked for.
        return replace(table, remarks=(*table.remarks, *files.remarks()))

    def listed(self, folder: Path) -> tuple[Listed, FileFinder]:
        """Return the rows of a folder's manifest, preset or class folders, and their files.

        Raises:
            DataError: as `table` does.
        """
        listed = self._rows(folder)
        is_manifest = listed.where == folder / self.manifest
        files = FileFinder((listed.where.parent if is_manifest else folder) / self.audio)
        check_rows(listed, self.reading, files, has_audio=is_manifest)
        return listed, files

    def _rows(self, folder: Path) -> Listed:
        path = folder / self.manifest
        if self.preset == "auto" and path.is_file():
            return read_manifest(path, self.columns, self.reading, self.encoding)
        presets = detected(folder) if self.preset == "auto" else [self.preset]
        if len(presets) > 1:
            raise DataError(
                f"{folder} may be {' or '.join(presets)}; say which: --set data.preset={presets[0]}"
            )
        if presets:
            self._refuse({"audio", "encoding"}, f"{folder} is read as {presets[0]}")
            return read_preset(presets[0], folder, self.columns, self.reading)
        classes = class_folders(folder, self.manifest)
        if classes is None:
            raise missing_manifest(folder, self.manifest)
        self._refuse({"audio", "encoding", "columns"}, f"{folder} has no {self.manifest}")
        return classes

    def _refuse(self, without_effect: set[str], why: str) -> None:
        """Raise `UsageError` for options that have no effect on what is read."""
        if given := sorted(without_effect & self.changed()):
            named = ", ".join(f"data.{name}" for name in given)
            raise UsageError(f"{named}: no effect here, for {why}; leave it out")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, encoding: str) -> str:
        try:
            codecs.lookup(encoding or "utf-8")
        except LookupError as error:
            allowed = "utf-8, utf-16, cp1252, latin-1, shift_jis …"
            raise ValueError(f"got {encoding!r}, allowed: {allowed}") from error
        return encoding

    @model_validator(mode="after")
    def _has_effects(self) -> "Folder":
        if self.columns.also and not self.is_multi_label:
            raise ValueError("columns.also names further labels of a clip: set labels: multi")
        return self


def write_manifest(table: ClipTable, root: Path) -> None:
    """Write `root/manifest.csv` for clips below `root`, so that `folder` reads the same data."""
    side = "fold" if table.clips[0].split is None else "split"
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("path", "label", side, "source"))
        for clip in table.clips:
            path = clip.path.relative_to(root).as_posix()
            rows.writerow((path, table.labels[clip.label], clip.fold or clip.split, clip.source))
