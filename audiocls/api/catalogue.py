"""`Catalogue`: what can be named, such as ablations or data sets, with a line on each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from audiocls.api.frames import frame_of
from audiocls.api.report import Report, report_of
from audiocls.render.document import Document, Title
from audiocls.render.table import Column, Kind, Table

SENTENCES = ("question", "description", "what", "summary")
KINDS: dict[str, Kind] = {"name": "id", **dict.fromkeys(SENTENCES, "prose")}
"""Kinds of columns by their names: the name is what the next command needs, and stays whole."""


@dataclass(frozen=True, repr=False)
class Catalogue:
    """Rows with a name each: shown as a table, iterated as dicts, or a frame.

    >>> import audiocls
    >>> "dropout" in audiocls.list_ablations().names
    True
    """

    title: str
    entries: tuple[Mapping[str, Any], ...]
    columns: tuple[str, ...] = ()
    """Those that a table shows; by default all that the first row has."""
    droppable: tuple[str, ...] = ()
    """Columns that a narrow terminal goes without, the first of them first."""

    @property
    def names(self) -> tuple[str, ...]:
        """What each row is called."""
        return tuple(row["name"] for row in self.entries)

    def rows(self) -> list[dict[str, Any]]:
        """Return a dict for each row, with more than a table shows."""
        return [dict(row) for row in self.entries]

    def frame(self, backend: str | None = None) -> Any:
        """Return the columns that are shown as a frame of pandas or polars."""
        shown = self._shown()
        return frame_of([{name: row.get(name) for name in shown} for row in self.entries], backend)

    @property
    def report(self) -> Report:
        """The table, in every format but that of W&B."""
        drops = {name: place for place, name in enumerate(self.droppable, 1)}
        shown = self._shown()
        columns = tuple(
            Column(name, KINDS.get(name, "word"), drop=drops.get(name, 0)) for name in shown
        )
        rows = tuple(
            tuple("" if (value := row.get(name)) is None else str(value) for name in shown)
            for row in self.entries
        )
        table = Table(columns, rows, label=self.title.lower())
        blocks = (Title(self.title), table)
        return report_of(Document(self.title, blocks, lambda: {"rows": self.rows()}))

    def _shown(self) -> tuple[str, ...]:
        return self.columns or tuple(self.entries[0] if self.entries else ("name",))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return repr(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()
