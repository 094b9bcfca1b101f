"""Which files of a folder are clips: one answer for data sets, noise, pre-training, prediction."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from audiocls.formatting import join_names

SUFFIXES = frozenset(
    f".{ending}"
    for group in ("wav wave bwf rf64 w64 flac ogg oga opus mp3", "aif aiff aifc au snd caf")
    for ending in group.split()
)
"""Endings, in small letters, of files that libsndfile reads by what they hold."""
UNREADABLE = frozenset(
    f".{ending}"
    for group in ("m4a m4b aac mp4 wma amr 3gp ape wv webm mka", "ac3 ra dsf dff tta mpc alac spx")
    for ending in group.split()
)
"""Endings of files that hold sound which libsndfile does not read."""


@dataclass(frozen=True)
class Remark:
    """What was read otherwise than it is written, or passed over; and whose it is."""

    kind: str
    text: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listing:
    """Clips below a folder, ascending, and files that look like sound and are none of them."""

    files: tuple[Path, ...]
    passed_over: tuple[str, ...] = ()
    """Each with the reason, ready to be shown."""
    others: tuple[str, ...] = ()
    """Files that hold no sound by their names, hidden ones apart."""

    def remarks(self) -> tuple[Remark, ...]:
        """Return that files were passed over, if any were."""
        if not self.passed_over:
            return ()
        count = f"{len(self.passed_over)} file{'s' * (len(self.passed_over) > 1)}"
        text = f"{count} passed over: {join_names(self.passed_over)}"
        return (Remark("passed over", text, self.passed_over),)


def list_clips(folder: Path) -> Listing:
    """List the clips below `folder` at any depth, without hidden files and folders.

    A clip is a file whose name ends, in any case, as one of `SUFFIXES`. Links to folders are
    followed, but for those that lead back to a folder in which they lie.
    """
    files: list[Path] = []
    passed_over: list[str] = []
    others: list[str] = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        inner = sorted(name for name in folders if not is_hidden(name))
        loops = [name for name in inner if _is_loop(Path(parent, name))]
        folders[:] = [name for name in inner if name not in loops]
        for path in (Path(parent, name) for name in loops):
            passed_over.append(f"{shown(path.relative_to(folder))} (a link to a folder around it)")
        for name in sorted(name for name in names if not is_hidden(name)):
            path = Path(parent, name)
            reason = _reason(path)
            if reason:
                passed_over.append(f"{shown(path.relative_to(folder))} ({reason})")
            elif reason is not None:
                files.append(path)
            else:
                others.append(shown(path.relative_to(folder)))
    return Listing(tuple(sorted(files)), tuple(passed_over), tuple(others))


def _is_loop(path: Path) -> bool:
    """Whether a folder is a link to one of those on the way to it, links among them."""
    if not path.is_symlink():
        return False
    target = path.resolve()
    return any(parent.resolve().is_relative_to(target) for parent in path.parents)


def is_hidden(name: str) -> bool:
    """Whether a name is of a hidden file, such as macOS's `._clip.wav`."""
    return name.startswith(".")


def _reason(path: Path) -> str | None:
    """Return why a file is passed over; empty if it is a clip, none if it is no sound at all."""
    suffix = path.suffix.lower()
    if suffix in UNREADABLE:
        return "not readable; convert it to wav or flac"
    if suffix not in SUFFIXES:
        return None
    if shown(path) != str(path):
        return "its name is no UTF-8; rename it"
    return "" if path.is_file() else "no regular file"


def shown(path: Path | str) -> str:
    """Return a path as text that can be written anywhere, bytes that are no UTF-8 escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def normalised(text: str) -> str:
    """Return text in Unicode's composed form (NFC), each run of blanks as one, none at the ends.

    >>> normalised(" e\u0301tourneau\u00a0gris ") == "\u00e9tourneau gris"
    True
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def alike(text: str) -> str:
    """Return what texts that people take for the same have in common.

    Case, compatibility forms, blanks, hyphens and underscores do not count.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"[\s_\-]+", " ", folded).strip()


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of different names that look alike."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(alike(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def spelling_key(path: str) -> str:
    """Return what spellings of one path share: Unicode form, kind of slash, case of its ending."""
    posix = PurePosixPath(unicodedata.normalize("NFC", path.replace("\\", "/")))
    return str(posix.with_suffix(posix.suffix.lower())) if posix.name else str(posix)


class FileFinder:
    """Finds the files that a list names below `root`, also where their spelling differs."""

    def __init__(self, root: Path):
        self.root = root
        self._names: dict[Path, dict[str, list[str]]] = {}
        self.respelled: dict[str, str] = {}
        """Path as listed → as it is on disk, of those that differ."""

    def find(self, listed: str) -> Path | None:
        """Return the file that `listed` names; the only one of another spelling, or none."""
        exact = self.root / listed
        if _is_file(exact):
            return exact
        for spelling in dict.fromkeys((listed.strip(), listed.replace("\\", "/").strip())):
            path = self._near(PurePosixPath(spelling))
            if path is not None:
                self.respelled[listed] = path.relative_to(self.root).as_posix()
                return path
        return None

    def path(self, listed: str) -> Path:
        """Return the file that `listed` names, or where it should be."""
        return self.find(listed) or self.root / listed

    def remarks(self) -> tuple[Remark, ...]:
        """Return that files were found under another spelling, if any were."""
        if not self.respelled:
            return ()
        which = join_names(f"{listed!r} = {actual!r}" for listed, actual in self.respelled.items())
        text = f"{len(self.respelled)} paths found in another spelling (Unicode form, backslash "
        text += f"for /, case of the ending, blanks): {which}"
        return (Remark("respelled", text, tuple(self.respelled)),)

    def _near(self, listed: PurePosixPath) -> Path | None:
        folder = self.root
        if listed.is_absolute():
            return None
        for part in listed.parts:
            names = [part] if part == ".." else self._names_in(folder).get(spelling_key(part), [])
            if len(names) != 1:
                return None
            folder = folder / names[0]
        return folder if _is_file(folder) else None

    def _names_in(self, folder: Path) -> dict[str, list[str]]:
        """Return the names in a folder by what their spellings share, read once."""
        if folder not in self._names:
            names: dict[str, list[str]] = {}
            for name in _listed(folder):
                names.setdefault(spelling_key(name), []).append(name)
            self._names[folder] = names
        return self._names[folder]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long; a NUL in it
        return False


def _listed(folder: Path) -> Iterator[str]:
    try:
        yield from sorted(os.listdir(folder))  # noqa: PTH208  (names alone)
    except OSError:
        return
