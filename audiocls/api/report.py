"""`Report` and `Figure`: an answer, and a drawing of it, as values that every format can write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls import library
from audiocls.api.arguments import Assignments, assignments_of, choice
from audiocls.atomic import write_bytes, write_text
from audiocls.errors import UsageError
from audiocls.render import document as blocks
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.build.stored import (
    Stored,
    check_no_clips,
    check_together,
    stored_ablation,
    stored_ranking,
    stored_studies,
)
from audiocls.render.document import Document, of_kind
from audiocls.render.formats import writer
from audiocls.render.formats.html import to_fragment
from audiocls.render.formats.terminal import to_text
from audiocls.render.output import FORMATS, Output, checked
from audiocls.store import StudyFolder
from audiocls.studies.reports import load_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

SUFFIXES = {
    ".md": "md",
    ".html": "html",
    ".tex": "tex",
    ".ipynb": "ipynb",
    ".json": "json",
    ".csv": "csv",
    ".txt": "terminal",
}
"""Endings of files, and the formats that are written to them."""


FIGURE_FORMATS = ("svg", "pdf", "png")
ROOT = "data.root"
"""The key that `set` may change in a report."""


@dataclass(frozen=True, repr=False)
class Figure:
    """A drawing: shown by a notebook, written to a file, or drawn further by matplotlib.

    >>> import audiocls
    >>> table = {"net": ["a", "b"] * 8, "seed": [i // 2 for i in range(16)],
    ...          "acc": [0.80 + i % 2 / 20 + i // 2 / 1000 for i in range(16)]}
    >>> keys = {"arm": "net", "baseline": "a", "seed": "seed", "metric": "acc"}
    >>> figure = audiocls.compare(table, **keys).figure()
    >>> figure.name, figure.svg[:4]
    ('pairs', '<svg')
    """

    name: str
    draw: "Callable[[], Drawing]"
    """Return the figure of matplotlib."""
    caption: str = ""

    @cached_property
    def svg(self) -> str:
        """The figure as SVG text, in black."""
        from audiocls.render.figures.svg import to_svg_file

        return to_svg_file(self.draw(), self.name)

    def save(self, file: str | Path) -> Path:
        """Write the figure to `file`, which ends in .svg, .pdf or .png; return its path."""
        from audiocls.render.figures.svg import to_pdf, to_png

        path = Path(file)
        suffix = path.suffix.lower()
        choice(suffix, [f".{each}" for each in FIGURE_FORMATS], "save: the file's ending")
        if suffix == ".svg":
            write_text(path, self.svg)
        else:
            write_bytes(path, (to_pdf if suffix == ".pdf" else to_png)(self.draw()))
        return path

    def __repr__(self) -> str:
        return f"Figure({self.name!r}, {self.caption!r})"

    def _repr_svg_(self) -> str:
        from audiocls.render.figures.svg import BLACK, ON_BOTH

        return self.svg.replace(BLACK, ON_BOTH)


@dataclass(frozen=True, repr=False)
class Report:
    """An answer: shown by a notebook, printed, or written in any format.

    >>> import audiocls
    >>> report = audiocls.plan("dropout").report
    >>> report.text("md").splitlines()[0]
    '## dropout'
    """

    read: Callable[[str], Stored]
    """From a format to the document that it shows, with as much read as it has room for."""
    formats: Sequence[str] = FORMATS
    what: str = ""
    """Names an answer that has not all formats, such as `a plan`."""

    @cached_property
    def document(self) -> Document:
        """The answer as blocks, as a screen has room for."""
        return self.read("terminal").document

    def data(self) -> dict[str, Any]:
        """Return the values of the answer, as the format json has them."""
        return self.document.values()

    def text(self, format: str = "terminal") -> str:
        """Return the answer as text: terminal, md, html, tex, ipynb, json or csv."""
        self._require(format)
        if format == "wandb":
            raise UsageError("text: a report on W&B has no text; publish it with publish()")
        document = self.read(format).document
        return to_text(document) if format == "terminal" else writer(format)(document)

    def save(self, file: str | Path, format: str | None = None) -> Path:
        """Write the answer to `file`, whose ending tells the format, and return its path."""
        path = Path(file)
        known = format or SUFFIXES[choice(path.suffix, SUFFIXES, "save: the file's ending")]
        text = self.text(known)
        write_text(path, text if text.endswith("\n") else f"{text}\n")
        return path

    def publish(self, entity: str | None = None, project: str | None = None) -> tuple[str, ...]:
        """Save a Report and a Workspace on W&B; return the lines that say where they are."""
        from audiocls.render.formats.wandb import publish

        self._require("wandb")
        stored = self.read("wandb")
        place = entity or stored.project[0], project or stored.project[1]
        return tuple(publish(stored.document, None, stored.stem, place))

    def write(self, output: Output) -> None:
        """Print or write the answer, as the command line does.

        Raises `NotComparable` where nothing in it could be compared.
        """
        self.read(output.format).write(output)

    def _require(self, format: str) -> None:
        choice(format, FORMATS, "format")
        checked(Output(format), allowed=self.formats, what=self.what)

    def save_figures(self, folder: str | Path, format: str = "svg") -> list[Path]:
        """Write each figure of the answer to `folder`; return their paths.

        `format` is svg, pdf or png, or several separated by commas. Raises `UsageError` where there
        is nothing to draw.
        """
        endings = [
            choice(each.strip(), FIGURE_FORMATS, "figure_format") for each in format.split(",")
        ]
        figures = figures_of(self.read("figures").document)
        if not figures:
            raise UsageError("figures: this answer has none; see --format md for its tables")
        where = Path(folder)
        where.mkdir(parents=True, exist_ok=True)
        names = [f"{name}.{ending}" for name in figures for ending in endings]
        return [figures[name.rpartition(".")[0]].save(where / name) for name in names]

    def figure(self, name: str) -> Figure:
        """Return a figure of the answer by its name; raises `UsageError` with those there are."""
        known = figures_of(self.document)
        return known[choice(name, known, "figure")]

    def __repr__(self) -> str:
        return to_text(self.document)

    def _repr_html_(self) -> str:
        return to_fragment(self.document)


def figures_of(document: Document) -> Mapping[str, Figure]:
    """Return the figures of a document by name."""
    figures = of_kind(document.blocks, blocks.Figure)
    return {each.name: Figure(each.name, each.draw, each.caption) for each in figures}


def report_of(document: Document, file: str | Path = "report") -> Report:
    """Return a document that is the same in every format as a report; W&B has no runs of it."""
    formats = tuple(name for name in FORMATS if name != "wandb")
    return Report(lambda _: Stored(document, Path(file)), formats, f"{document.name}")


def report_on(
    folders: Sequence[StudyFolder], *, clips: bool = False, set: Assignments | None = None
) -> Report:
    """Return the report of a study, or of several compared with one another."""
    request, first = clips_request(clips, set), folders[0]
    if len(folders) > 1:
        check_together(folders, request)
        return Report(lambda _: stored_studies(folders))
    if first.study().kind == "search":
        check_no_clips(request, f"the sweep {first.name}")
        return Report(lambda format_: stored_ranking(first, format_))
    return Report(lambda format_: stored_ablation(load_report(first), format_, request))


def clips_request(is_requested: bool, set: Assignments | None) -> ClipsRequest:
    """Return which clips are read for a report; raises `UsageError` for keys without effect."""
    assignments = assignments_of(set)
    if not assignments:
        return ClipsRequest(is_requested)
    given = library.overrides(assignments)
    unknown = [key for key in given if key != ROOT]
    if unknown:
        raise UsageError(f"--set: got {', '.join(unknown)}; allowed in a report: {ROOT}=DIR")
    return ClipsRequest(is_requested, str(given[ROOT]))
