"""The W&B run of a program that keeps it elsewhere, `wandb.init(dir=…)`.

W&B's client says in the program's output where that is. A link among the study's own runs makes it
one of them: to be read while the program runs, and to be found by `audiocls sweep sync`.
"""

import re
from pathlib import Path

SAID = re.compile(r"Run data is saved locally in (.+)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")


class RunDirectoryFinder:
    """Reads the output on, each byte once, until W&B has said where the run is."""

    def __init__(self, output: Path, first_byte: int, cwd: str, folder: Path):
        self._output, self._at = output, first_byte
        self._cwd, self._folder = cwd, folder / "wandb"
        self._is_found = False

    def link(self) -> None:
        """Link what was said since the last time, if it is not among the study's runs."""
        if self._is_found or not self._output.exists():
            return
        with self._output.open("rb") as file:
            file.seek(self._at)
            whole, _, _ = file.read().rpartition(b"\n")
        self._at += len(whole)
        for said in SAID.findall(COLOUR.sub("", whole.decode(errors="replace"))):
            self._is_found = True
            self._link(Path(self._cwd, said.strip()).resolve())

    def _link(self, run: Path) -> None:
        link = self._folder / run.name
        if not link.exists() and run.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            link.symlink_to(run, target_is_directory=True)
