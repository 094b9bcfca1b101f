"""Data sets: what there is, downloads, checks, and the synthetic one as files."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls import library
from audiocls.api.arguments import Assignments, Folder, assignments_of, known_options
from audiocls.api.catalogue import Catalogue
from audiocls.api.frames import Rows, frame_of
from audiocls.api.report import Report, report_of
from audiocls.audio.fetch.origins import ORIGINS, Origin
from audiocls.console.bar import counting
from audiocls.render.document import Block, Document, Facts, Section, Text
from audiocls.render.table import Column, Table
from audiocls.studies.options import cache_folder

if TYPE_CHECKING:
    from audiocls.audio.check import DataQuality
    from audiocls.audio.clips import ClipTable
    from audiocls.audio.datasets import DataSet

COLUMNS = ("name", "what", "classes", "protocol", "licence", "size", "audiocls data …")


@known_options
def list_data() -> Catalogue:
    """Return the data sets, their licences, and how to get them.

    >>> import audiocls
    >>> "esc50" in audiocls.list_data().names
    True
    """
    rows = []
    for origin in ORIGINS.values():
        known = origin.row()
        rows.append({**known, "audiocls data …": list(known.values())[-1], "page": origin.page})
    droppable = ("size", "licence", "what", "protocol")
    return Catalogue("Data sets", tuple(rows), COLUMNS, droppable)


@dataclass(frozen=True)
class FetchedData:
    """A data set that is on this disk, verified.

    >>> import audiocls
    >>> audiocls.fetch_data("esc50", root="data").folder  # doctest: +SKIP
    PosixPath('data/ESC-50-master')
    """

    origin: Origin
    folder: Path
    was_there: bool
    """Whether nothing had to be downloaded."""


@known_options
def fetch_data(name: str, *, root: Folder = "data") -> FetchedData:
    """Download, verify and unpack a data set; an interrupted download is resumed.

    Without a network the error says what to do by hand. Nothing complete is downloaded again.

    >>> import audiocls
    >>> audiocls.fetch_data("esc50", root="data")  # doctest: +SKIP
    """
    from audiocls.audio.fetch import fetch, origin_of

    origin = origin_of(name)
    with counting("bytes") as count:
        fetched = fetch(origin, Path(root), count)
    return FetchedData(origin, fetched.folder, fetched.was_there)


@dataclass(frozen=True, repr=False)
class DataCheck:
    """What a data set holds, and everything that is wrong with it.

    >>> import audiocls
    >>> audiocls.check_data("folder", set={"data.root": "birds"}).is_usable  # doctest: +SKIP
    True
    """

    data: "DataSet"
    quality: "DataQuality"
    """Counts by class, side, rate and length, and the findings."""

    @property
    def is_usable(self) -> bool:
        """Whether no finding is a fault."""
        return self.quality.is_usable

    def rows(self) -> Rows:
        """Return a dict for each finding: severity, kind, text."""
        return [
            {"severity": each.severity, "kind": each.kind, "what": each.text}
            for each in self.quality.findings
        ]

    def frame(self, backend: str | None = None) -> Any:
        """Return `rows` as a frame of pandas or polars, whichever is there."""
        return frame_of(self.rows(), backend)

    @property
    def report(self) -> Report:
        """Content and findings, in every format but that of W&B."""
        from audiocls.audio.check.summary import as_values, facts_of

        columns = (Column("", "word"), Column("kind", "word"), Column("what", "prose"))
        rows = tuple(tuple(row.values()) for row in self.rows())
        body: Block = Text("No problems found.")
        if rows:
            body = Section("Findings", (Table(columns, rows, label="findings"),))
        facts = Facts(tuple(facts_of(self.quality, self.data).items()))
        blocks: tuple[Block, ...] = (facts, body)
        return report_of(Document(self.data.name, blocks, lambda: as_values(self.quality)))

    def __repr__(self) -> str:
        return repr(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


@known_options
def check_data(name: str, *, set: Assignments | None = None, accept: bool = False) -> DataCheck:
    """Decode every clip of a data set and list all problems.

    `accept` lets launches train on clips that are truncated or clipped. Raises `DataError` where
    there is nothing to examine; what is wrong with the clips is in the result.

    >>> import audiocls
    >>> audiocls.check_data("synthetic").is_usable  # doctest: +SKIP
    True
    """
    from audiocls.audio import check
    from audiocls.audio.datasets import dataset_named

    data = dataset_named(name, library.overrides(assignments_of(set) or []))
    with counting("clips") as count:
        quality = check.check(data, cache_folder(), partial(count, f"checking {name}"))
    if accept:
        check.accept(data, cache_folder())
    return DataCheck(data, quality)


@known_options
def make_data(
    name: str, *, out: Folder = "data/synthetic", set: Assignments | None = None
) -> "ClipTable":
    """Write the synthetic data set as files for other tools, with a manifest beside.

    `out` is a folder that does not exist yet.

    >>> import audiocls
    >>> len(audiocls.make_data("synthetic", out="tones").clips)  # doctest: +SKIP
    400
    """
    from audiocls.audio.datasets import dataset_named, write_synthetic

    overrides = library.overrides(assignments_of(set) or [])
    return write_synthetic(dataset_named(name, overrides), Path(out))


@known_options
def write_manifest(
    folder: Folder, *, out: Folder | None = None, set: Assignments | None = None
) -> "tuple[Path, ClipTable]":
    """Write what is recognised in a folder as a manifest: columns, labels, splits, sources.

    `out` is by default `manifest.csv` in the folder. Returns that file and the clips that it lists.

    >>> import audiocls
    >>> file, table = audiocls.write_manifest("birds")  # doctest: +SKIP
    """
    from audiocls.audio.datasets import written_manifest

    given = library.overrides(assignments_of(set) or [])
    return written_manifest(Path(folder), None if out is None else Path(out), given)
