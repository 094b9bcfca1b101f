"""ESC-50 and its ten-class part ESC-10: environmental recordings with five official folds.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from audiocls.audio.clips import Clip, ClipTable, Validation
from audiocls.audio.datasets.layout import class_names, find_root, read_listing
from audiocls.audio.listing import FileFinder, Remark
from audiocls.options import Options, added

META = "meta/esc50.csv"
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file")
_CLASSES = ("target", "category")


class ESC50(Options):
    """ESC-50 in its official layout: `root/meta/esc50.csv` and `root/audio/`.

    `root` may also be the folder above these. Not for your own recordings: `folder` reads any CSV
    manifest.
    """

    name: Literal["esc50"] = "esc50"
    root: str | None = None
    sample_rate: int = Field(default=16000, gt=0, description="Hz, resampled to")
    duration_s: float = Field(default=5.0, gt=0, description="seconds of a clip trained on")
    classes: Literal["all", "esc10"] = "all"
    """`esc10`: the ten classes of ESC-10 alone."""
    validation: Validation = added("held_out")

    @property
    def is_multi_label(self) -> bool:
        return False

    @property
    def num_folds(self) -> int | None:
        return 5

    def table(self, cache: Path) -> ClipTable:
        """List the clips; classes are numbered 0 … K-1 in the order of the official targets.

        Raises:
            DataError: no root, another layout, or errors in the CSV (all at once).
        """
        root = find_root(self.name, self.root, META, cache, ("ESC-50-master", "ESC-50"))
        listing = read_listing(root / META, _COLUMNS, whole=("fold", "target"), classes=_CLASSES)
        rows, is_part = list(listing.rows.values()), self.classes == "esc10"
        wanted = [row for row in rows if not is_part or row["esc10"].lower() == "true"]
        return _table(root, wanted, listing.remarks)


def _table(root: Path, rows: list[dict[str, str]], remarks: tuple[Remark, ...]) -> ClipTable:
    """Return the clips of the CSV's rows; the folds are those that occur in them."""
    names = class_names(rows, _CLASSES)
    index = {target: label for label, target in enumerate(names)}
    files = FileFinder(root / "audio")
    clips = tuple(
        Clip(
            id=row["filename"],
            path=files.path(row["filename"]),
            labels=(index[int(row["target"])],),
            source=row["src_file"],
            fold=int(row["fold"]),
        )
        for row in rows
    )
    folds, remarks = tuple(sorted({int(r["fold"]) for r in rows})), (*remarks, *files.remarks())
    return ClipTable(clips, tuple(names.values()), folds, remarks=remarks)
