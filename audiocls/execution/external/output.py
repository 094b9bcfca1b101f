"""`Announcements`: the runs that a program opens, from what W&B's client prints of each.

A program may keep a run elsewhere, by `wandb.init(dir=…)` or because it has cleared W&B's
variables; the client then prints the folder. A link to it among the study's own runs lets us read
the run while the program runs, and lets `audiocls sweep sync` find it.
"""

import re
from collections import Counter
from pathlib import Path

RUN_FOLDER = re.compile(r"Run data is saved locally in (.+)")
PROCESS = re.compile(r"^\S+ \S+ +\w+ +\w[\w-]*:(\d+) \[wandb_", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")


class Announcements:
    """Reads a growing log, each byte once, and links every run that is announced there."""

    def __init__(self, log: Path, first_byte: int, cwd: str, folder: Path):
        self._log, self._at = log, first_byte
        self._cwd, self._folder = cwd, folder / "wandb"
        self._announced: Counter[Path] = Counter()

    def read(self) -> None:
        """Link each run's folder among the study's runs that new output names."""
        if not self._log.exists():
            return
        with self._log.open("rb") as file:
            file.seek(self._at)
            whole_lines, _, _ = file.read().rpartition(b"\n")
        self._at += len(whole_lines)
        for path in RUN_FOLDER.findall(COLOUR.sub("", whole_lines.decode(errors="replace"))):
            if (run := self._folder_of(path.strip())) is not None:
                self._announced[run] += 1
                self._link(run)

    def _folder_of(self, path: str) -> Path | None:
        """Return the folder that is announced as a run's; none where no folder can be called so."""
        try:
            run = Path(self._cwd, path).resolve()
            run.is_dir()
        except (OSError, ValueError, RuntimeError):  # too long, a NUL, a circle of links
            return None
        return run

    def _link(self, run: Path) -> None:
        link = self._folder / run.name
        if not link.exists() and run.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            link.symlink_to(run, target_is_directory=True)

    @property
    def logs(self) -> dict[str, list[Path]]:
        """The logs of the announced runs that are there, by run id, in the order announced."""
        logs_of: dict[str, list[Path]] = {}
        for run in self._announced:
            for log in run.glob("run-*.wandb"):
                logs_of.setdefault(log.stem.removeprefix("run-"), []).append(log)
        return logs_of

    def num_processes_of_one_run(self) -> int:
        """Return how many processes have shared the folder of one run; 1 where none did.

        W&B names it by second and id. Processes that begin in the same second then share it, and
        what all but one of them log is lost.
        """
        shared = [run for run, num in self._announced.items() if num > 1]
        return max((_num_processes(run, self._announced[run]) for run in shared), default=1)


def _num_processes(run: Path, num_announced: int) -> int:
    """Return the number of processes that W&B's own log of a run names, if there is that log."""
    log = run / "logs" / "debug.log"
    if not log.exists():
        return num_announced
    return len(set(PROCESS.findall(log.read_text(errors="replace")))) or num_announced
