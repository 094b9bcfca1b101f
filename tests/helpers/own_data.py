"""Folders of short sounds with lists beside them, and what is read of them."""

from pathlib import Path

import pytest

from audiocls.audio.clips import ClipTable
from audiocls.audio.datasets import Folder
from audiocls.errors import DataError, UsageError
from helpers.audio import uniform_noise, write_wav

RATE = 8000


def sound(path: Path, seed: int = 0, num_samples: int = 800) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, uniform_noise(num_samples, peak=0.3, seed=seed), RATE)
    return path


def sounds(root: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        sound(root / name, seed)


def listed(root: Path, text: str, name: str = "manifest.csv", **options: object) -> Folder:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    return Folder(root=str(root), **options)


def table(data: Folder) -> ClipTable:
    return data.table(Path("unused"))


def facts(data: Folder) -> list[tuple[str, tuple[str, ...], str]]:
    found = table(data)
    return [(c.id, tuple(found.labels[i] for i in c.labels), c.side) for c in found.clips]


def told(data: Folder) -> dict[str, str]:
    return {remark.kind: remark.text for remark in table(data).remarks}


def refusal(data: Folder) -> str:
    with pytest.raises((DataError, UsageError)) as raised:
        table(data)
    return str(raised.value)
