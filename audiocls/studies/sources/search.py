"""`SearchSource`: the source of a search, which proposes the next trial from what was tried.

Launches that share a search propose one after the other, each from all proposals so far.
"""

import hashlib
import itertools
import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from audiocls.errors import ConfigError, OverBudget
from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Done, Epoch, Event, Failed
from audiocls.execution.trial_source import SourceProgress
from audiocls.search import Sweep, TrialResult, is_over, num_remaining, propose, remaining, to_stop
from audiocls.search.sweep import State as SearchState
from audiocls.store import Failure, Proposal, Record, State, Study, StudyFolder, TrialFolder

MAX_REPEATS = 200
"""Draws in a row that may bring nothing new before a random search counts as exhausted."""


class Trials(Protocol):
    """From the parameters of a sweep to its trials, native or external."""

    def id_of(self, parameters: Mapping[str, Any]) -> str:
        """Return the trial's id; raises `ConfigError` where the parameters are invalid together."""

    def job_of(self, proposal: Proposal, run_id: str = "") -> AnyJob:
        """Return its job; `run_id` is the W&B run that a server has opened for it."""


class SearchSource:
    """Proposals kept in the study's folder, so that a search goes on where it was."""

    def __init__(
        self,
        sweep: Sweep,
        folder: StudyFolder,
        trials: Trials,
        max_new: int | None = None,
    ):
        self._sweep, self._folder, self._trials = sweep, folder, trials
        self._max_new = max_new
        plan = folder.study().search
        self._code = plan.code if plan else ""
        self._proposals = folder.proposals()
        self._num_bytes = folder.proposals_after(0)[1]
        self._tried = [tried_of(sweep, folder, proposal) for proposal in self._proposals]
        self._index = {proposal.id: i for i, proposal in enumerate(self._proposals)}
        self._open = deque(
            proposal
            for proposal, tried in zip(self._proposals, self._tried, strict=True)
            if tried.state == "running" and self._helps(proposal)
        )
        self._cells = remaining(sweep, self._tried) if sweep.method == "grid" else None
        self._ended: set[str] = set()
        self._has_news = False
        self._is_over = False
        num_done = list(self.states().values()).count("done")
        self._progress = SourceProgress(self.num_trials, num_done)
        self.max_parallel = None if max_new is None else len(self._open) + max_new

    @property
    def proposals(self) -> Sequence[Proposal]:
        return tuple(self._proposals)

    @property
    def study(self) -> Study:
        """The study as it is stored."""
        return self._folder.study()

    def states(self) -> dict[str, State]:
        """Return the state of every trial that was ever proposed and could be trained, by its id.

        That a model is beyond its budget is no failure but all that was to be known of it.
        """
        states = self._folder.states(self._proposals)
        failures = self._folder.failures(
            [one for one in self._proposals if states[one.id] == "failed"]
        )
        over = {id_ for id_, failure in failures.items() if failure.cause == "over_budget"}
        return {id_: state for id_, state in states.items() if id_ not in over}

    def progress(self) -> SourceProgress:
        """Return how many trials there will be, and how many were finished before."""
        return self._progress

    @property
    def num_trials(self) -> int | None:
        """How many there will be in the end, where that is known; never fewer than there are."""
        num_tried, num_new = len(self._tried), num_remaining(self._sweep, self._tried)
        known = [] if self._sweep.run_cap is None else [self._sweep.run_cap]
        known += [num_tried + n for n in (num_new, self._max_new) if n is not None]
        return max(num_tried, min(known)) if known else None

    def has_next(self) -> bool:
        """Whether there is a trial to start now; a new proposal is kept for `next`."""
        if not self._open and self._max_new != 0:
            with self._folder.planning():
                self._read_others()
                if not self._open and (proposal := self._new()) is not None:
                    self._open.append(proposal)
        self._is_over = not self._open
        return bool(self._open)

    def next(self) -> AnyJob | None:
        """Return a trial that an earlier launch left unfinished, or else a new one."""
        return self._trials.job_of(self._open.popleft()) if self.has_next() else None

    def is_over(self) -> bool:
        """Whether the search has ended, or this launch has no further trials."""
        return self._is_over and not self._open

    def tell(self, event: Event) -> None:
        """Read the result of a trial that has ended, or its metrics so far for a stop rule."""
        index = self._index[event.id]
        has_rule = self._sweep.early_terminate is not None
        if isinstance(event, Done | Failed) or (isinstance(event, Epoch) and has_rule):
            self._tried[index] = tried_of(self._sweep, self._folder, self._proposals[index])
            self._has_news = True

    def trials_to_stop(self) -> Sequence[str]:
        """Return the trials that the sweep's stop rule names now."""
        if self._sweep.early_terminate is None or not self._has_news:
            return ()
        self._has_news = False
        named = {self._proposals[index].id for index in to_stop(self._sweep, self._tried)}
        new = sorted(named - self._ended)
        self._ended |= named
        return new

    def _read_others(self) -> None:
        """Note what other launches have proposed meanwhile; they may need help with it."""
        others, self._num_bytes = self._folder.proposals_after(self._num_bytes)
        for proposal in others:
            if proposal.code == self._code and proposal.id not in self._index:
                tried = tried_of(self._sweep, self._folder, proposal)
                self._add(proposal, tried)
                if tried.state == "running" and self._helps(proposal):
                    self._open.append(proposal)

    def _helps(self, proposal: Proposal) -> bool:
        """Whether this launch sees to the end of a trial that has none yet.

        One that was asked for some trials alone does not wait for those that others train.
        """
        return self._max_new is None or self._folder.trial(proposal.id).holder() is None

    def _add(self, proposal: Proposal, tried: TrialResult) -> None:
        self._index[proposal.id] = len(self._proposals)
        self._proposals.append(proposal)
        self._tried.append(tried)

    def _new(self) -> Proposal | None:
        """Return the next proposal that is not a trial already, however it was drawn."""
        drawn, uncapped = list(self._tried), replace(self._sweep, run_cap=None)
        for _ in range(MAX_REPEATS) if self._cells is None else itertools.count():
            if self._max_new == 0 or is_over(self._sweep, self._tried):
                return None
            parameters = self._propose(uncapped, drawn)
            if parameters is None:
                return None
            try:
                trial_id = self._trials.id_of(parameters)
            except ConfigError as error:
                trial_id = self._impossible(parameters, error)
            else:
                if trial_id not in self._index:
                    return self._keep(Proposal(trial_id, parameters, self._code), "running")
            known = self._tried[self._index[trial_id]]
            drawn.append(replace(known, parameters=parameters))
        return None

    def _propose(self, sweep: Sweep, drawn: Sequence[TrialResult]) -> dict[str, Any] | None:
        """Return the next cell of a grid; any other method proposes from all drawn so far."""
        return propose(sweep, drawn) if self._cells is None else next(self._cells, None)

    def _impossible(self, parameters: dict[str, Any], error: ConfigError) -> str:
        proposal = replace(impossible(self._folder, parameters, error), code=self._code)
        if proposal.id not in self._index:
            self._keep(proposal, "failed")
        return proposal.id

    def _keep(self, proposal: Proposal, state: SearchState) -> Proposal:
        self._max_new = None if self._max_new is None else self._max_new - 1
        self._folder.propose(proposal)
        self._add(proposal, TrialResult(proposal.parameters, state))
        return proposal


