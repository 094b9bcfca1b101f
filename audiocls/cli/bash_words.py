"""Bash's words for completion: it breaks `optim.name=ad` and `mine:best` into three.

So a `=` or `:` is a word by itself for what completes, and only what follows it is replaced by what
is offered (COMP_WORDBREAKS). Other shells keep such words whole.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO

ASKED = "_AUDIOCLS_COMPLETE"
"""Environment variable by which a shell asks; typer derives it from the program's name."""
BREAKS = frozenset("=:")


def is_completing() -> bool:
    """Whether a shell asks what can follow, rather than for a command."""
    return ASKED in os.environ


@contextmanager
def joined() -> Iterator[None]:
    """Ask with whole words where bash asks, and print of what is offered what bash replaces."""
    if os.environ.get(ASKED) != "complete_bash":
        yield
        return
    words, place = os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"])
    if len(words) == 1:  # by whoever joins them with blanks
        words = words[0].split(" ")
    whole, place = rejoined(words, place)
    os.environ |= {"COMP_WORDS": "\n".join(whole), "COMP_CWORD": str(place)}
    before = _kept(whole[place]) if place < len(whole) else ""
    offered = StringIO()
    try:
        with redirect_stdout(offered):
            yield
    finally:
        for line in offered.getvalue().splitlines():
            sys.stdout.write(f"{line.removeprefix(before)}\n")


def rejoined(words: Sequence[str], place: int) -> tuple[list[str], int]:
    """Return whole words, and the place among them of the word at `place`.

    >>> rejoined(["audiocls", "train", "optim.name", "=", "ad"], 4)
    (['audiocls', 'train', 'optim.name=ad'], 2)
    """
    whole: list[str] = []
    is_open, found = False, 0
    for number, word in enumerate(words):
        is_break = bool(word) and set(word) <= BREAKS
        if whole and (is_break or (is_open and not word.startswith("-"))):
            whole[-1] += word
        else:
            whole.append(word)
        is_open = is_break
        found = len(whole) - 1 if number == place else found
    return whole, found if place < len(words) else len(whole)


def _kept(word: str) -> str:
    """Return the part of a word that bash keeps: up to its last break."""
    return word[: max(word.rfind(each) for each in BREAKS) + 1]
