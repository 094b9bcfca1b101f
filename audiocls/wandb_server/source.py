"""`ServerSource`: a supply of trials that a sweep's server orders, one at a time for each agent."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from audiocls.errors import AudioclsError
from audiocls.execution.events import Done, Epoch, Event, Failed, Stage
from audiocls.execution.job import AnyJob
from audiocls.execution.trial_source import SourceProgress
from audiocls.store import TrialFolder
from audiocls.tracking.sweep_server import (
    Leave,
    Order,
    ServerSweep,
    ServerUnavailable,
    Start,
    Stop,
    SweepNotFound,
)
from audiocls.wandb_server.heartbeat import Agent

MOST_FAILURES = 3
"""Trials that may fail here one after the other, as W&B's own agents count."""
SETTLED = ("finished", "killed")
"""States in which the server wants a run no more."""

WorkOf = Callable[[Start], AnyJob | None]
"""From an order to its trial; none where it failed before it could begin."""


@dataclass(frozen=True)
class Ordered:
    """A trial that the server wants, from whom and as which run."""

    agent: Agent
    run_id: str
    work: AnyJob


@dataclass(frozen=True)
class Ending:
    """Why the agents ended, for people, and for the shell."""

    sentence: str
    exit_code: int


class ServerSource:
    """Does what the server orders, until each agent has nothing left to do.

    After `most_failures` trials failed in a row the machine is taken to be at fault, and no further
    run is asked for: it is another machine's. A loss that is not finite is the arm's own fault, and
    a trial that the server stopped has not failed.
    """

    def __init__(
        self, agents: Sequence[Agent], work_of: WorkOf, most_failures: int = MOST_FAILURES
    ):
        self._agents, self._work_of, self._most_failures = agents, work_of, most_failures
        self._waiting: list[Ordered] = []
        self._held: dict[str, Ordered] = {}
        self._unwanted: list[str] = []
        """Trials to be ended that were not named yet."""
        self._ended: set[str] = set()
        """Those that were, as long as they are in hand."""
        self._in_a_row = 0
        self._fault: AudioclsError | None = None
        """What speaks against a trial that was ordered, and against those to come."""
        self.num_failed = 0

    def next(self) -> AnyJob | None:
        self._read()
        for each in self._waiting:
            if each.work.id not in self._held:  # a cell asked for twice waits for its first run
                self._waiting.remove(each)
                self._held[each.work.id] = each
                return each.work
        return None

    def is_over(self) -> bool:
        self._read()
        return not self._waiting and all(agent.is_over() for agent in self._agents)

    def progress(self) -> SourceProgress:
        """Return nothing: only the server knows how many trials there are."""
        return SourceProgress()

    def trials_to_stop(self) -> Sequence[str]:
        self._read()
        fresh = [each for each in self._unwanted if each in self._held and each not in self._ended]
        self._ended |= set(fresh)
        self._unwanted = []
        return fresh

    def tell(self, event: Event) -> None:
        if isinstance(event, Epoch | Stage):
            return
        held = self._held.pop(event.id)
        held.agent.end(held.run_id)
        self._count(event)
        self._ended.discard(event.id)

    def _count(self, event: Event) -> None:
        if isinstance(event, Done):
            self._in_a_row = 0
        elif isinstance(event, Failed) and event.id not in self._ended:
            self.num_failed += 1
            self._in_a_row += event.cause != "nan"
        if self._has_bad_luck():
            self.leave()

    def _has_bad_luck(self) -> bool:
        return 0 < self._most_failures <= self._in_a_row

    def leave(self) -> None:
        """Ask for no further run; those in hand go on."""
        for agent in self._agents:
            agent.leave()

    def _read(self) -> None:
        for agent in self._agents:
            for order in agent.orders():
                self._obey(agent, order)

    def _obey(self, agent: Agent, order: Order) -> None:
        if isinstance(order, Start):
            return self._accept(agent, order)
        if isinstance(order, Leave):
            agent.leave()
        self._drop(agent, order)
        mine = [each for each, held in self._held.items() if held.agent is agent]
        named = [each for each in mine if _means(order, self._held[each].run_id)]
        self._unwanted += [each for each in named if each not in self._unwanted]
        return None

    def _accept(self, agent: Agent, start: Start) -> None:
        try:
            work = self._work_of(start)
        except AudioclsError as error:
            self._fault = error  # not swallowed: see `ending`; trials in hand go on meanwhile
            agent.end(start.run_id)
            return self.leave()
        if work is None:
            self.num_failed += 1
            return agent.end(start.run_id)
        # The folder says from now on that the run is ours to come back for: see `orphaned_runs`.
        work.trial.path.mkdir(parents=True, exist_ok=True)
        self._waiting.append(Ordered(agent, start.run_id, work))
        return None

    def _drop(self, agent: Agent, order: Stop | Leave) -> None:
        """What was not begun need not be ended."""
        for each in [each for each in self._waiting if each.agent is agent]:
            if _means(order, each.run_id):
                self._waiting.remove(each)
                agent.end(each.run_id)

    def ending(self, is_stopped: bool) -> Ending:
        """To be asked at the end; raises what no agent should have met."""
        faults = [agent.fault for agent in self._agents if agent.fault is not None]
        for fault in [*filter(None, [self._fault]), *faults]:
            if not isinstance(fault, ServerUnavailable | SweepNotFound):
                raise fault
        if is_stopped:
            return Ending("stopped", 75)
        if self._has_bad_luck():
            return Ending(f"{self._in_a_row} trials failed in a row: is it this machine?", 3)
        if faults:
            sentence, is_gone = str(faults[0]), isinstance(faults[0], SweepNotFound)
            return Ending(
                sentence, SweepNotFound.exit_code if is_gone else ServerUnavailable.exit_code
            )
        return Ending("the server has no more runs for this machine", 3 if self.num_failed else 0)


def _means(order: Stop | Leave, run_id: str) -> bool:
    return isinstance(order, Leave) or order.run_id == run_id


def orphaned_runs(sweep: ServerSweep, trial_of: Callable[[Start], TrialFolder]) -> Iterable[Start]:
    """Runs of cells that were given to this store and neither finished nor failed.

    A server never gives a grid's cell twice, so whoever was killed with it must come back for it.
    """
    swept = sweep.config.get("parameters") or {}
    for run in sweep.runs:
        if run.state not in SETTLED:
            # Once begun, a run's configuration holds what its program has added.
            start = Start(run.id, {name: run.config[name] for name in swept if name in run.config})
            try:
                trial = trial_of(start)
            except AudioclsError:  # what cannot be a trial here was not begun here
                continue
            if trial.path.exists() and trial.state() == "pending":
                yield start