def impossible(folder: StudyFolder, parameters: dict[str, Any], error: ConfigError) -> Proposal:
    """Store parameters that are invalid together as a failed trial, listed like any other."""
    canonical = json.dumps(parameters, sort_keys=True)
    trial_id = hashlib.sha256(canonical.encode()).hexdigest()[:12]
    if isinstance(error, OverBudget):
        failure = Failure("over_budget", error.share, "", attempt=1)
    else:
        failure = Failure("error", str(error), "", attempt=1)
    folder.trial(trial_id).fail(failure)
    return Proposal(trial_id, parameters)


def tried_of(sweep: Sweep, folder: StudyFolder, proposal: Proposal) -> TrialResult:
    """Return a proposal's result from the store; one that has not ended counts as running."""
    trial = folder.trial(proposal.id)
    record = trial.record()
    if record is None:
        state: SearchState = "failed" if trial.failure() is not None else "running"
        return TrialResult(proposal.parameters, state, _logged(sweep, trial))
    state = "stopped" if record.early_stopped else "finished"
    return TrialResult(proposal.parameters, state, _logged(sweep, trial), value_in(sweep, record))


def value_in(sweep: Sweep, record: Record) -> float | None:
    """Return the sweep's metric in a record; none where it is missing or no number.

    `best/val/accuracy` is W&B's name for what a record calls `val/accuracy`: the chosen epoch's.
    """
    if sweep.metric is None:
        return None
    name = sweep.metric.name
    value = record.metrics.get(name, record.metrics.get(name.removeprefix("best/")))
    return None if value is None or not math.isfinite(value) else value


def _logged(sweep: Sweep, trial: TrialFolder) -> tuple[float, ...]:
    """Return the metric's values in the order logged, where a stop rule will look at them."""
    if sweep.metric is None or sweep.early_terminate is None:
        return ()
    name = sweep.metric.name
    return tuple(row[name] for row in trial.history() if name in row)
