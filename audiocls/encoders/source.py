"""Where a pretrained encoder is: on the Hub at a revision, or in a folder (torch-free).

Everything here is read from files that are there: nothing is downloaded, nothing of the encoder is
run. A branch moves, so that its name identifies nothing; a commit does.
"""

import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.errors import DataError

HUB = re.compile(r"(?P<repository>[\w.-]+(/[\w.-]+)?)@(?P<revision>[0-9a-f]{7,40})", re.ASCII)
WANTED = (
    "wanted: owner/name@commit of the Hub (7 to 40 hex digits of the commit, for branches and tags "
    "move), or a folder with config.json and *.safetensors"
)
DECIDING = ("*.json", "*.safetensors", "*.py")
"""Files that decide what an encoder computes."""


@dataclass(frozen=True)
class Source:
    """A repository of the Hub at a revision, or a folder."""

    name: str
    """As it was given."""
    repository: str = ""
    revision: str = ""

    @property
    def is_on_hub(self) -> bool:
        """Whether it is a repository of the Hub, and no folder of the user's."""
        return bool(self.repository)

    def folder(self) -> Path | None:
        """Return the folder with its files; none if it is of the Hub and was not downloaded."""
        if not self.is_on_hub:
            return Path(self.name).expanduser()
        return _snapshot(self.repository, self.revision)

    def licence(self) -> str:
        """Return the licence that its model card names; empty where there is none to read.

        Of the Hub's spelling, such as `apache-2.0` or `cc-by-nc-4.0`.
        """
        card = self._read("README.md")
        head = card.split("---", 2)[1] if card.startswith("---") else ""
        match = re.search(r"^licen[sc]e:\s*[\"']?([^\s\"']+)", head, re.MULTILINE)
        return match[1] if match else ""

    def note(self) -> str:
        """Return what a report says of it: its name, its revision, its licence."""
        short = f"{self.repository}@{self.revision[:8]}" if self.is_on_hub else self.name
        if self.is_on_hub and self.folder() is None:
            return f"The encoder {short} is not downloaded yet, its licence not known"
        licence = self.licence()
        return f"The encoder {short} is used under {licence or 'a licence that it does not name'}"

    def processor(self) -> dict[str, Any]:
        """Return the content of its `preprocessor_config.json`; empty where that is not here."""
        return dict(json.loads(self._read("preprocessor_config.json") or "{}"))

    def digest(self) -> str:
        """Return 16 hex digits of a folder's deciding files.

        Raises:
            DataError: it is no folder, or one without the files of an encoder.
        """
        folder = Path(self.name).expanduser()
        require_encoder(folder, self.name)
        stamps = tuple((str(file), *_stamp(file)) for file in _deciding(folder))
        return _digest(folder, stamps)

    def _read(self, name: str) -> str:
        folder = self.folder()
        file = folder / name if folder else None
        return file.read_text(encoding="utf-8") if file and file.is_file() else ""


def source_of(name: str) -> Source:
    """Return the source that a name means; raises `ValueError` for a Hub name without revision.

    >>> source_of("facebook/hubert-base-ls960@dba3bb02").revision
    'dba3bb02'
    >>> source_of("./tiny").is_on_hub
    False
    """
    if match := HUB.fullmatch(name):
        return Source(name, match["repository"], match["revision"])
    is_path = name.startswith((".", "/", "~")) or Path(name).expanduser().is_dir()
    if not is_path and ("@" in name or re.fullmatch(r"[\w.-]+/[\w.-]+", name)):
        raise ValueError(f"got {name!r}, which is neither a folder nor pinned; {WANTED}")
    return Source(name)


def require_encoder(folder: Path, name: str) -> None:
    """Raise `DataError` unless `folder` holds an encoder whose weights run no code when read."""
    if not folder.is_dir():
        raise DataError(f"the encoder {name!r}: there is no such folder; {WANTED}")
    if not (folder / "config.json").is_file():
        raise DataError(f"the encoder {name!r}: {folder} has no config.json; {WANTED}")
    if not has_weights(folder):
        pickles = [file.name for file in (*folder.glob("*.bin"), *folder.glob("*.pth"))]
        why = f"it has {', '.join(pickles)}, which may run code when read" if pickles else "no file"
        raise DataError(convert(name, str(folder), why))


def convert(name: str, place: str, why: str) -> str:
    """Return that an encoder has no weights that are safe to read, and how it gets some."""
    return (
        f"the encoder {name!r}: {place} has no whole *.safetensors ({why}). Where you trust "
        "its author, convert it once: AutoModel.from_pretrained(NAME, revision=COMMIT)"
        ".save_pretrained(FOLDER), and the same for AutoFeatureExtractor; then name FOLDER"
    )


def has_weights(folder: Path) -> bool:
    """Whether all files of weights are there: those that an index names, or any."""
    indices = list(folder.glob("*.safetensors.index.json"))
    if not indices:
        return any(folder.glob("*.safetensors"))
    named = json.loads(indices[0].read_text(encoding="utf-8"))["weight_map"].values()
    return all((folder / name).is_file() for name in named)


def downloaded() -> list[Source]:
    """Return the encoders in the Hub's cache, each at each revision that is whole there."""
    folders = sorted(hub_cache().glob("models--*/snapshots/*"))
    named = ((each.parent.parent.name.removeprefix("models--"), each) for each in folders)
    return [
        source_of(f"{name.replace('--', '/')}@{folder.name}")
        for name, folder in named
        if HUB.fullmatch(f"{name.replace('--', '/')}@{folder.name}")
        and (folder / "config.json").is_file()
        and has_weights(folder)
    ]


def hub_cache() -> Path:
    """Return the Hub's cache: `HF_HUB_CACHE`, `HF_HOME`/hub, or that of the user."""
    if chosen := os.environ.get("HF_HUB_CACHE"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("HF_HOME", f"{cache}/huggingface")).expanduser() / "hub"


def _snapshot(repository: str, revision: str) -> Path | None:
    """Return the folder of a downloaded revision, if it is whole."""
    folder = hub_cache() / f"models--{repository.replace('/', '--')}" / "snapshots"
    snapshots = [each for each in folder.glob(f"{revision}*") if (each / "config.json").is_file()]
    return snapshots[0] if snapshots and has_weights(snapshots[0]) else None


def _deciding(folder: Path) -> Iterator[Path]:
    return iter(sorted({file for pattern in DECIDING for file in folder.rglob(pattern)}))


def _stamp(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


@functools.lru_cache(maxsize=64)
def _digest(folder: Path, stamps: tuple[tuple[str, int, int], ...]) -> str:
    """Return the digest of files, which are read again once their size or time has changed."""
    digest = hashlib.sha256()
    for path, _, _ in stamps:
        with Path(path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{Path(path).relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:16]
