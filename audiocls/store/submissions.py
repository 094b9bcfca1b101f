"""`Submissions`: the job arrays that were submitted for a study.

`slurm/` in its folder has the script of each as `<job>.sh` and the log of each task as
`<job>_<number>.log`. Which of them have ended is known to the scheduler alone.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from audiocls.atomic import write_text
from audiocls.formatting import command_line, plural

MARK = "audiocls: task "
"""How a line of a task's log begins which says why it could not begin, or what becomes of it."""
KILLED = re.compile(r"slurmstepd\S*: error: (?P<why>.*(DUE TO|oom|OOM|exceeded).*)")
"""What SLURM writes into a log when it ends a task, unless somebody has asked for that."""
TAIL_BYTES = 65536
"""At the end of a log, in which such lines are looked for."""


@dataclass(frozen=True)
class Submission:
    """A job array that trains a study: each of its tasks is a launch."""

    script: str
    job: str = ""
    """Its id; empty where nothing was submitted (`--dry-run`)."""
    num_tasks: int = 0

    def sentence(self, study: Path, name: str = "") -> str:
        """Return what was submitted for a study, and how to look at it and to stop it.

        `name` is that of the whole study, where what is submitted begins with its tuning trials.
        """
        if not self.job:
            return "nothing was submitted: this is what would be"
        look, stop = (
            command_line("sweep", verb, name or study.name, runs=study.parent)
            for verb in ("status", "stop")
        )
        return (
            f"submitted: SLURM job {self.job}, {plural(self.num_tasks, 'task')}; logs: "
            f"{study}/slurm/{self.job}_*.log; look: {look}; stop: {stop}"
        )


@dataclass(frozen=True)
class Submissions:
    """The job arrays of one study."""

    study: Path

    @property
    def folder(self) -> Path:
        """Where scripts and logs lie."""
        return self.study / "slurm"

    def keep(self, job: str, script: str) -> None:
        """Keep the script of a job that was submitted."""
        write_text(self.folder / f"{job}.sh", script)

    def jobs(self) -> list[str]:
        """Return the ids of all jobs, the latest last."""
        stems = (file.stem for file in self.folder.glob("*.sh"))
        return sorted(filter(str.isdecimal, stems), key=_as_number)

    def logs(self, job: str) -> list[Path]:
        """Return the logs of a job's tasks that have begun."""
        return sorted(self.folder.glob(f"{job}_*.log"), key=lambda log: _as_number(log.stem))

    def last_messages(self, job: str) -> Iterator[tuple[Path, str]]:
        """Yield each log of a job that has messages of its task, and the last of them."""
        for log in self.logs(job):
            every = (_of_task(line, log.stem) for line in _tail(log).splitlines())
            if messages := list(filter(None, every)):
                yield log, messages[-1]


def _of_task(line: str, task: str) -> str:
    """Return what a line of a log says of its task; an empty text for any other line."""
    if line.startswith(MARK):
        return line.removeprefix("audiocls: ")
    killed = KILLED.match(line)
    return f"task {task}: {killed['why'].strip('* ')}" if killed else ""


def _as_number(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("_") if part.isdigit())


def _tail(file: Path) -> str:
    with suppress(OSError), file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
        return stream.read().decode("utf-8", "replace")
    return ""
