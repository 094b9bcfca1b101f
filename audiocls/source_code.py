"""Source code as far as it decides anything: its text without prose, and digests of files of it."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

STRING = r"""(?P<quote>"{3}|'{3}|"|')(?:\\.|(?!(?P=quote)).)*(?P=quote)"""
LEXEME = re.compile(rf"(?P<comment>#[^\n]*)|{STRING}|[()\[\]{{}}\n]|[^#\"'()\[\]{{}}\n]+", re.S)
BARE_STRING = re.compile(rf"\s*[rRuU]?{STRING}\s*", re.S)


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


def digest_of_files(root: Path, files: Sequence[Path]) -> str:
    """Return 12 hex digits over names (from `root`) and contents; prose of Python does not count.

    Empty where there is no file.
    """
    if not files:
        return ""
    digest = hashlib.sha256()
    for file in files:
        text = text_of(file)
        code = significant(text) if file.suffix == ".py" else text
        name = os.path.relpath(file, root.resolve())
        digest.update(f"{name}\n{code}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:12]


def text_of(file: Path) -> str:
    """Return a file's text; empty for one that is gone."""
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
