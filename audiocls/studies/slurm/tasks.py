"""The tasks of a study's job arrays: which are pending or running, and what became of the others.

Who works on the study is known from its folder, on any machine; the queue is known where SLURM's
programs are.
"""

from collections.abc import Iterator
from itertools import groupby

from audiocls.execution.slurm import commands
from audiocls.execution.slurm.commands import QueuedTask
from audiocls.execution.slurm.script import REQUEUED
from audiocls.formatting import join_names, plural
from audiocls.store import StudyFolder
from audiocls.store.submissions import Submissions

MOST_NODES = 8
"""That a sentence names."""


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
    """Yield what is in the queue, by job and state, and why tasks that have ended could not begin.

    Those of the latest job alone: a new submission is an answer to what an earlier one said.
    """
    ordered = sorted(tasks or (), key=lambda each: (each.job, each.state, each.reason))
    for (job, state, reason), group in groupby(ordered, lambda t: (t.job, t.state, t.reason)):
        alike = list(group)
        nodes = sorted({task.node for task in alike if task.node})
        where = f" on {join_names(nodes, MOST_NODES)}" if nodes else ""
        why = f" ({reason})" if reason else ""
        yield f"SLURM job {job}: {plural(len(alike), 'task')} {state.lower()}{where}{why}"
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
    for log, said in submissions.last_words(job) if job else ():
        if log.stem not in alive and not said.endswith(REQUEUED):
            yield f"{said} ({log})"
