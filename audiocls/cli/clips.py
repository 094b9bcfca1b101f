"""What `audiocls report` tells clip by clip, and the options that ask for it."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from audiocls import console, library
from audiocls.analysis.clips import ClipComparison, ClipSection
from audiocls.cli.options import cache_folder
from audiocls.errors import UsageError
from audiocls.render.clips import section_of, text
from audiocls.studies.reports import StudyReport, read_clips

ClipsOption = Annotated[
    bool,
    typer.Option("--clips", help="Clip by clip, too (terminal, md, --json; html has it anyway)."),
]
RootOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="data.root=DIR", help="Where the clips of html lie now."),
]
ROOT = "data.root"
FORMATS = ("terminal", "md", "html")
EXPENDABLE = ("recordings", "clips", "p (clips)", "p (Holm)")


@dataclass(frozen=True)
class ClipsWish:
    """Whether clips are asked for, and where their sound lies now if not where it did."""

    is_asked: bool = False
    data_root: str | None = None


def wish_of(is_asked: bool, assignments: list[str] | None, format_: str) -> ClipsWish:
    """Raises `UsageError` for what would have no effect."""
    if is_asked and format_ not in FORMATS:
        raise UsageError(f"--clips: got --format {format_}; allowed: {', '.join(FORMATS)}")
    given = library.overrides(assignments or [])
    unknown = [key for key in given if key != ROOT]
    if unknown:
        raise UsageError(f"--set: got {', '.join(unknown)}; allowed in a report: {ROOT}=DIR")
    if given and format_ != "html":
        raise UsageError(f"--set {ROOT}: has an effect with --format html only; got {format_}")
    return ClipsWish(is_asked, str(given[ROOT]) if given else None)


def refuse(wish: ClipsWish, whose: str) -> None:
    """Raises `UsageError` if clips were asked of what has no arms to compare by them."""
    if wish != ClipsWish():
        raise UsageError(f"--clips and --set: are for one ablation; got {whose}")


def section(answer: StudyReport, wish: ClipsWish) -> ClipSection:
    """The page's part, sound included."""
    return section_of(
        answer.folder,
        answer.study,
        answer.records,
        cache_folder(),
        wish.data_root,
        is_asked=wish.is_asked,
    )


def show(answer: StudyReport) -> None:
    """The table and what follows from it, in the terminal."""
    found = _read(answer)
    table = text.clip_table(found)
    console.show_table(
        table.title, table.columns, table.rows, text=table.text, droppable=EXPENDABLE
    )
    for note in [text.MEANING, *text.notes(found)]:
        console.say(note)


def to_json(answer: StudyReport) -> dict[str, Any]:
    """What `clips` holds in the study's JSON."""
    return text.to_json(_read(answer))


def to_markdown(answer: StudyReport) -> str:
    """A section to follow the study's own."""
    return text.to_markdown(_read(answer))


def _read(answer: StudyReport) -> ClipComparison:
    return read_clips(answer.folder, answer.study, answer.records)
