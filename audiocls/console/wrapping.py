"""Sentences in a terminal: broken between words, and never inside a command that can be copied."""

import re
import textwrap

COMMAND = re.compile(r"(?:^|(?<=: ))audiocls (?:(?!\. |; ).)*$")
"""A command at the end of a line, with no sentence after it."""
PROSE_WIDTH = 80
"""Columns of a table's sentences in a pipe or a file, where nothing else limits them."""

NARROW_PROSE = 40
"""Columns that they need at least, before a terminal goes without other columns for them."""


def wrapped(text: str, width: int) -> str:
    """Return `text` with lines of at most `width` columns, as far as its words allow.

    Further lines of an indented one, or of an item, are indented likewise. A command at the end has
    a line of its own where it does not fit, and stays whole.

    >>> print(wrapped("- one two three four five. Resume with: audiocls sweep launch mine", 24))
    - one two three four
      five. Resume with:
      audiocls sweep launch mine
    """
    return "\n".join(part for line in text.split("\n") for part in _lines(line, width))


def _lines(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" -")))
    match = COMMAND.search(line)
    prose = line[: match.start()].rstrip() if match else line
    lines = textwrap.wrap(
        prose, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [*lines, f"{indent}{match[0]}"] if match else lines


def name_in_lines(name: str, width: int) -> str:
    """Return a name in lines of at most `width` columns, as far as its parts allow.

    >>> print(name_in_lines("dropout=0.1,mixup=off", 13))
    dropout=0.1,
    mixup=off
    """
    lines = [""]
    for part in re.split(r"(?<=[,=_/-])|(?<=\.)(?=[A-Za-z])", name):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
