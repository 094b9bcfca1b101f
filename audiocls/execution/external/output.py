"""What is read from the output of a program: its last lines, and where its W&B run is.

A program may keep its run elsewhere, `wandb.init(dir=…)`; W&B's client then prints the folder. A
link to it among the study's own runs lets us read the run while the program runs, and lets
`audiocls sweep sync` find it.
"""

import re
from pathlib import Path

RUN_FOLDER = re.compile(r"Run data is saved locally in (.+)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
TAIL_LINES = 20
TAIL_BYTES = 8192
LONGEST_LINE = 300
"""Characters of a program's last line that a message repeats; the log has all of it."""


def tail(log: Path, first_byte: int) -> str:
    """Return the last lines of a log that were written from `first_byte` on."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(first_byte, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:])


def last_line(output: str) -> str:
    """Return the last line that is not W&B's, cut to `LONGEST_LINE`; empty if there is none."""
    lines = [line.strip() for line in COLOUR.sub("", output).splitlines()]
    text = next((line for line in lines[::-1] if line and not line.startswith("wandb:")), "")
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"


class RunDirectoryFinder:
    """Reads a growing log, each byte once, until W&B's client has printed the run's folder."""

    def __init__(self, log: Path, first_byte: int, cwd: str, folder: Path):
        self._log, self._at = log, first_byte
        self._cwd, self._folder = cwd, folder / "wandb"
        self._is_found = False

    def link(self) -> None:
        """Link the run's folder among the study's runs, if new output names it."""
        if self._is_found or not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._at)
            whole_lines, _, _ = file.read().rpartition(b"\n")
        self._at += len(whole_lines)
        for path in RUN_FOLDER.findall(COLOUR.sub("", whole_lines.decode(errors="replace"))):
            self._is_found = True
            self._link(Path(self._cwd, path.strip()).resolve())

    def _link(self, run: Path) -> None:
        link = self._folder / run.name
        if not link.exists() and run.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            link.symlink_to(run, target_is_directory=True)
