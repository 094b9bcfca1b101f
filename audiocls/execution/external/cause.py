"""Why a program ended badly, from its output: its last exception, wherever that stands.

What starts a program adds words of its own after the program's (torchrun, Hydra, srun, conda), and
so does what runs at its exit; frames, colours and progress bars surround them. The last line is the
cause only where there is neither an exception nor a line that says `error`.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCANNED_BYTES = 2**20
TAIL_LINES = 20
LINES_BEFORE = 15
"""Of an exception's own lines, those that are kept with it."""
LONGEST = 300
"""Characters of a cause that a message repeats; the log has all of it."""

COLOUR = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
PREFIX = re.compile(
    r"^(?:\s*[│┃|+]\s?)*(?:\[(?:rank|default)\d+\]:\s?|\(\w+ pid=\d+[^)]*\)\s|\d+: (?=\S))?"
)
"""What frames, ranks and `srun --label` put before each line."""
FRAME = re.compile(r"[│┃╭╮╰╯─━┌┐└┘=*#\s-]*")
ERROR_PANEL = re.compile(r"[╭┌][─━ ]+Error\b")
"""The upper edge of the frame in which Typer shows a wrong option."""
TRACEBACK = re.compile(r"(?:Exception Group )?Traceback \(most recent call last\)")
EXCEPTION = re.compile(
    r"(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Iteration)(?::(?: .*)?)?"
    r"|(?:\w+\.)*[A-Z]\w*(?:Failure|Timeout|Expired|Abort|NotFound): .*"
)
"""The line of an exception as Python prints it, where no traceback stands above it."""
BLAMING = re.compile(
    r"^(?:\S+: )?(?:line \d+: )?(?:fatal |uncaught )?(?:error|exception|fatal|panic)\b.*[:!].+"
    r"|^\S+: error: .+|command not found|No such file or directory|Segmentation fault"
    r"|^what\(\):|^Exception in thread|^Error in |\b(?-i:ERROR|CRITICAL|FATAL)\b",
    re.I,
)
"""A line that says `error` in the manner of shells, argparse, click, logs, R, Julia or C++."""
LAUNCHERS = re.compile(
    r"ChildFailedError|CalledProcessError|ProcessExitedException|ProcessRaisedException"
    r"|torch[./]distributed[./](?:elastic|run|launcher)|conda\.cli|^(?:srun|slurmstepd|mpirun): "
    r"|^Error executing job|HYDRA_FULL_ERROR|^SystemExit|_RemoteTraceback|RayTaskError"
    r"|^make: \*\*\*"
)
"""Words of what has started the program: about its end, not about the cause."""
CONSEQUENCES = re.compile(
    r"DistBackendError|ConnectionResetError|BrokenPipeError|ConnectionAbortedError|EOFError"
    r"|Connection (?:closed|reset)|Broken pipe|DistStoreError|DistNetworkError"
)
"""Exceptions that one process has because another one has ended."""
IGNORED = re.compile(r"Exception ignored\b|Error in atexit\._run_exitfuncs")
"""What Python says above an exception that it goes on from, such as one in a finalizer."""
CHAINED = re.compile(r"During handling of the above exception|The above exception was the direct")
BAR = re.compile(r"\d+%\|.*\||it/s[\],]|s/it[\],]")
QUIET = re.compile(r"^(?:wandb:|\[W\d* |.*Warning: )")
SURVIVED = 40
"""Lines of the program's own after an exception that show that it went on."""


@dataclass(frozen=True)
class LastWords:
    """What a program said of its end."""

    cause: str
    """One line; empty where it said nothing."""
    excerpt: str
    """The lines around the cause, and the last ones."""


def last_words(log: Path, first_byte: int) -> LastWords:
    """Return what a program that wrote from `first_byte` of its log on said of its end."""
    return last_words_in(_text(log, first_byte))


def _text(log: Path, first_byte: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(first_byte, log.stat().st_size - SCANNED_BYTES))
        return file.read().decode(errors="replace")


def last_words_in(output: str) -> LastWords:
    """Return the cause in a program's output, and the lines that a reader needs with it.

    >>> last_words_in("ValueError: lr is 7\\nEpoch 2: 33%|###   | 1/3\\ngoodbye").cause
    'ValueError: lr is 7'
    """
    whole = COLOUR.sub("", output.replace("\r\n", "\n")).splitlines()
    lines = [line.rpartition("\r")[2] for line in whole]
    words = [PREFIX.sub("", line).rstrip(" │┃|") for line in lines]
    position = _position(words)
    if position is None:
        return LastWords("", _joined(lines[-TAIL_LINES:]))
    begin, tail = max(0, position - LINES_BEFORE), max(0, len(lines) - TAIL_LINES)
    around = lines[begin : position + 2]
    kept = lines[min(begin, tail) :] if tail <= position + 2 else [*around, "…", *lines[tail:]]
    return LastWords(_cut(_with_message(words, position)), _joined(kept))


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).strip("\n")


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _position(words: Sequence[str]) -> int | None:
    """Return the line that tells the cause: see the module; `None` where there is no word."""
    spoken = [i for i, text in enumerate(words) if not _is_noise(text)]
    ignored = _ignored(words)
    theirs = [i for i in spoken if i not in ignored and not LAUNCHERS.search(words[i])]
    raised = _exceptions(words)
    of_program = [i for i in raised if i not in ignored and not LAUNCHERS.search(words[i])]
    of_program = [i for i in of_program if sum(other > i for other in theirs) < SURVIVED]
    first_hand = [i for i in of_program if not CONSEQUENCES.search(words[i])]
    framed = [i for i in theirs if i and ERROR_PANEL.match(words[i - 1])]
    blaming = [i for i in theirs if BLAMING.search(words[i].strip())]
    ranked = (first_hand, of_program, framed, blaming, theirs, raised, spoken)
    return next((lines[-1] for lines in ranked if lines), None)


def _exceptions(words: Sequence[str]) -> list[int]:
    """Return the lines of exceptions: known by their form, or by the traceback above them."""
    lines, is_inside = [], False
    for position, text in enumerate(words):
        if TRACEBACK.match(text.strip(" │╭╮─")):
            is_inside = not text.startswith(("╭", "┌"))  # what rich frames has its end below
        elif (is_inside and text and not text[0].isspace()) or EXCEPTION.fullmatch(text.strip()):
            lines.append(position)
            is_inside = False
    return lines


def _ignored(words: Sequence[str]) -> set[int]:
    """Return the lines of exceptions that Python goes on from, with their tracebacks."""
    ignored, is_inside = set[int](), False
    for position, text in enumerate(words):
        is_more = CHAINED.match(text) and position - 2 in ignored  # a blank line lies between
        is_first = bool(IGNORED.match(text) or is_more)
        if is_first or is_inside:
            ignored.add(position)
        goes_on = not text or text[0].isspace() or TRACEBACK.match(text)
        is_inside = is_first or (is_inside and bool(goes_on))
    return ignored


def _is_noise(text: str) -> bool:
    return bool(QUIET.match(text) or BAR.search(text) or FRAME.fullmatch(text))


def _with_message(words: Sequence[str], position: int) -> str:
    """Return the cause, with the next line where its own says nothing, or a frame's whole text."""
    after = (text.strip() for text in words[position + 1 :])
    if position and ERROR_PANEL.match(words[position - 1]):
        rest = itertools.takewhile(lambda text: not FRAME.fullmatch(text), after)
        return " ".join([words[position].strip(), *rest])
    text = words[position].strip()
    return f"{text} {next(filter(None, after), '')}".strip() if text.endswith(":") else text
