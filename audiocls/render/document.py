"""`Document`: an answer as blocks, built once from an analysis and written by every format.

    Title, Headline, Facts     what was asked, the answer in one sentence, what is known about it
    Section                    a heading and the blocks below it
    Text, Note, Items, Command a paragraph, a remark, a list, a command to copy
    Table                      rows of cells; a number with an interval stays a number
    Figure, Audio              drawn, or played, where a format can
    Runs                       panels over the runs of the study, which W&B alone can show

No format knows an analysis and no analysis a format: a builder in `build/` says what there is and
how much room it deserves (`Depth`), a format says what it looks like.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from audiocls.render.table import Depth, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

    from audiocls.render.run_selection import PairsRun, RunSelection


@dataclass(frozen=True)
class Title:
    """What the document is about, and the question that it answers."""

    name: str
    question: str = ""
    depth: Depth = Depth.SCREEN


@dataclass(frozen=True)
class Headline:
    """The answer in a sentence, and what it does not mean."""

    text: str
    caution: str = ""
    depth: Depth = Depth.SCREEN


@dataclass(frozen=True)
class Facts:
    """Names and what is known under each; a name may be a verdict."""

    items: tuple[tuple[str, str], ...]
    are_verdicts: bool = False
    depth: Depth = Depth.SCREEN


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    depth: Depth = Depth.SCREEN


@dataclass(frozen=True)
class Note:
    """What a reader must know beside the numbers."""

    text: str
    depth: Depth = Depth.SCREEN


@dataclass(frozen=True)
class Items:
    """Lines of a list."""

    lines: tuple[str, ...]
    depth: Depth = Depth.SCREEN


@dataclass(frozen=True)
class Command:
    """A command line to copy."""

    text: str
    depth: Depth = Depth.SCREEN


@dataclass(frozen=True)
class Figure:
    """Drawn when a format shows it; `name` is unique in its document."""

    name: str
    draw: Callable[[], "Drawing"]
    caption: str = ""
    depth: Depth = Depth.PAGE
    draw_narrow: Callable[[], "Drawing"] | None = None
    """The same for a phone, where a page that is a third as wide would show it too small."""


@dataclass(frozen=True)
class Sound:
    """A clip to listen to, and what was said of it."""

    title: str
    file: str
    is_gain: bool
    facts: tuple[tuple[str, str], ...]
    address: str = ""
    """`data:audio/mpeg;base64,…`; empty where it cannot be played."""
    outline: str = ""
    """SVG path of the waveform, x in 0 … 160, y in ±1 of its own peak."""


@dataclass(frozen=True)
class Audio:
    """Clips side by side."""

    sounds: tuple[Sound, ...]
    depth: Depth = Depth.PAGE


@dataclass(frozen=True)
class Runs:
    """The runs that W&B draws panels of, and the run that holds an answer's pairs."""

    selection: "RunSelection"
    pairs: "PairsRun | None" = None
    depth: Depth = Depth.TEXT


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; formats leave out a section with nothing to show."""

    title: str
    blocks: tuple["Block", ...]
    is_folded: bool = False
    """Closed on a page until a reader opens it."""
    is_live: bool = False
    """W&B's panels over the runs show it."""
    heading: Depth = Depth.SCREEN
    """From here on the heading is shown; what stands below it may be shown without."""
    depth: Depth = Depth.SCREEN


Block = (
    Title
    | Headline
    | Facts
    | Text
    | Note
    | Items
    | Command
    | Table
    | Figure
    | Audio
    | Runs
    | Section
)


@dataclass(frozen=True)
class Template:
    """A notebook that computes the answer itself, and the values of its parameters."""

    file: Path
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Document:
    """An answer, ready for every format."""

    name: str
    blocks: tuple[Block, ...]
    data: Callable[[], dict[str, Any]] = dict
    """Returns the analysis as plain values: what the JSON format writes."""
    template: Template | None = None
    """Executed in place of cells made from the blocks."""
    incomparable: str = ""
    """Why nothing in it could be compared; empty where something was."""
    trials: Callable[[], Iterable[Mapping[str, Any]]] | None = None
    """Returns a row a trial behind the answer, where it is of launched trials."""

    def values(self) -> dict[str, Any]:
        """Return what the format JSON writes: the analysis, and the trials behind it."""
        values = self.data()
        if self.trials is None or "trials" in values:  # a ranking has its own, in their order
            return values
        return {**values, "trials": list(self.trials())}


def without_commands_of(document: Document, summary: Sequence[str]) -> Document:
    """Return the document without the commands that sentences of the summary end with."""
    return replace(document, blocks=tuple(_without_commands_of(document.blocks, summary)))


def _without_commands_of(blocks: Sequence[Block], summary: Sequence[str]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Section):
            yield replace(block, blocks=tuple(_without_commands_of(block.blocks, summary)))
        elif not isinstance(block, Command) or not any(s.endswith(block.text) for s in summary):
            yield block


Wanted = TypeVar("Wanted")


def of_kind(blocks: Sequence[Block], kind: type[Wanted]) -> Iterator[Wanted]:
    """Yield the blocks of one kind, those in sections among them."""
    for block in blocks:
        if isinstance(block, Section):
            yield from of_kind(block.blocks, kind)
        elif isinstance(block, kind):
            yield block
