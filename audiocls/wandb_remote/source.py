"""`ServerSource`: trials that a sweep's server orders, one at a time for each agent."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from audiocls.errors import AudioclsError, ConfigError
from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Done, Event, Failed, Recorded, Underway
from audiocls.execution.trial_source import SourceProgress
from audiocls.store import StudyFolder, TrialFolder
from audiocls.studies.native_trials import label_of
from audiocls.tracking import Ending as RunEnding
from audiocls.tracking import FinishReport, RunInfo
from audiocls.tracking import start as start_tracking
from audiocls.tracking.sweep_server import (
    Leave,
    Order,
    ServerSweep,
    ServerUnavailable,
    Start,
    Stop,
    SweepNotFound,
    SweepPath,
)
from audiocls.wandb_remote.agent import Agent

MOST_FAILURES = 3
"""Failures in a row on this machine, as W&B's own agents count."""
SETTLED = ("finished", "killed")
"""States of runs that the server does not give again."""

JobOf = Callable[[Start], AnyJob | None]
"""From an order to its job; `None` where the trial failed before it could begin."""


@dataclass(frozen=True)
class ServerTrial:
    """A trial that the server has ordered: through which agent and as which run."""

    agent: Agent
    run_id: str
    job: AnyJob


@dataclass(frozen=True)
class Ending:
    """Why the agents ended, for people, and as an exit code."""

    sentence: str
    exit_code: int


class ServerSource:
    """Executes the server's orders until no agent has any left.

    After `most_failures` failed trials in a row the machine is taken to be at fault, and no further
    run is asked for. A loss that is not finite is the arm's own fault, and a trial that the server
    has stopped has not failed.
    """

    def __init__(self, agents: Sequence[Agent], job_of: JobOf, most_failures: int = MOST_FAILURES):
        self._agents, self._job_of, self._most_failures = agents, job_of, most_failures
        self._waiting: list[ServerTrial] = []
        self._running: dict[str, ServerTrial] = {}
        self._to_stop: list[str] = []
        """Trials to finish early that `trials_to_stop` has not returned yet."""
        self._stopped: set[str] = set()
        """Running trials that it has returned."""
        self._failures_in_a_row = 0
        self._fault: AudioclsError | None = None
        """Why an order, and so any further one, cannot be executed here."""
        self.num_failed = 0

    def next(self) -> AnyJob | None:
        self._read_orders()
        for each in self._waiting:
            if each.job.id not in self._running:  # a cell ordered twice waits for its first run
                self._waiting.remove(each)
                self._running[each.job.id] = each
                return each.job
        return None

    def is_over(self) -> bool:
        self._read_orders()
        return not self._waiting and all(agent.is_over() for agent in self._agents)

    def progress(self) -> SourceProgress:
        """Return nothing: only the server knows how many trials there are."""
        return SourceProgress()

    def trials_to_stop(self) -> Sequence[str]:
        self._read_orders()
        ids = [i for i in self._to_stop if i in self._running and i not in self._stopped]
        self._stopped |= set(ids)
        self._to_stop = []
        return ids

    def tell(self, event: Event) -> None:
        if isinstance(event, Underway) and not isinstance(event, Recorded):
            return
        trial = self._running[event.id]
        trial.agent.end(trial.run_id)
        if not isinstance(event, Recorded):  # else it is uploaded beside the agent's next run
            del self._running[event.id]
            self._count(event)
            self._stopped.discard(event.id)

    def _count(self, event: Event) -> None:
        if isinstance(event, Done):
            self._failures_in_a_row = 0
        elif isinstance(event, Failed) and event.id not in self._stopped:
            self.num_failed += 1
            self._failures_in_a_row += event.cause != "nan"
        if self._has_too_many_failures():
            self.leave()

    def _has_too_many_failures(self) -> bool:
        return 0 < self._most_failures <= self._failures_in_a_row

    def leave(self) -> None:
        """Ask for no further run; running trials go on."""
        for agent in self._agents:
            agent.leave()

    def _read_orders(self) -> None:
        for agent in self._agents:
            for order in agent.orders():
                self._execute(agent, order)

    def _execute(self, agent: Agent, order: Order) -> None:
        if isinstance(order, Start):
            return self._accept(agent, order)
        if isinstance(order, Leave):
            agent.leave()
        self._drop_waiting(agent, order)
        for trial_id, trial in self._running.items():
            is_concerned = trial.agent is agent and _concerns(order, trial.run_id)
            if is_concerned and trial_id not in self._to_stop:
                self._to_stop.append(trial_id)
        return None

    def _accept(self, agent: Agent, start: Start) -> None:
        try:
            job = self._job_of(start)
        except AudioclsError as error:
            self._fault = error  # raised by `ending`, after the running trials have ended
            agent.end(start.run_id)
            return self.leave()
        if job is None:
            self.num_failed += 1
            return agent.end(start.run_id)
        # From now on the folder says that the run is to be resumed here: see `orphaned_runs`.
        job.trial.path.mkdir(parents=True, exist_ok=True)
        self._waiting.append(ServerTrial(agent, start.run_id, job))
        return None

    def _drop_waiting(self, agent: Agent, order: Stop | Leave) -> None:
        for trial in [trial for trial in self._waiting if trial.agent is agent]:
            if _concerns(order, trial.run_id):
                self._waiting.remove(trial)
                agent.end(trial.run_id)

    def ending(self, is_stopped: bool) -> Ending:
        """Return why the agents ended; raise an error that is not about reaching the server."""
        faults = [agent.fault for agent in self._agents if agent.fault is not None]
        for fault in [*filter(None, [self._fault]), *faults]:
            if not isinstance(fault, ServerUnavailable | SweepNotFound):
                raise fault
        if is_stopped:
            return Ending("stopped", 75)
        if self._has_too_many_failures():
            return Ending(
                f"{self._failures_in_a_row} trials failed in a row: is it this machine?", 3
            )
        if faults:
            is_gone = isinstance(faults[0], SweepNotFound)
            exit_code = SweepNotFound.exit_code if is_gone else ServerUnavailable.exit_code
            return Ending(str(faults[0]), exit_code)
        return Ending("the server has no more runs for this machine", 3 if self.num_failed else 0)


def _concerns(order: Stop | Leave, run_id: str) -> bool:
    return isinstance(order, Leave) or order.run_id == run_id


def orphaned_runs(sweep: ServerSweep, trial_of: Callable[[Start], TrialFolder]) -> Iterable[Start]:
    """Return runs that were begun in this store and have neither finished nor failed.

    A server never gives a grid's cell twice: if its agent was killed, the next one must resume it.
    """
    swept = sweep.config.get("parameters") or {}
    for run in sweep.runs:
        if run.state not in SETTLED:
            # Once begun, a run's configuration also holds what its program has added.
            start = Start(run.id, {name: run.config[name] for name in swept if name in run.config})
            try:
                trial = trial_of(start)
            except AudioclsError:  # parameters of no trial here: not begun here
                continue
            if trial.path.exists() and trial.state() == "pending":
                yield start


def report_rejected_run(
    path: SweepPath, start: Start, study: StudyFolder, error: ConfigError
) -> FinishReport:
    """Mark a run as failed whose parameters are those of no trial; its notes say why.

    Waits for the upload as every tracker does.
    """
    info = RunInfo(
        id=start.run_id,
        entity=path.entity,
        project=path.project,
        group=study.name,
        job_type="",
        name=label_of(start.parameters),
        tags=(),
        config=start.parameters,
        folder=study.path,
        notes=str(error),
        sweep_id=path.id,
    )
    return start_tracking("online", info).finish(RunEnding(exit_code=1))
