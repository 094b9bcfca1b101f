"""A search remembers what it proposed, never repeats a trial, and knows when it is over."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from helpers.records import search_record, search_study

from audiocls import library
from audiocls.console.progress import TerminalDisplay
from audiocls.errors import ConfigError, OverBudget, UsageError
from audiocls.execution.job import TrackingConfig
from audiocls.execution.messages import Done, Epoch, Failed
from audiocls.search import Categorical, Hyperband, Metric, Numeric, Sweep
from audiocls.store import (
    Failure,
    Proposal,
    Study,
    StudyFolder,
    TrialFolder,
    folder_name,
)
from audiocls.store.lease import require_shareable
from audiocls.studies.launch import Prepared, launch
from audiocls.studies.native_trials import NativeTrials
from audiocls.studies.sources.search import SearchSource
from audiocls.studies.status import failure_lines, over_budget_lines

METRIC = Metric("val/loss")
GRID = Sweep("grid", {"a": Categorical((1, 2, 3))}, METRIC)
RANDOM = Sweep("random", {"x": Numeric("uniform", min=0.0, max=1.0)}, METRIC, run_cap=5)


@dataclass(frozen=True)
class Job:
    id: str
    label: str
    trial: TrialFolder


@dataclass(frozen=True)
class Named:
    """Trials called after their parameters; some that do not go together."""

    folder: StudyFolder
    impossible: tuple[Any, ...] = ()

    def id_of(self, parameters: Mapping[str, Any]) -> str:
        if any(value in self.impossible for value in parameters.values()):
            raise ConfigError("sweep", ["these do not go together"])
        return "-".join(str(value) for value in parameters.values())

    def job_of(self, proposal: Proposal) -> Job:
        return Job(proposal.id, proposal.id, self.folder.trial(proposal.id))


def study(name: str = "s", runs: str = "train.py") -> Study:
    plan = {"method": "grid", "parameters": {"a": {"values": [1, 2, 3]}}}
    return search_study(name, plan, runs, "/", f"audiocls sweep launch {name}")


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path / "s")
    folder.write_study(study())
    return folder


def finish(folder: StudyFolder, trial_id: str, loss: float = 1.0) -> None:
    folder.trial(trial_id).finish(search_record(trial_id, loss))


def drained(searching: SearchSource, folder: StudyFolder) -> list[str]:
    """Every trial offered, each finished before the next is asked for."""
    offered = []
    while (work := searching.next()) is not None:
        offered.append(work.id)
        finish(folder, work.id)
        searching.tell(Done(work.id))
    assert searching.is_over()
    return offered


def test_a_grid_is_offered_whole_and_each_cell_once(folder):
    assert drained(SearchSource(GRID, folder, Named(folder)), folder) == ["1", "2", "3"]
    assert drained(SearchSource(GRID, folder, Named(folder)), folder) == []


def test_an_extended_grid_offers_the_new_cells_alone(folder):
    drained(SearchSource(GRID, folder, Named(folder)), folder)
    more = Sweep("grid", {"a": Categorical((1, 2, 3, 4))}, METRIC)
    assert drained(SearchSource(more, folder, Named(folder)), folder) == ["4"]


def test_a_grid_counts_trials_of_another_grid_as_additional(folder):
    drained(SearchSource(GRID, folder, Named(folder)), folder)
    other = Sweep("grid", {"a": Categorical((3, 4, 5))}, METRIC)
    assert SearchSource(other, folder, Named(folder)).num_trials == 5
    assert drained(SearchSource(other, folder, Named(folder)), folder) == ["4", "5"]


@pytest.mark.parametrize("place", ["file/runs", "/proc/none"])
def test_a_folder_that_cannot_be_made_is_refused_with_the_way_out(tmp_path, place):
    (tmp_path / "file").touch()
    folder = StudyFolder(tmp_path / place / "s")
    with pytest.raises(UsageError, match="--runs"):
        require_shareable(folder.path)


@pytest.mark.parametrize(
    ("name", "is_fit"),
    [("lr search", True), ("..", False), ("a/b", False), ("-x", False), ("é" * 200, False)],
)
def test_a_study_has_the_name_of_one_folder(tmp_path, name, is_fit):
    fit = folder_name(name)
    assert (fit == name) is is_fit
    if fit:
        (tmp_path / fit).mkdir()
        assert [path.name for path in tmp_path.iterdir()] == [fit]


def test_an_unfinished_trial_comes_before_a_new_one_and_a_failed_one_is_left_alone(folder):
    first = SearchSource(GRID, folder, Named(folder))
    works = [first.next(), first.next()]
    works[1].trial.fail(Failure("error", "m", "", 1))
    again = SearchSource(GRID, folder, Named(folder))
    assert drained(again, folder) == ["1", "3"]


def test_random_trials_are_the_same_whether_interrupted_or_not(folder, tmp_path):
    whole = drained(SearchSource(RANDOM, folder, Named(folder)), folder)
    other = StudyFolder(tmp_path / "other")
    other.write_study(study("other"))
    parts = drained(SearchSource(RANDOM, other, Named(other), max_new=2), other)
    parts += drained(SearchSource(RANDOM, other, Named(other)), other)
    assert parts == whole
    assert len(set(whole)) == 5


def test_a_random_search_over_few_cells_tries_each_once_and_ends(folder):
    few = Sweep("random", {"a": Categorical((1, 2)), "b": Categorical((1, 2))}, METRIC)
    offered = drained(SearchSource(few, folder, Named(folder)), folder)
    assert sorted(offered) == ["1-1", "1-2", "2-1", "2-2"]


def test_parameters_that_do_not_go_together_are_a_failed_trial_and_the_search_goes_on(folder):
    searching = SearchSource(GRID, folder, Named(folder, impossible=(2,)))
    assert drained(searching, folder) == ["1", "3"]
    failures = folder.failures(folder.proposals())
    assert [failure.cause for failure in failures.values()] == ["error"]
    assert len(folder.proposals()) == 3


def test_a_trial_over_budget_is_told_and_no_failure_of_the_search(folder):
    class OverAtTwo(Named):
        def id_of(self, parameters: Mapping[str, Any]) -> str:
            if parameters == {"a": 2}:
                raise OverBudget("budget", ["max_params: …"], "over budget by 11 % (…)")
            return super().id_of(parameters)

    searching = SearchSource(GRID, folder, OverAtTwo(folder))
    assert drained(searching, folder) == ["1", "3"]
    assert set(searching.states().values()) == {"done"}
    assert len(searching.proposals) == 3
    assert over_budget_lines(folder) == ["a=2: over budget by 11 % (…)"]
    assert list(failure_lines(folder)) == []


def test_a_first_trial_over_budget_does_not_end_the_search(folder, cache):
    sizes = {"model.channels": Categorical(([64, 64, 64], [32, 24, 24]))}
    sweep, small = Sweep("grid", sizes, METRIC), {"data.num_sources": 5}
    recipe = library.recipe("kws-tiny-cpu")
    tracking = TrackingConfig("disabled", "")
    trials = NativeTrials(folder, cache, tracking, "kws-tiny-cpu", recipe, small)
    trials.examine(sweep)
    trials.require_trainable(sweep)
    searching = SearchSource(sweep, folder, trials)
    job = searching.next()
    assert job is not None
    assert job.spec.config["model"]["channels"] == [32, 24, 24]
    [line] = over_budget_lines(folder)
    assert "over budget by " in line


def test_parameters_that_do_not_go_together_count_towards_the_limit(folder):
    searching = SearchSource(GRID, folder, Named(folder, impossible=(1,)), max_new=1)
    assert drained(searching, folder) == []
    assert len(folder.proposals()) == 1
    capped = replace(GRID, run_cap=2)
    assert drained(SearchSource(capped, folder, Named(folder, impossible=(1,))), folder) == ["2"]


def test_a_proposal_torn_by_a_kill_is_proposed_again(folder):
    searching = SearchSource(GRID, folder, Named(folder))
    finish(folder, searching.next().id)
    file = folder.path / "proposals.jsonl"
    file.write_bytes(file.read_bytes() + b'{"id": "2", "para')
    assert [proposal.id for proposal in folder.proposals()] == ["1"]
    assert drained(SearchSource(GRID, folder, Named(folder)), folder) == ["2", "3"]
    assert [proposal.id for proposal in folder.proposals()] == ["1", "2", "3"]


def test_a_stop_rule_names_a_poor_trial_once(folder):
    rule = Sweep("grid", GRID.parameters, METRIC, Hyperband(min_iter=1, eta=2.0))
    searching = SearchSource(rule, folder, Named(folder))
    works = [searching.next() for _ in range(3)]
    for work, loss in zip(works, (1.0, 2.0, 9.0), strict=True):
        work.trial.path.mkdir(parents=True)
        work.trial.append_history({"epoch": 1, "val/loss": loss})
        searching.tell(Epoch(work.id, 1, 0))
    assert list(searching.trials_to_stop()) == ["3"]
    assert list(searching.trials_to_stop()) == []


def test_a_sweep_without_a_stop_rule_ends_nothing(folder):
    searching = SearchSource(GRID, folder, Named(folder))
    work = searching.next()
    searching.tell(Failed(work.id, "error", "m"))
    assert searching.trials_to_stop() == ()


@pytest.mark.parametrize(
    ("sweep", "max_new", "num_trials"),
    [
        (GRID, None, 3),
        (RANDOM, None, 5),
        (RANDOM, 2, 2),
        (Sweep("random", RANDOM.parameters, METRIC), None, None),
    ],
)
def test_the_number_of_trials_is_told_where_it_is_known(folder, sweep, max_new, num_trials):
    assert SearchSource(sweep, folder, Named(folder), max_new).num_trials == num_trials


def test_a_study_is_not_mixed_with_trials_of_another_program(folder):
    with pytest.raises(UsageError, match="--study"):
        launch(Prepared(folder, study(runs="other.py"), None, None), TerminalDisplay())


def test_a_study_of_a_sweep_is_not_read_as_an_ablation(folder):
    assert folder.is_sweep()
    with pytest.raises(UsageError, match="is a sweep"):
        folder.study_with_arms()
