"""SLURM's own programs: `sbatch`, `squeue`, `scancel`, `sinfo`. The one door to them."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from audiocls.errors import MachineFault, UsageError, did_you_mean
from audiocls.execution.slurm.profile import hours_of
from audiocls.formatting import join_names

OLDEST = (17, 11)
"""Releases before this one name states and array tasks in other ways."""
STEPS_ARE_EXCLUSIVE = (20, 11)
"""From here on, a step has its cores to itself unless it says `--overlap`."""
PATIENCE_S = 60.0
"""For a controller that is busy."""
MOST_PARTITIONS = 20
ADVICE = {
    "Invalid job array specification": "fewer --workers; `scontrol show config` has the most that "
    "an array may have as MaxArraySize",
    "Unable to contact slurm controller": "`scontrol ping` says whether it is up; try again later",
}
"""By what `sbatch` says."""


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


def require_partitions(wanted: str, time: str = "") -> None:
    """Raise `UsageError` for a partition that there is not, or that is left before `time`.

    Jobs that ask for more time than all their partitions allow may be accepted, and never start.
    Nothing is raised where `sinfo` cannot be asked.
    """
    if shutil.which("sinfo") is None:
        return
    answer = _run("sinfo", "--noheader", "--all", "--format=%R|%l")
    limits = dict(line.split("|", 1) for line in answer.stdout.splitlines() if "|" in line)
    if answer.returncode or not limits:
        return
    names = wanted.split(",")
    for name in names:
        if name not in limits:
            listed = join_names(sorted(limits), MOST_PARTITIONS)
            raise UsageError(
                f"partition: got {name!r}; this cluster has: {listed}.{did_you_mean(name, limits)}"
            )
    hours, most = hours_of(time), [hours_of(limits[name].strip()) for name in names]
    if hours is not None and all(limit is not None and limit < hours for limit in most):
        allowed = ", ".join(f"{limits[name].strip()} in {name}" for name in names)
        raise UsageError(f"time: got {time!r}; allowed: at most {allowed}")


def other_hosts(partitions: str = "") -> list[str]:
    """Return the compute nodes that are not this machine, none where `sinfo` cannot be asked."""
    if shutil.which("sinfo") is None:
        return []
    asked = [f"--partition={partitions}"] if partitions else []
    answer = _run("sinfo", "--noheader", "--Node", *asked, "--format=%n")
    here = {"localhost", socket.gethostname().partition(".")[0]}
    hosts = [] if answer.returncode else answer.stdout.split()
    return sorted({host for host in hosts if host.partition(".")[0] not in here})


def submit(script: str, options: Mapping[str, str]) -> tuple[str, str]:
    """Submit a batch script; return the job's id, and what `sbatch` says beside it.

    The options are given once more, for `SBATCH_…` in the environment replaces those in a script.
    Raises `UsageError` with what `sbatch` says against the job.
    """
    ran = _sbatch(script, options, "--parsable")
    # A name follows where there are several clusters, and a site's own wrapper may greet first.
    job = re.search(r"^(\d+)(;.*)?$", ran.stdout, re.MULTILINE)
    if job is None:
        raise MachineFault(
            f"sbatch names no job: {ran.stdout.strip()!r}; `squeue --user={os.getuid()}` shows "
            "whether one was submitted"
        )
    return job[1], _message(ran.stderr)


def test_only(script: str, options: Mapping[str, str]) -> str:
    """Return what `sbatch` says of a job without submitting it, such as when it would start.

    Raises `UsageError` as `submit` does.
    """
    return _message(_sbatch(script, options, "--test-only").stderr)


def _sbatch(script: str, options: Mapping[str, str], how: str) -> subprocess.CompletedProcess[str]:
    words = [f"--{name}={value}" if value else f"--{name}" for name, value in options.items()]
    ran = _run("sbatch", how, *words, given=script)
    if ran.returncode:
        raise UsageError(f"sbatch refuses the job, and nothing was submitted: {_why(ran.stderr)}")
    return ran


def _message(stderr: str) -> str:
    """Return what `sbatch` says on one line."""
    lines = [
        line.removeprefix("sbatch: ").removeprefix("error: ").removeprefix("fatal: ")
        for line in stderr.splitlines()
    ]
    return "; ".join(line for line in lines if line and "--help" not in line)


def _why(stderr: str) -> str:
    """Return what `sbatch` says against a job, with what to do about it as far as that is known."""
    message = _message(stderr) or "no reason given"
    for text, advice in ADVICE.items():
        if text in message:
            return f"{message}: {advice}"
    unknown = re.search(r"unrecognized option '--([\w-]+)", message)
    if unknown is None:
        return message
    known = re.findall(r"--([a-z][\w-]+)", _run("sbatch", "--help").stdout)
    return f"{message}.{did_you_mean(unknown[1], known)}"


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
