"""Digest of the code that decides a trial's numbers, without torch and without its prose."""

import functools
import hashlib
import re
from importlib.metadata import version
from pathlib import Path

import audiocls
from audiocls.store import Provenance
from audiocls.store.same_numbers import canonical_code

DECIDING = ("audio", "config", "models", "optim", "training", "seeding.py", "options.py")
"""Packages that decide a trial's numbers; a change elsewhere leaves records comparable."""

STRING = r"""(?P<quote>"{3}|'{3}|"|')(?:\\.|(?!(?P=quote)).)*(?P=quote)"""
LEXEME = re.compile(rf"(?P<comment>#[^\n]*)|{STRING}|[()\[\]{{}}\n]|[^#\"'()\[\]{{}}\n]+", re.S)
BARE_STRING = re.compile(rf"\s*[rRuU]?{STRING}\s*", re.S)


@functools.lru_cache(maxsize=1)
def code_digest() -> str:
    """Return 12 hex digits over the source that decides a trial's numbers.

    Comments and docstrings do not count: correcting one changes no result.
    """
    root = Path(audiocls.__file__).parent
    digest = hashlib.sha256()
    for name in DECIDING:
        place = root / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            code = significant(file.read_text(encoding="utf-8"))
            digest.update(f"{file.relative_to(root).as_posix()}\n{code}".encode())
    return digest.hexdigest()[:12]


def significant(source: str) -> str:
    """Return the Python `source` without comments, docstrings and blank lines.

    Written by hand because `tokenize` takes 0.2 s for what a worker needs before its first trial,
    and because the text of `ast.unparse` differs between versions of Python.
    """
    kept, line, depth = [], "", 0
    for lexeme in LEXEME.finditer(source + "\n"):
        if lexeme["comment"]:
            continue
        text = lexeme[0]
        depth += (text in "([{") - (text in ")]}")
        line = line.rstrip() + "\n" if text == "\n" else line + text
        if text == "\n" and not depth and not line.endswith("\\\n"):
            if line.strip() and not BARE_STRING.fullmatch(line):
                kept.append(line)
            line = ""
    return "".join(kept)


def is_as_now(made: Provenance, is_on_cpu: bool) -> bool:
    """Whether a trial trained now could be paired with one whose provenance is `made`."""
    is_same_code = canonical_code(made.code) == canonical_code(code_digest())
    is_same_torch = made.torch.partition("+")[0] == version("torch").partition("+")[0]
    is_same_device = (made.device == "cpu") == is_on_cpu
    return is_same_code and is_same_torch and is_same_device
