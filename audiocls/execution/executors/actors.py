"""`RayExecutor`: workers on the nodes of a Ray cluster, as actors; no folder is shared with them.

Each worker is a `NodeWorker` in a folder of its own, with one trial or a pack of several. Their
events and history come home as they happen, a snapshot every few seconds, and at the end the whole
folder. A worker or node that dies costs what has happened since the last snapshot; another worker
is asked for, and waits until a node has room for it, while the others go on.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError

from audiocls.errors import AudioclsError, MachineFault
from audiocls.execution.cluster.connection import Demand
from audiocls.execution.cluster.losses import loss_of, words_of
from audiocls.execution.cluster.node import Delivery, Node, NodeSetup, NodeWorker, Report
from audiocls.execution.cluster.node_trial import TrialReport
from audiocls.execution.cluster.remote_worker import (
    RemoteTrial,
    RemoteWorker,
    require_same,
    unsendable,
)
from audiocls.execution.cluster.shipments import Shipments
from audiocls.execution.executors.local import MAX_STILLBORN
from audiocls.execution.job import AnyJob, NativeSpec
from audiocls.execution.messages import Done, Event, Failed, Interrupted, Lost
from audiocls.machine import fault_of
from audiocls.store import Cause, Failure
from audiocls.store.lease import LeaseLost
from audiocls.store.transfer import packed

CALL_S = 0.5
"""A worker answers after this time at the latest, and can be told something else then."""
LAST_WORDS_S = 1.0
"""For the last reports to arrive after the grace period; Ctrl-C is to end within 5 seconds."""
LOOK_EVERY_S = 0.05
WISHES_EVERY_S = 1.0


@dataclass
class RayExecutor:
    """As many workers as are demanded, asked for at once and kept until `stop`."""

    demand: Demand
    setup: NodeSetup
    cache: Path
    release: Callable[[], None] = lambda: None
    kind: str = ""
    """Of the first node that a worker has begun on; `cpu` where no GPU is asked for."""
    _workers: list[RemoteWorker] = field(default_factory=list)
    _shipments: Shipments = field(init=False)
    _unreported: list[Event] = field(default_factory=list)
    _stopping: dict[RemoteWorker, Any] = field(default_factory=dict)
    """Workers that have not answered yet what they were asked before they were to stop."""
    _stillborn: int = 0
    _wishes_at: float = 0.0

    def __post_init__(self) -> None:
        self.kind = self.kind if self.demand.gpus else "cpu"
        self._shipments = Shipments(self.cache, ray.put)
        self._workers = [self._start() for _ in range(self.demand.num_workers)]

    def _start(self) -> RemoteWorker:
        made = ray.remote(NodeWorker).options(
            max_restarts=0, scheduling_strategy="SPREAD", **self.demand.options
        )
        actor: Any = made.remote(self.setup, ray.get)
        pack = self.setup.per_device
        return RemoteWorker(actor, actor.describe.remote(), 1 if pack == "auto" else pack)

    def num_free(self) -> int:
        return sum(worker.num_free() for worker in self._workers)

    def submit(self, job: AnyJob) -> None:
        worker = next(worker for worker in self._workers if worker.num_free())
        if not job.tracking.run_id and job.trial.record() is not None:
            self._unreported.append(Done(job.id))
            return
        shipment = self._shipments.of(job) if isinstance(job.spec, NativeSpec) else None
        worker.trials[job.id] = RemoteTrial(job, shipment)

    def _send_waiting(self) -> list[Event]:
        """Send what is ready; return the events of what still waits."""
        events: list[Event] = []
        for worker in self._workers:
            ready = worker.ready()
            events += [event for trial in worker.unsent().values() for event in trial.news()]
            deliveries = [each for trial in ready if (each := self._delivery(worker, trial))]
            if deliveries:
                worker.call = worker.actor.run.remote(deliveries, CALL_S)
        return events

    def _delivery(self, worker: RemoteWorker, trial: RemoteTrial) -> Delivery | None:
        """Return a trial to be sent, unless it cannot be trained.

        Its attempt is counted here too, for its worker may never say so.
        """
        job, fault = trial.job, trial.shipment.fault if trial.shipment else None
        try:
            files, number = packed(job.trial.path), job.trial.attempts.last().number
            if job.trial.record() is None:
                number = job.trial.begin().number
            if fault is not None and not isinstance(fault, MachineFault):
                job.trial.fail(Failure("data", str(fault), "", number))
        except LeaseLost:
            self._end_unsent(worker, Interrupted(job.id, is_taken=True))
            return None
        if fault is not None:
            self._end_unsent(worker, unsendable(job.id, fault))
            return None
        trial.is_sent = True
        return trial.delivery(files)

    def _end_unsent(self, worker: RemoteWorker, ended: Failed | Interrupted) -> None:
        worker.free(ended.id)
        self._unreported.append(ended)

    def end(self, trial_id: str) -> None:
        for worker in self._workers:
            if trial_id in worker.trials and worker.trials[trial_id].is_sent:
                worker.actor.end.remote(trial_id)

    def _relay_wishes(self) -> None:
        """End trials early for which a file at home asks so."""
        if time.monotonic() < self._wishes_at:
            return
        self._wishes_at = time.monotonic() + WISHES_EVERY_S
        for worker in self._workers:
            for trial_id, trial in worker.trials.items():
                if trial.is_sent and trial.job.trial.stop_request.exists():
                    worker.actor.end.remote(trial_id)

    def poll(self, timeout_s: float) -> Sequence[Event]:
        deadline = time.monotonic() + timeout_s
        while not (events := self._poll_all(deadline)) and time.monotonic() < deadline:
            pass
        return events

    def _poll_all(self, deadline: float) -> list[Event]:
        """Return new events; wait for an answer, but not for long while data is made."""
        events, self._unreported = self._unreported, []
        events += self._send_waiting()
        self._relay_wishes()
        left = 0.0 if events else max(0.0, deadline - time.monotonic())
        is_waiting = any(worker.unsent() for worker in self._workers)
        for worker in self._answered(min(left, LOOK_EVERY_S) if is_waiting else left):
            events += self._handle(worker)
        return events

    def _answered(self, timeout_s: float) -> Iterator[RemoteWorker]:
        calls = {worker.call: worker for worker in self._workers if worker.call is not None}
        if not calls:
            time.sleep(timeout_s)
            return
        ready, _ = ray.wait(list(calls), num_returns=1, timeout=timeout_s)
        if ready and len(calls) > 1:
            ready, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        for call in ready:
            yield calls[call]

    def _handle(self, worker: RemoteWorker) -> Sequence[Event]:
        """Take a worker's answer, and ask it for the next one while it trains."""
        call, worker.call = worker.call, None
        try:
            answer = ray.get(call)
        except RayError as error:
            return self._replace(worker, error)
        if isinstance(answer, Node):
            self._welcome(worker, answer)
            return []
        events = self._bring_home(worker, answer)
        if answer.fault:
            raise AudioclsError(f"{worker.where} {answer.fault}")
        if worker.is_busy:
            worker.call = worker.actor.poll.remote(CALL_S)
        return events

    def _welcome(self, worker: RemoteWorker, node: Node) -> None:
        """Note where a worker has begun.

        Raises `UsageError` if its trials could not be compared with those that are trained here.
        """
        worker.node, self._stillborn = node, 0
        if not self.setup.is_program:
            require_same(node)
        self.kind = self.kind or node.kind
        if node.kind != self.kind:  # Ray knew of no kinds; pairs of two do not compare
            self._dismiss(worker, node)

    def _dismiss(self, worker: RemoteWorker, node: Node) -> None:
        """End a worker on another kind of device; what waits for it goes to another worker."""
        ray.kill(worker.actor)
        self._workers.remove(worker)
        if not self._workers:
            raise AudioclsError(
                f"--executor ray: trials were trained on {self.kind}, and what is left is "
                f"{node.host} with {node.kind}: results would not compare. Launch again once a "
                f"node with {self.kind} is there"
            )
        self._workers[0].trials |= worker.trials

    def _bring_home(self, worker: RemoteWorker, report: Report) -> list[Event]:
        """Write what trials have sent, and return their events."""
        worker.room = report.room or worker.room
        return [event for each in report.trials for event in self._written(worker, each)]

    def _written(self, worker: RemoteWorker, report: TrialReport) -> Sequence[Event]:
        """Write what a trial has sent; one that is not ours, or cannot be written, leaves it."""
        try:
            return worker.bring_home(report)
        except LeaseLost:
            ended = Interrupted(report.id, is_taken=True)
        except (OSError, MachineFault) as error:  # what others have sent is written all the same
            if (fault := fault_of(error, Path(self.setup.study))) is None:
                raise
            ended = Interrupted(report.id, fault=str(fault))
        worker.trials[report.id].is_lost = True
        if report.is_last:
            worker.free(report.id)
        elif all(trial.is_lost for trial in worker.trials.values() if trial.is_sent):
            self._give_up(worker)
        else:
            worker.actor.end.remote(report.id)
        return [ended]

    def _give_up(self, worker: RemoteWorker) -> RemoteWorker:
        """End a worker with what it does; return the one that is asked for in its place."""
        ray.kill(worker.actor)
        fresh = self._workers[self._workers.index(worker)] = self._start()
        fresh.trials = worker.unsent()
        for trial_id in [name for name in worker.trials if name not in fresh.trials]:
            worker.free(trial_id)
        return fresh

    def _replace(self, worker: RemoteWorker, error: RayError) -> list[Event]:
        """Ask for a worker in the place of one that does not answer; return what it has lost.

        One that cannot be reached may be alive, so it is killed before another one starts.
        """
        if worker.node is None:
            self._count_stillborn(error)
        trials = [each for each in worker.trials.values() if each.is_sent and not each.is_lost]
        self._give_up(worker)
        how = loss_of(error, worker.where, Path(self.setup.study) / "workers.log")
        cause: Cause = "out_of_memory" if isinstance(error, OutOfMemoryError) else "signal"
        jobs = [trial.job for trial in trials]
        return [Lost(job.id, how, job.trial.resume() is not None, cause) for job in jobs]

    def _count_stillborn(self, error: RayError) -> None:
        """Raise `AudioclsError` if no worker can start."""
        self._stillborn += 1
        is_refused = isinstance(error, RayActorError) and error.actor_init_failed
        if is_refused or self._stillborn >= MAX_STILLBORN:
            raise AudioclsError(
                f"--executor ray: a worker cannot start: {words_of(error)}. Each node needs the "
                "same audiocls with the extra 'ray' as this machine"
            ) from error

    def stop(self, grace_s: float) -> Sequence[Event]:
        self._shipments.cancel()
        events, self._unreported = self._unreported, []
        for worker in self._workers:
            self._request_stop(worker, max(0.1, grace_s - CALL_S))
        deadline = time.monotonic() + grace_s + LAST_WORDS_S
        while any(w.call for w in self._workers) and (left := deadline - time.monotonic()) > 0:
            for worker in self._answered(left):
                events += self._last_of(worker)
        for worker in self._workers:
            ray.kill(worker.actor)
            for trial_id in list(worker.trials):
                worker.free(trial_id)
        self.release()
        return events

    def _request_stop(self, worker: RemoteWorker, grace_s: float) -> None:
        if worker.node is None:
            worker.call = None  # it may wait for a node
        elif worker.call is None:
            worker.call = worker.actor.stop.remote(grace_s)
        else:
            self._stopping[worker] = worker.actor.stop.remote(grace_s)

    def _last_of(self, worker: RemoteWorker) -> Sequence[Event]:
        call, worker.call = worker.call, self._stopping.pop(worker, None)
        try:
            return self._bring_home(worker, ray.get(call))
        except RayError:
            return []
