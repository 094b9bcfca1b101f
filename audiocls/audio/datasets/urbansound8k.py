"""UrbanSound8K: 8732 excerpts of urban field recordings in ten official folds.

J. Salamon, C. Jacoby and J. P. Bello, "A Dataset and Taxonomy for Urban Sound Research", ACM
Multimedia 2014.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from audiocls.audio.clips import Clip, ClipTable, Validation
from audiocls.audio.datasets.layout import class_names, find_root, raise_problems, read_listing
from audiocls.audio.listing import FileFinder
from audiocls.options import Options, added

META = "metadata/UrbanSound8K.csv"
_COLUMNS = ("slice_file_name", "fsID", "fold", "classID", "class")
_CLASSES = ("classID", "class")
_NUM_FOLDS = 10


class UrbanSound8K(Options):
    """UrbanSound8K: `root/metadata/UrbanSound8K.csv` and `root/audio/fold1` … `fold10`.

    The folds are the official ones: excerpts of one recording (`fsID`) lie in one fold, and random
    splits of this data leak. Excerpts last at most 4 s; shorter ones are zero-padded. Rates, bit
    depths and channels are those of the uploads and vary by file.
    """

    name: Literal["urbansound8k"] = "urbansound8k"
    root: str | None = None
    sample_rate: int = Field(default=22050, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=4.0, gt=0, description="seconds of a clip trained on")
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return False

    @property
    def num_folds(self) -> int | None:
        return _NUM_FOLDS

    def table(self, cache: Path) -> ClipTable:
        """List the clips; classes in the order of the official `classID`.

        Raises:
            DataError: no root, another layout, errors in the CSV (all at once), or a recording
                whose excerpts lie in two folds.
        """
        root = find_root(self.name, self.root, META, cache, ("UrbanSound8K",))
        whole = ("fold", "classID")
        listing = read_listing(root / META, _COLUMNS, whole, _CLASSES)
        rows, files = list(listing.rows.values()), FileFinder(root / "audio")
        folds = tuple(sorted({int(row["fold"]) for row in rows}))
        beyond = [fold for fold in folds if not 1 <= fold <= _NUM_FOLDS]
        raise_problems(
            root / META, (f"fold {fold}: allowed are 1 to {_NUM_FOLDS}" for fold in beyond)
        )
        names = class_names(rows, _CLASSES)
        index = {number: label for label, number in enumerate(names)}
        clips = tuple(_clip(files, row, index[int(row["classID"])]) for row in rows)
        remarks = (*listing.remarks, *files.remarks())
        return ClipTable(clips, tuple(names.values()), folds, remarks=remarks)


def _clip(files: FileFinder, row: dict[str, str], label: int) -> Clip:
    fold, file = int(row["fold"]), row["slice_file_name"]
    return Clip(file, files.path(f"fold{fold}/{file}"), (label,), row["fsID"], fold)
