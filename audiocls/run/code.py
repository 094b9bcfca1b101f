"""The code that decides a trial's numbers, known without torch."""

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

import audiocls
from audiocls.store import Provenance

DECIDING = ("audio", "config", "models", "optim", "train", "seeding.py", "part.py")
"""What decides a trial's numbers; a change elsewhere leaves records comparable."""


@functools.lru_cache(maxsize=1)
def code_digest() -> str:
    """12 hex digits over the source files that decide a trial's numbers."""
    root = Path(audiocls.__file__).parent
    digest = hashlib.sha256()
    for name in DECIDING:
        place = root / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def is_as_now(made: Provenance, is_on_cpu: bool) -> bool:
    """Whether a trial trained now would pair with one of that origin."""
    is_same_torch = made.torch.partition("+")[0] == version("torch").partition("+")[0]
    is_same_device = (made.device == "cpu") == is_on_cpu
    return made.code == code_digest() and is_same_torch and is_same_device
