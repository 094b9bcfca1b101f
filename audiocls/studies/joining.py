"""`joining`: a launch takes part in a study, beside any number of others on any host."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from audiocls.errors import UsageError
from audiocls.execution.provenance import code_digest, now
from audiocls.formatting import command_line
from audiocls.store import Study, StudyFolder
from audiocls.store.launches import LaunchInfo
from audiocls.store.lease import require_shareable
from audiocls.store.same_numbers import canonical_code
from audiocls.studies.slurm.tasks import tasks_of

LOOK_EVERY_S = 0.5
STOPS = "AUDIOCLS_STOPS_BEFORE"
"""Environment variable of a submitted task: the requests to stop that were there by then. One that
was made while the task was pending holds for it."""


def submitted_before() -> set[str]:
    """Return the requests to stop that do not hold for this task; an empty one is none at all."""
    return {"", *os.environ.get(STOPS, "").split(",")}


def task_of(environment: Mapping[str, str]) -> str:
    """Return the task of a cluster's scheduler that this process belongs to, if any, for people."""
    array, number = (environment.get(f"SLURM_ARRAY_{name}") for name in ("JOB_ID", "TASK_ID"))
    job = f"{array}_{number}" if array and number else environment.get("SLURM_JOB_ID", "")
    return job and f"SLURM task {job}"


@dataclass(frozen=True)
class Membership:
    """The part of one launch in a study."""

    folder: StudyFolder
    own: LaunchInfo

    def others(self) -> list[LaunchInfo]:
        """Return the other launches that work on the study now."""
        return [each for each in self.folder.launches.alive() if each.name != self.own.name]

    def require_same_code(self) -> None:
        """Raise `UsageError` if another launch trains with other code: results would not pair."""
        known = {canonical_code(each.code): each for each in self.others() if each.code}
        if known and (mine := canonical_code(code_digest())) not in known:
            theirs, other = next(iter(known.items()))
            how = f"with other code ({theirs}, here {mine})"
            raise self._refusal(f"is being run by {other.who} {how}")

    def require_same_plan(self, before: Study, kept: Study) -> None:
        """Raise `UsageError` if `kept` would replace the plan that another launch works on.

        One that is in the queue of a cluster will do so once its task starts.
        """
        if kept == before or is_extension(before, kept):
            return
        if others := self.others():
            raise self._refusal(f"is being run by {others[0].who} with other settings")
        own = os.environ.get("SLURM_ARRAY_JOB_ID")
        if queued := [task for task in tasks_of(self.folder) or () if task.job != own]:
            job = f"SLURM job {queued[0].job}"
            raise self._refusal(f"will be run by {job}, which is in the queue with other settings")

    def _refusal(self, how: str) -> UsageError:
        stop = command_line("sweep", "stop", self.folder.name, runs=self.folder.path.parent)
        return UsageError(
            f"study {self.folder.name!r} {how}: wait for it, stop it with `{stop}`, or keep both "
            "with --study NAME"
        )

    def describe_code(self) -> None:
        """Let others know what code trains here."""
        self.folder.launches.describe(replace(self.own, code=code_digest()))


def is_extension(before: Study, kept: Study) -> bool:
    """Whether trials of `before` are all trials of `kept`, or proposed by the same search."""
    if before.search is None or kept.search is None:
        return set(before.cells) <= set(kept.cells)
    return (before.search, before.overrides) == (kept.search, kept.overrides)


@contextmanager
def joining(folder: StudyFolder, stop: threading.Event) -> Iterator[Membership]:
    """Be one of the launches of a study meanwhile; a request that they stop sets `stop`.

    Raises `UsageError` where no study can be kept, or none that is shared.
    """
    require_shareable(folder.path)
    before = {folder.launches.stop_token()} if STOPS not in os.environ else submitted_before()
    is_over = threading.Event()

    def watch() -> None:
        while not stop.is_set() and not is_over.wait(LOOK_EVERY_S):
            with suppress(OSError):  # a network's fault may pass
                if folder.launches.stop_token() not in before:
                    stop.set()

    watcher = threading.Thread(target=watch, daemon=True)
    with folder.launches.joined(now(), task_of(os.environ)) as own:
        watcher.start()
        try:
            yield Membership(folder, own)
        finally:
            is_over.set()
            watcher.join()
