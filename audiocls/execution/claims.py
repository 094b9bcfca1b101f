"""`Claims`: which trials this launch holds, and which are in the hands of other launches.

A trial is trained by the launch that holds its lease. One that another launch holds is *elsewhere*:
it is looked at now and then, until it has ended there, or its holder has died and it is taken over.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace

from audiocls.execution.job import AnyJob, CommandSpec
from audiocls.execution.messages import Done, Failed
from audiocls.store import Damaged, Failure
from audiocls.store.attempts import MAX_LOSSES
from audiocls.store.lease import Lease, LeaseLost

LOOK_EVERY_S = 1.0


@dataclass
class Waiting:
    """A trial elsewhere, and the lease that this launch tries to get."""

    job: AnyJob
    lease: Lease


@dataclass
class Claims:
    """The leases of one launch."""

    held: dict[str, Lease] = field(default_factory=dict)
    elsewhere: dict[str, Waiting] = field(default_factory=dict)
    misfits: dict[str, Waiting] = field(default_factory=dict)
    """Trials whose blocks are trained on another kind of device."""
    admits: Callable[[str], bool] = lambda trial_id: True
    """Whether a trial that is held may be trained on the devices of this launch."""
    _due: deque[str] = field(default_factory=deque)
    _look_at: float = 0.0

    def take(self, job: AnyJob) -> AnyJob | Done | Failed | None:
        """Return the job as it is run under its lease, or how it has ended in the meantime.

        Return nothing, and wait for it, where another launch holds it.
        """
        return self._try(Waiting(job, job.trial.claim()))

    def next(self) -> AnyJob | Done | Failed | None:
        """Return what of the trials elsewhere has ended there, or can be run here.

        Each is looked at once a second.
        """
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY_S
            self._due.extend((self.elsewhere.keys() | self.misfits.keys()) - set(self._due))
        while self._due:
            trial_id = self._due.popleft()
            waiting = self.elsewhere.get(trial_id) or self.misfits.get(trial_id)
            if waiting is not None and (result := self._try(waiting)) is not None:
                return result
        return None

    def _try(self, waiting: Waiting) -> AnyJob | Done | Failed | None:
        job, lease = waiting.job, waiting.lease
        has_run = bool(job.tracking.run_id)  # a server's: a finished trial is logged to it
        if not has_run and job.trial.record() is not None:
            return self._settle(Done(job.id))
        try:
            is_mine = lease.take()
        except Damaged as damage:
            job.trial.fail(Failure("damaged", str(damage), "", job.trial.attempts.last().number))
            return self._settle(Failed(job.id, "damaged", str(damage)))
        if not is_mine:
            self._forget(job.id)
            self.elsewhere[job.id] = waiting
            return None
        self._forget(job.id)
        if not self.admits(job.id):
            lease.give_back()
            self.misfits[job.id] = waiting
            return None
        self.held[job.id] = lease
        mine = replace(job, trial=replace(job.trial, token=lease.token))
        ended = Done(job.id) if not has_run and job.trial.record() else _failed(mine)
        return mine if ended is None else self._settle(ended)

    def _settle(self, ended: Done | Failed) -> Done | Failed:
        waiting = self._forget(ended.id)
        self.give_back(ended.id)
        if waiting is not None and isinstance(ended, Done) and waiting.job.trial.holder() is None:
            waiting.lease.file.unlink(missing_ok=True)  # its holder died after the record
        return ended

    def _forget(self, trial_id: str) -> Waiting | None:
        return self.elsewhere.pop(trial_id, None) or self.misfits.pop(trial_id, None)

    def give_back(self, trial_id: str) -> None:
        """End the hold on a trial, if this launch has it."""
        if (lease := self.held.pop(trial_id, None)) is not None:
            lease.give_back()

    def leave(self, job: AnyJob) -> None:
        """Give back a trial that has ended here or was stopped in order, so that it is no loss."""
        try:
            with suppress(LeaseLost):
                job.trial.attempts.close()
        finally:
            self.give_back(job.id)

    def leave_all(self, jobs: Mapping[str, AnyJob]) -> None:
        """Leave all trials that are held, also where one of them cannot be left in order."""
        with ExitStack() as leaving:
            for trial_id in self.held:
                leaving.callback(self.leave, jobs[trial_id])

    def request_end(self, trial_id: str) -> bool:
        """Ask the launch that holds a trial to finish it early; return whether one does."""
        if (waiting := self.elsewhere.get(trial_id)) is not None:
            waiting.job.trial.stop_request.touch()
        return waiting is not None

    def lose(self, job: AnyJob) -> None:
        """Wait for a trial that another launch has taken over."""
        self.give_back(job.id)
        bare = replace(job, trial=replace(job.trial, token=""))
        self.elsewhere[job.id] = Waiting(bare, bare.trial.claim())


def lose_attempt(job: AnyJob) -> int:
    """Count the death of the process that trained it; return how many there were in a row.

    Of a program no epoch outlives it, so each death counts.
    """
    is_resumed = not isinstance(job.spec, CommandSpec)
    return job.trial.attempts.lose(len(job.trial.history()) if is_resumed else 0)


def _failed(job: AnyJob) -> Failed | None:
    """Return the failure that there is, or that follows from the death of its last holder."""
    if (failure := job.trial.failure()) is not None:
        return Failed(job.id, failure.cause, failure.message)
    last = job.trial.attempts.last()
    if not last.is_open or lose_attempt(job) < MAX_LOSSES:
        return None
    message = f"{MAX_LOSSES} processes that trained it have died"
    job.trial.fail(Failure("signal", message, "", last.number))
    return Failed(job.id, "signal", message)
