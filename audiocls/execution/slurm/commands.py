"""SLURM's own programs: `sbatch`, `squeue`, `scancel`, `sinfo`. The one door to them."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from audiocls.errors import MachineFault, UsageError, did_you_mean
from audiocls.formatting import join_names

OLDEST = (17, 11)
"""Releases before this one name states and array tasks in other ways."""
STEPS_ARE_EXCLUSIVE = (20, 11)
"""From here on, a step has its cores to itself unless it says `--overlap`."""
PATIENCE_S = 60.0
"""For a controller that is busy."""
MOST_PARTITIONS = 20


@dataclass(frozen=True)
class QueuedTask:
    """A task that is pending, running or ending."""

    task: str
    """`<job>_<number>`."""
    job: str
    state: str
    """As SLURM calls it, such as `PENDING`."""
    node: str = ""
    reason: str = ""
    """Why it is pending, such as `Resources`; empty where SLURM gives none."""

    @property
    def is_pending(self) -> bool:
        """Whether it waits for its turn, for the first time or again."""
        return self.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT")


def version() -> tuple[int, ...]:
    """Return the release of SLURM; raises `UsageError` where there is none or it is too old."""
    if shutil.which("sbatch") is None:
        raise UsageError(
            "--executor slurm: no sbatch found on PATH: run this on a login node of the cluster, "
            "or load its module first (`module load slurm`)"
        )
    answer = _run("sbatch", "--version")
    if answer.returncode:
        raise UsageError(
            f"--executor slurm: sbatch does not work on this machine: {_why(answer.stderr)}. "
            "Run this on a login node of the cluster"
        )
    said = answer.stdout.strip()
    match = re.search(r"(\d+)\.(\d+)", said)
    numbers = tuple(map(int, match.groups())) if match else ()
    if numbers < OLDEST:
        wanted = ".".join(f"{number:02d}" for number in OLDEST)
        raise UsageError(
            f"--executor slurm: sbatch says {said!r}; SLURM {wanted} or newer is wanted. "
            "The same `sweep launch` in a script of your own does as well: launches share a study"
        )
    return numbers


def require_partitions(wanted: str) -> None:
    """Raise `UsageError` for a partition that `sinfo` does not list, if that can be asked."""
    if shutil.which("sinfo") is None:
        return
    answer = _run("sinfo", "--noheader", "--all", "--format=%R")
    known = sorted(set(answer.stdout.split()))
    if answer.returncode or not known:
        return
    for name in wanted.split(","):
        if name not in known:
            listed = join_names(known, MOST_PARTITIONS)
            raise UsageError(
                f"partition: got {name!r}; this cluster has: {listed}.{did_you_mean(name, known)}"
            )


def submit(script: str) -> str:
    """Submit a batch script; return the job's id. Raises `UsageError` with what `sbatch` says."""
    ran = _run("sbatch", "--parsable", given=script)
    if ran.returncode:
        raise UsageError(f"sbatch refuses the job, and nothing was submitted: {_why(ran.stderr)}")
    return ran.stdout.strip().split(";")[0]  # of several clusters, its name follows


def _why(stderr: str) -> str:
    """Return what `sbatch` says, as a sentence, with the nearest option that it has."""
    lines = [
        line.removeprefix("sbatch: ").removeprefix("error: ").removeprefix("fatal: ")
        for line in stderr.splitlines()
    ]
    said = "; ".join(line for line in lines if line and "--help" not in line) or "no reason given"
    unknown = re.search(r"unrecognized option '--([\w-]+)", said)
    if unknown is None:
        return said
    known = re.findall(r"--([a-z][\w-]+)", _run("sbatch", "--help").stdout)
    return f"{said}.{did_you_mean(unknown[1], known)}"


def queued(jobs: Iterable[str]) -> tuple[QueuedTask, ...] | None:
    """Return the tasks of the user's jobs that have not ended; `None` where nobody can tell."""
    wanted = set(jobs)
    if not wanted:
        return ()
    if shutil.which("squeue") is None:
        return None
    words = ("--noheader", "--array", f"--user={os.getuid()}", "--format=%i|%F|%T|%N|%r")
    try:
        answer = _run("squeue", *words)
    except MachineFault:  # a controller that is busy: the tasks go on without it
        return None
    if answer.returncode:
        return None
    tasks = map(_task, answer.stdout.splitlines())
    return tuple(task for task in tasks if task is not None and task.job in wanted)


def _task(line: str) -> QueuedTask | None:
    """Return the task in a line of `squeue`; none where something else is said."""
    if line.count("|") < 4:
        return None
    task, job, state, node, reason = line.split("|", 4)
    return QueuedTask(task, job, state, node, "" if reason == "None" else reason)


def cancel(tasks: Iterable[QueuedTask]) -> None:
    """Cancel tasks as far as they are still pending; those that have begun are left alone."""
    if names := [task.task for task in tasks]:
        _run("scancel", "--state=PENDING", *names)


def _run(*words: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program of SLURM's; raise `MachineFault` where it does not answer."""
    try:
        return subprocess.run(
            words, input=given, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineFault(f"{words[0]} does not answer: {error}; try again later") from error
