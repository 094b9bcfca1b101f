"""The pages of the manual, read as what can be run: their blocks, and commands in sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("docs", "benchmarks", "examples", "notebooks")
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(p for d in FOLDERS for p in (ROOT / d).rglob("*.md")),
]
USAGE = re.compile(r"audiocls [a-z ]*(\[OPTIONS\]|\{)")
"""What shows how a command is called, and is none."""
COMMAND = re.compile(
    r"(?:[A-Z]+=\S+ )?(?:audiocls|python|pip|uv|uvx|make|cd|export|ray|hf|ssh|papermill) \S"
)
"""How a command begins where other text stands, too."""
SHOWN = ("", "text", "indented", "sentence")
"""Languages of pieces in which commands may stand beside other text."""
FENCED = r"^ *```(?P<language>\w*)(?P<info>[^\n]*)\n(?P<fenced>.*?)^ *```$"
INDENTED = r"^\n(?P<indented>(?:    \S[^\n]*\n)+)"
SENTENCE = r"`(?P<sentence>[^`]+)`"
PIECES = re.compile(f"{FENCED}|{INDENTED}|{SENTENCE}", re.S | re.M)


@dataclass(frozen=True)
class Piece:
    """A fenced block, an indented one (`indented`), or words set as code (`sentence`)."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that a block is, if its first line names one: `# cluster.yaml`."""
        named = re.match(r"# ([\w./-]+\.(?:yaml|py))\b", self.text)
        return named[1] if named and self.language in ("python", "yaml") else None


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pieces(page: Path) -> Iterator[Piece]:
    """Yield all that a page sets as code, in its order."""
    for found in PIECES.finditer(page.read_text()):
        if found["fenced"] is not None:
            yield Piece(found["language"], found["fenced"])
        elif found["indented"] is not None:
            yield Piece("indented", found["indented"])
        else:
            yield Piece("sentence", " ".join(found["sentence"].split()))


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield language and text of each fenced block."""
    for piece in pieces(page):
        if piece.language not in ("indented", "sentence"):
            yield piece.language, piece.text


def lines(text: str) -> list[str]:
    """Return a block's lines without comments; a backslash at an end joins two."""
    joined = text.replace("\\\n", " ").splitlines()
    return [line for each in joined if (line := re.split(r"(?:^|\s)# ", each)[0].strip())]


def commands(page: Path) -> Iterator[str]:
    """Yield the command lines of a page's blocks, of any kind."""
    for piece in pieces(page):
        if piece.language != "sentence":
            yield from (
                line
                for line in lines(piece.text)
                if re.match(r"audiocls [a-z]", line) and not USAGE.match(line)
            )


def shell_lines(piece: Piece) -> list[str]:
    """Return the lines of a piece that are for a shell; beside other text, by their look."""
    if piece.language == "bash":
        return lines(piece.text)
    found = lines(piece.text) if piece.language in SHOWN else ()
    return [line for line in found if COMMAND.match(line) and not USAGE.match(line)]


def is_script(piece: Piece) -> bool:
    """Whether a block for the shell is more than a command a line."""
    is_more = re.search(r"^(case|for|if|while) ", piece.text, re.M)
    return piece.language == "bash" and is_more is not None
