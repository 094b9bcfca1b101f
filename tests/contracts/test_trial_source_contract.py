"""What every source of trials does, be it a plan, looks, a search or a server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.records import search_record, search_study
from helpers.trials import make_job

from audiocls.execution.messages import Done, Epoch, Failed, Interrupted
from audiocls.execution.trial_source import TrialSource
from audiocls.search import Categorical, Metric, Sweep
from audiocls.store import Cell, Failure, Proposal, Study, StudyFolder, TrialFolder
from audiocls.studies.sources.fixed import FixedSource
from audiocls.studies.sources.search import SearchSource
from audiocls.studies.sources.sequential import Looks, SequentialSource
from audiocls.tracking.sweep_server import Order, Start
from audiocls.wandb_remote.source import ServerSource

NUM_TRIALS = 4
CELLS = tuple(Cell(f"t{i}", "baseline", i, 1) for i in range(NUM_TRIALS))


@dataclass(frozen=True)
class Case:
    """A source of four trials, and the folder in which they leave their results."""

    source: TrialSource
    folder: StudyFolder

    def finish(self, trial_id: str) -> None:
        """End a trial well, as an executor does: first on disk, then as an event."""
        self.folder.trial(trial_id).finish(search_record(trial_id, 1.0))
        self.source.tell(Done(trial_id))

    def fail(self, trial_id: str) -> None:
        """End a trial badly."""
        self.folder.trial(trial_id).fail(Failure("nan", "diverged", "", 1))
        self.source.tell(Failed(trial_id, "nan", "diverged"))

    def drain(self, limit: int = 50) -> list[str]:
        """Finish every trial that is offered, one after the other."""
        offered = []
        for _ in range(limit):
            job = self.source.next()
            if job is None and self.source.is_over():
                return offered
            if job is not None:
                offered.append(job.id)
                self.finish(job.id)
        raise AssertionError(f"not over after {limit} requests: {offered}")


def fixed(path: Path) -> Case:
    folder = StudyFolder(path / "s")
    return Case(FixedSource(folder, Study("s", cells=CELLS), _job_of(folder)), folder)


def sequential(path: Path) -> Case:
    """Two cells at the first look, one more at each of the next two."""
    folder = StudyFolder(path / "s")

    def study_of(num: int) -> Study:
        return Study("s", baseline="baseline", arms={"baseline": {}}, cells=CELLS[:num])

    def next_look(study: Study) -> Study | None:
        num = len(study.cells) + 1
        return study_of(num) if num <= NUM_TRIALS else None

    looks = Looks(folder, study_of(2), _job_of(folder), next_look)
    return Case(SequentialSource(looks), folder)


def search(path: Path) -> Case:
    folder = StudyFolder(path / "s")
    folder.write_study(search_study("s", {"method": "grid"}, "train.py", "/", ""))
    grid = Sweep("grid", {"a": Categorical(tuple(range(NUM_TRIALS)))}, Metric("val/loss"))
    return Case(SearchSource(grid, folder, Grid(folder)), folder)


def server(path: Path) -> Case:
    folder = StudyFolder(path / "s")
    job_of = _job_of(folder)
    agent = ScriptedAgent([Start(f"run{i}", {}) for i in range(NUM_TRIALS)])
    jobs = {f"run{i}": cell for i, cell in enumerate(CELLS)}
    return Case(ServerSource([agent], lambda start: job_of(jobs[start.run_id])), folder)


def _job_of(folder: StudyFolder) -> Callable[[Cell], Any]:
    return lambda cell: make_job(folder.path, cell, trial=folder.trial(cell.id))


@dataclass(frozen=True)
class Grid:
    """Trials of a search that are called after their number."""

    folder: StudyFolder

    def id_of(self, parameters: Any) -> str:
        return f"t{parameters['a']}"

    def job_of(self, proposal: Proposal, run_id: str = "") -> Any:
        return _job_of(self.folder)(Cell(proposal.id, "", 0, 1))


class ScriptedAgent:
    """An agent of a server that orders one run after the other, and then no more."""

    fault = None

    def __init__(self, starts: Sequence[Start]):
        self.waiting = list(starts)
        self.in_hand: set[str] = set()

    def orders(self) -> list[Order]:
        if self.in_hand or not self.waiting:
            return []
        self.in_hand.add(self.waiting[0].run_id)
        return [self.waiting.pop(0)]

    def end(self, run_id: str) -> None:
        self.in_hand.discard(run_id)

    def leave(self) -> None:
        self.waiting = []

    def is_over(self) -> bool:
        return not self.waiting and not self.in_hand


@pytest.fixture(params=[fixed, sequential, search, server], ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    made = request.param(tmp_path)
    assert isinstance(made, Case)
    return made


class TestTrialSource:
    """One class of tests, run over every source."""

    def test_every_trial_is_offered_once_and_then_it_is_over(self, case):
        assert sorted(case.drain()) == [f"t{i}" for i in range(NUM_TRIALS)]
        assert case.source.next() is None
        assert case.source.is_over()

    def test_a_job_leaves_its_results_in_the_folder_of_its_trial(self, case):
        job = case.source.next()
        assert isinstance(job.trial, TrialFolder)
        assert job.trial.path == case.folder.trial(job.id).path

    def test_it_is_not_over_before_a_trial_was_asked_for(self, case):
        assert not case.source.is_over()

    def test_a_trial_that_failed_has_ended_and_is_not_offered_again(self, case):
        failed = case.source.next().id
        case.fail(failed)
        assert sorted([failed, *case.drain()]) == [f"t{i}" for i in range(NUM_TRIALS)]

    def test_a_trial_that_was_interrupted_is_not_offered_again_by_this_source(self, case):
        interrupted = case.source.next().id
        case.source.tell(Interrupted(interrupted))
        offered = []
        while (job := case.source.next()) is not None:
            offered.append(job.id)
            case.finish(job.id)
        assert interrupted not in offered

    def test_an_epoch_ends_nothing_and_stops_nothing_without_a_rule(self, case):
        job = case.source.next()
        case.source.tell(Epoch(job.id, 1, 2))
        assert list(case.source.trials_to_stop()) == []
        case.finish(job.id)
        assert len(case.drain()) == NUM_TRIALS - 1

    def test_its_progress_counts_no_trial_twice(self, case):
        before = case.source.progress()
        case.drain()
        after = case.source.progress()
        assert (before.num_reused, after.num_reused) == (0, 0)
        assert after.num_total in (None, NUM_TRIALS)


@pytest.mark.parametrize("make", [fixed, sequential, search], ids=lambda make: make.__name__)
class TestStudySource:
    """What a source of one study's trials knows beside that."""

    def test_it_has_a_next_trial_until_it_is_over(self, make, tmp_path):
        case = make(tmp_path)
        assert case.source.has_next()
        case.drain()
        assert not case.source.has_next()

    def test_the_states_are_those_of_the_store(self, make, tmp_path):
        case = make(tmp_path)
        job = case.source.next()
        case.finish(job.id)
        assert case.source.states()[job.id] == "done"
        case.drain()
        assert list(case.source.states().values()) == ["done"] * NUM_TRIALS

    def test_another_source_of_the_same_folder_offers_what_is_missing_alone(self, make, tmp_path):
        case = make(tmp_path)
        first = case.source.next().id
        case.finish(first)
        again = make(tmp_path)
        assert sorted([first, *again.drain()]) == [f"t{i}" for i in range(NUM_TRIALS)]
        assert again.source.progress().num_reused == 1
        assert not make(tmp_path).source.has_next()
