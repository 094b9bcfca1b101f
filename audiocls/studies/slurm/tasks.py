"""The tasks of a study's job arrays: which are pending or running, and what became of the others.

Who works on the study is known from its folder, on any machine; the queue is known where SLURM's
programs are.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from audiocls.execution.slurm import commands
from audiocls.execution.slurm.commands import QueuedTask
from audiocls.execution.slurm.script import BEGINS, REQUEUED
from audiocls.formatting import join_names, plural
from audiocls.store import StudyFolder
from audiocls.store.submissions import Submissions

MOST_NODES = 8
"""That a sentence names."""
ASK_EVERY_S = 10.0
"""Between two questions to the controller: it serves the whole cluster."""
STUCK = {
    "BadConstraints": "no node has what is asked for",
    "AccountNotAllowed": "the account may not use this partition or QOS",
    "InvalidAccount": "there is no such account",
    "InvalidQOS": "there is no such QOS",
    "QOSNotAllowed": "the QOS may not use this partition",
    "PartitionTimeLimit": "time is more than the partition allows",
    "PartitionNodeLimit": "the partition does not allow so many nodes",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition is inactive",
    "DependencyNeverSatisfied": "the job that it depends on has failed",
    "JobHeldUser": "held, until `scontrol release`",
    "JobHeldAdmin": "held by an administrator",
    "launch failed requeued held": "a node could not start it; held, until `scontrol release`",
}
"""Reasons that waiting does not remove, and what SLURM means by them."""
PER_JOB = "PerJobLimit"
"""How reasons end that name a limit which one task exceeds."""


Tasks = tuple[QueuedTask, ...] | None
"""Those that have not ended; `None` where there is no `squeue` to tell, or it does not answer."""


def tasks_of(*folders: StudyFolder) -> Tasks:
    """Return the tasks of a study and of its tuning trials."""
    return commands.queued([job for each in folders for job in Submissions(each.path).jobs()])


def cancel_pending(*folders: StudyFolder) -> Tasks:
    """Cancel the tasks that wait for their turn; return them, `None` where nobody can tell."""
    if (tasks := tasks_of(*folders)) is None:
        return None
    pending = tuple(task for task in tasks if task.is_pending)
    commands.cancel(pending)
    return pending


def queue_notes(tasks: Tasks, *folders: StudyFolder) -> Iterator[str]:
    """Yield what is in the queue, and why tasks that have ended could not begin."""
    yield from queue_lines(tasks or ())
    yield from fault_notes(tasks, *folders)


def queue_lines(tasks: Iterable[QueuedTask]) -> Iterator[str]:
    """Yield what is in the queue, by job, state and reason."""
    ordered = sorted(tasks, key=lambda each: (each.job, each.state, each.reason))
    for (job, state, reason), group in groupby(ordered, lambda t: (t.job, t.state, t.reason)):
        alike = list(group)
        nodes = sorted({task.node for task in alike if task.node})
        where = f" on {join_names(nodes, MOST_NODES)}" if nodes else ""
        tasks_are = f"{plural(len(alike), 'task')} {state.lower()}{where}"
        yield f"SLURM job {job}: {tasks_are}{_why(reason) if alike[0].is_pending else ''}"


def _why(reason: str) -> str:
    """Return why tasks are pending, and that they stay so where waiting does not help."""
    meant = STUCK.get(reason, "more than one job may have" if reason.endswith(PER_JOB) else "")
    advice = f": {meant}. They do not start by waiting: stop the study, and change the profile"
    return f" ({reason}){advice if meant else ''}" if reason else ""


def fault_notes(tasks: Tasks, *folders: StudyFolder) -> Iterator[str]:
    """Yield why tasks that have ended could not begin, and what is not known of the others.

    Those of the latest job alone: a new submission is an answer to what an earlier one said.
    """
    latest = max(map(_latest, folders), key=lambda each: int(each[1] or -1))
    if tasks is None and latest[1]:
        yield (
            f"SLURM job {latest[1]} was submitted for it; no squeue answers here, so which of its "
            "tasks are pending is not known"
        )
    yield from _faults(*latest, {task.task for task in tasks or ()})


def _latest(folder: StudyFolder) -> tuple[Submissions, str]:
    submissions = Submissions(folder.path)
    return submissions, next(reversed(submissions.jobs()), "")


def _faults(submissions: Submissions, job: str, alive: set[str]) -> Iterator[str]:
    """Yield what tasks said that have ended without a launch."""
    for log, message in submissions.last_messages(job) if job else ():
        if log.stem not in alive and not message.endswith(REQUEUED) and BEGINS not in message:
            yield f"{message} ({log})"


@dataclass
class Queue:
    """Whether tasks of a study are in the queue, asked now and then."""

    folders: tuple[StudyFolder, ...]
    clock: Callable[[], float] = time.monotonic
    has_tasks: bool = False
    _asked_at: float = float("-inf")

    def is_empty(self) -> bool:
        """Whether no task is pending or running, as far as that is known."""
        if self.clock() >= self._asked_at + ASK_EVERY_S:
            self.has_tasks, self._asked_at = bool(tasks_of(*self.folders)), self.clock()
        return not self.has_tasks
