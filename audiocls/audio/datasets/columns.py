"""Which column of a list of clips says what: by its name, or as the options say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from audiocls.audio.listing import Remark
from audiocls.errors import did_you_mean
from audiocls.options import Options

ROLES = ("path", "label", "also", "split", "fold", "source", "start", "end")
NAMES = {
    "path": (
        *("path", "file_name", "filename", "fname", "file", "filepath", "file_path", "wav"),
        *("audio", "audio_path", "audio_file", "wav_path", "relative_path", "clip"),
    ),
    "label": (
        *("label", "labels", "class", "classes", "category", "class_name", "label_name", "tag"),
        *("primary_label", "scene_label", "event_label", "species", "tags"),
    ),
    "also": ("also", "secondary_labels"),
    "split": ("split", "set", "subset", "partition"),
    "fold": ("fold", "folds"),
    "source": (
        *("source", "src_file", "speaker", "speaker_id", "recording", "recording_id", "client_id"),
    ),
    "start": ("start", "start_s", "start_time", "start_seconds", "onset", "begin", "begin_time"),
    "end": ("end", "end_s", "end_time", "end_seconds", "offset"),
}
"""Names in small letters by which a column is recognised, the first of them ours."""

UNREAD = "-"
"""Stands for the name of a column, where none is to be read."""
_MISSPELT = 0.75
"""How alike a column and a role are, from which the column is a misspelling (difflib's ratio)."""


class Columns(Options):
    """Names of columns that are not recognised by themselves; `-`: none is read."""

    path: str | None = None
    """Column of the files, relative to the list."""
    label: str | None = None
    """Column of the class."""
    also: str | None = None
    """Further labels of a clip, with `labels: multi`."""
    split: str | None = None
    """Column of train, val, test or test:NAME."""
    fold: str | None = None
    """Column of the fold, from 1."""
    source: str | None = None
    """Column of the recording or speaker, whose clips stay together."""
    start: str | None = None
    """Seconds from the start of the recording, of a segment of it."""
    end: str | None = None
    """Where that segment ends, in seconds."""

    def given(self) -> dict[str, str]:
        """Return the names that are given, by role."""
        named = {role: getattr(self, role) for role in ROLES}
        return {role: name for role, name in named.items() if name is not None}


@dataclass(frozen=True)
class Recognised:
    """Role → column, what is wrong with the header, and what is told of it."""

    column_of: Mapping[str, str]
    problems: tuple[str, ...]
    remarks: tuple[Remark, ...]

    def row(self, cells: Mapping[str, str]) -> dict[str, str]:
        """Return a row's cells by role; those beyond the last column under the key `""`."""
        known = {role: cells[column] for role, column in self.column_of.items()}
        return known | ({"": cells[""]} if "" in cells else {})


def recognise(header: Sequence[str], given: Columns) -> Recognised:
    """Return which column of `header` says what.

    Columns of other names are not read, but those that look like a misspelling of a role are a
    problem.
    """
    named = {role: name for role, name in given.given().items() if name != UNREAD}
    barred = {role for role, name in given.given().items() if name == UNREAD}
    taken = set(named.values())
    candidates: dict[str, list[str]] = {}
    for role in ROLES:
        if role not in barred and role not in named:
            free = [name for name in header if name not in taken and name.lower() in NAMES[role]]
            exact = [name for name in free if name.lower() == role]
            candidates[role] = list(dict.fromkeys(exact or free))
    column_of = {role: names[0] for role, names in candidates.items() if names} | named
    unread = [name for name in header if name not in column_of.values()]
    free = [role for role in ROLES if role not in column_of and role not in barred]
    problems = (
        *_absent(header, named),
        *_ambiguous(candidates),
        *_missing(header, column_of),
        *_misspelt(unread, free),
        *_repeated(header, column_of),
    )
    return Recognised(column_of, problems, tuple(_remarks(column_of, unread)))


def _absent(header: Sequence[str], named: Mapping[str, str]) -> Iterator[str]:
    for role, name in named.items():
        if name not in header:
            has = f"the header has {', '.join(header) or 'nothing'}"
            yield f"data.columns.{role}: there is no column {name!r}; {has}." + did_you_mean(
                name, header
            )


def _ambiguous(candidates: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for role, names in candidates.items():
        if len(names) > 1:
            which = ", ".join(map(repr, names))
            yield f"{which} may each be the {role}; say which: --set data.columns.{role}={names[0]}"


def _missing(header: Sequence[str], column_of: Mapping[str, str]) -> Iterator[str]:
    for role in ("path", "label"):
        if role not in column_of:
            has = ", ".join(header) or "nothing"
            yield (
                f"there is no column {role!r}; the header has {has}; "
                f"say which it is: --set data.columns.{role}=NAME"
            )
    if "split" in column_of and "fold" in column_of:
        yield "columns 'split' and 'fold': give one of them"
    if ("start" in column_of) != ("end" in column_of):
        there = "start" if "start" in column_of else "end"
        yield (
            f"column {column_of[there]!r}: a segment needs start and end, in seconds; name the "
            f"other, or --set data.columns.{there}=- to read neither"
        )


def _misspelt(unread: Sequence[str], free: Sequence[str]) -> Iterator[str]:
    for name in unread:
        if get_close_matches(name.lower(), free, n=1, cutoff=_MISSPELT):
            hint = did_you_mean(name.lower(), free)
            yield f"column {name!r}: allowed are {', '.join(ROLES)}.{hint}"


def _repeated(header: Sequence[str], column_of: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys(column_of.values()):
        if (count := header.count(name)) > 1:
            yield f"column {name!r}: is there {count} times"


def _remarks(column_of: Mapping[str, str], unread: Sequence[str]) -> Iterator[Remark]:
    """Yield which columns were taken for what, where their names are others than ours."""
    others = [f"{role} = {name!r}" for role, name in column_of.items() if name != role]
    left = [f"not read: {', '.join(map(repr, unread))}"] if unread else []
    if others or left:
        yield Remark("columns", f"columns were recognised: {'; '.join([*others, *left])}")
