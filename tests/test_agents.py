"""W&B agents: what they obey, what they outlast, when they leave; with and without a server."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from helpers.recipes import TINY
from helpers.records import search_record
from helpers.trials import make_job

from audiocls import yaml_file
from audiocls.errors import AudioclsError, UsageError
from audiocls.execution.devices import worker_environment
from audiocls.execution.job import CommandSpec, NativeJob, NativeSpec
from audiocls.execution.messages import Done, Event, Failed, Interrupted, Recorded
from audiocls.execution.scheduler import Launch
from audiocls.store import Cell, Failure, Proposal, StudyFolder, TrialFolder
from audiocls.studies.sweep_request import sweep_request
from audiocls.tracking.sweep_server import (
    Leave,
    Order,
    PermissionDenied,
    ServerRun,
    ServerSweep,
    ServerUnavailable,
    Start,
    Stop,
    SweepNotFound,
    SweepPath,
)
from audiocls.tracking.wandb.connection import Connection
from audiocls.tracking.wandb.sweeps import WandbSweeps
from audiocls.wandb_remote.agent import Agent, RetryPolicy, RunQuota
from audiocls.wandb_remote.push import push, registered_sweep
from audiocls.wandb_remote.source import ServerSource, orphaned_runs
from audiocls.wandb_remote.trials import server_trials

FAST = RetryPolicy(poll_s=0.01, slowest_s=0.02, patience_s=0.3)
STEADY = RetryPolicy(poll_s=0.05, slowest_s=0.2, patience_s=20)
PATH = SweepPath("local", "audiocls", "abc")
GRID = {
    "name": "tiny",
    "method": "grid",
    "program": "train.py",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"a": {"values": [1, 2, 3]}, "b": {"values": ["x", "y"]}},
}


@dataclass
class Cells:
    """A server with some runs to give, that can stop runs, pause and fail."""

    num_cells: int
    stops: set[str] = field(default_factory=set)
    is_paused: bool = False
    is_cancelled: bool = False
    fault: Exception | None = None
    given: list[str] = field(default_factory=list)
    beats: list[Sequence[str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def register_agent(self, path: SweepPath, host: str) -> str:
        return host

    def heartbeat(self, agent_id: str, running: Sequence[str]) -> Sequence[Order]:
        with self.lock:
            self.beats.append(running)
            if self.fault:
                raise self.fault
            if self.is_cancelled:
                return [Leave()]
            if running or self.is_paused:
                return [Stop(run) for run in running if run in self.stops]
            if len(self.given) == self.num_cells:
                return [Leave()]
            self.given.append(f"run{len(self.given)}")
            return [Start(self.given[-1], {"cell": len(self.given)})]


def piece(trial_id: str, path: Path) -> NativeJob:
    """Return work in a folder of its own."""
    return make_job(path, Cell(trial_id, "", 0, 1))


class Bench:
    """An executor whose trials end at once, or not before they are ended."""

    def __init__(self, num_slots: int, outcome: Callable[[str], Event | None] = Done):
        self.num_slots, self.outcome = num_slots, outcome
        self.submitted: list[str] = []
        self.ended: list[str] = []
        self._open: list[str] = []
        self._events: list[Event] = []

    def num_free(self) -> int:
        return self.num_slots - len(self._open)

    def submit(self, job: NativeJob) -> None:
        self.submitted.append(job.id)
        self._open.append(job.id)

    def end(self, trial_id: str) -> None:
        self.ended.append(trial_id)
        self._events.append(Failed(trial_id, "signal", "ended"))

    def poll(self, timeout_s: float) -> Sequence[Event]:
        time.sleep(0.005)
        outcomes = [self.outcome(trial_id) for trial_id in self._open]
        events = [*self._events, *(each for each in outcomes if each)]
        self._events, gone = [], {event.id for event in events}
        self._open = [trial_id for trial_id in self._open if trial_id not in gone]
        return events

    def stop(self, grace_s: float) -> Sequence[Event]:
        return [Interrupted(trial_id) for trial_id in self._open]


def agents_of(
    server: Any, num: int, folder: Path, pace: RetryPolicy = FAST, **options: Any
) -> ServerSource:
    quota = options.pop("quota", None) or RunQuota()
    agents = [Agent(server, f"agent{i}", quota, pace) for i in range(num)]
    return ServerSource(agents, lambda start: piece(f"t-{start.run_id}", folder), **options)


def drive(source: ServerSource, bench: Bench, limit_s: float = 10) -> Launch:
    """The real scheduler; a test that hangs is stopped, and fails by what it asserts."""
    stop = threading.Event()
    timer = threading.Timer(limit_s, stop.set)
    timer.start()
    passed = Launch(source, lambda status: None)
    passed.drive(bench, stop)
    timer.cancel()
    assert not stop.is_set(), "it did not end"
    return passed


def test_each_run_that_a_server_gives_is_started_once_over_all_agents(tmp_path):
    server, bench = Cells(7), Bench(3)
    source = agents_of(server, 3, tmp_path)
    assert drive(source, bench).num_done == 7
    assert sorted(bench.submitted) == [f"t-run{i}" for i in range(7)]
    assert source.ending(is_stopped=False).exit_code == 0


def test_an_agent_has_one_run_in_hand_and_tells_of_it_until_it_ends(tmp_path):
    server = Cells(2)
    slow = Bench(2, lambda one: Done(one) if len(server.beats) > 12 else None)
    drive(agents_of(server, 1, tmp_path), slow)
    assert max(map(len, server.beats)) == 1
    assert server.beats[0] == []
    assert ["run0"] in server.beats


class Uploads(Bench):
    """An executor whose trials are recorded at once, and uploaded beside the next ones."""

    uploading: Sequence[str] = ()

    def poll(self, timeout_s: float) -> Sequence[Event]:
        time.sleep(0.005)
        begun, self._open = self._open, []
        uploaded = self.uploading if begun else []
        self.uploading = begun or self.uploading
        return [*map(Done, uploaded), *map(Recorded, begun)]

    def stop(self, grace_s: float) -> Sequence[Event]:
        return [Done(trial_id) for trial_id in self.uploading]


def test_the_next_run_begins_while_the_last_one_is_uploaded(tmp_path):
    server, bench, stop = Cells(3), Uploads(1), threading.Event()
    source = agents_of(server, 1, tmp_path)
    passed = Launch(source, lambda status: stop.set() if len(bench.submitted) == 3 else None)
    passed.drive(bench, stop)
    assert bench.submitted == ["t-run0", "t-run1", "t-run2"]
    assert passed.num_done == 3
    assert max(map(len, server.beats)) == 1


def test_a_run_that_the_server_stops_is_ended_once_and_counts_as_no_failure(tmp_path):
    server = Cells(4)

    def stop_once_it_runs(trial_id: str) -> None:
        # A run that is stopped before its trial has begun is dropped, and never ended.
        server.stops.add(trial_id.removeprefix("t-"))

    bench = Bench(1, stop_once_it_runs)
    source = agents_of(server, 1, tmp_path)
    drive(source, bench)
    assert bench.ended == bench.submitted == [f"t-run{i}" for i in range(4)]
    assert source.ending(is_stopped=False).exit_code == 0


def test_a_paused_sweep_gives_nothing_until_it_is_resumed(tmp_path):
    server, bench = Cells(2, is_paused=True), Bench(1)
    resume = threading.Timer(0.2, setattr, [server, "is_paused", False])
    resume.start()
    source = agents_of(server, 1, tmp_path)
    time.sleep(0.1)
    assert source.next() is None
    assert not source.is_over()
    assert drive(source, bench).num_done == 2


def test_a_cancelled_sweep_ends_what_runs_and_every_agent(tmp_path):
    server, bench = Cells(9), Bench(2, lambda one: None)
    threading.Timer(0.1, setattr, [server, "is_cancelled", True]).start()
    drive(agents_of(server, 2, tmp_path), bench)
    assert sorted(bench.ended) == sorted(bench.submitted)
    assert len(bench.submitted) == 2


def test_a_run_stopped_before_it_began_is_never_started(tmp_path):
    server, bench = Cells(1, stops={"run0"}), Bench(0)
    source = agents_of(server, 1, tmp_path)
    deadline = time.monotonic() + 5
    while not source.is_over() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert source.is_over()
    assert not bench.submitted


def test_three_failures_in_a_row_end_the_agents_and_leave_the_sweep_to_others(tmp_path):
    server = Cells(100)
    source = agents_of(server, 2, tmp_path)
    passed = drive(source, Bench(2, lambda one: Failed(one, "error", "no disk")))
    assert 3 <= passed.num_failed <= 5
    ending = source.ending(is_stopped=False)
    assert ending.exit_code == 3
    assert "in a row" in ending.sentence


def test_a_success_or_a_diverging_arm_is_no_sign_of_a_bad_machine(tmp_path):
    outcomes = {"t-run2": Done("t-run2"), "t-run5": Failed("t-run5", "nan", "")}
    server = Cells(8)
    source = agents_of(server, 1, tmp_path / "a")
    passed = drive(source, Bench(1, lambda one: outcomes.get(one) or Failed(one, "error", "")))
    assert passed.num_failed + passed.num_done == 7  # x x ok x x nan x
    diverging = agents_of(Cells(8), 1, tmp_path / "b")
    assert drive(diverging, Bench(1, lambda one: Failed(one, "nan", ""))).num_failed == 8
    assert diverging.ending(is_stopped=False).exit_code == 3


def test_no_rule_of_failures_if_none_is_wanted(tmp_path):
    source = agents_of(Cells(6), 1, tmp_path, most_failures=0)
    assert drive(source, Bench(1, lambda one: Failed(one, "error", ""))).num_failed == 6


def test_a_count_bounds_the_trials_over_all_agents(tmp_path):
    server = Cells(100)
    assert drive(agents_of(server, 3, tmp_path, quota=RunQuota(5)), Bench(3)).num_done == 5
    assert len(server.given) == 5


class EndsMeanwhile(threading.Event):
    """Something to wake up an agent, whose run ends at the moment when it is about to ask."""

    agent: Agent

    def clear(self) -> None:
        super().clear()
        for run in self.agent.server.given:  # type: ignore[attr-defined]
            self.agent.end(run)


def test_a_run_that_ends_while_the_agent_asks_is_no_leave_to_ask_for_one_more():
    server = Cells(100, is_paused=True)
    agent = Agent(server, "agent", RunQuota(1), FAST)
    agent._wake = EndsMeanwhile()
    agent._wake.agent = agent
    server.is_paused = False
    deadline = time.monotonic() + 5
    while agent._thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not agent._thread.is_alive()
    assert server.given == ["run0"]


def test_an_order_that_no_trial_follows_fails_and_the_next_one_is_obeyed(tmp_path):
    bench = Bench(1)
    agents = [Agent(Cells(3), "agent", RunQuota(), FAST)]
    pieces = {"run0": piece("a", tmp_path), "run1": None, "run2": piece("c", tmp_path)}
    source = ServerSource(agents, lambda start: pieces[start.run_id])
    assert drive(source, bench).num_done == 2
    assert bench.submitted == ["a", "c"]
    assert source.ending(is_stopped=False).exit_code == 3


def test_an_order_that_cannot_be_for_this_machine_ends_its_agents_after_the_trials_in_hand(
    tmp_path,
):
    server, is_refused = Cells(100), threading.Event()

    def job_of(start: Start) -> NativeJob:
        if start.run_id == "run1":
            is_refused.set()
            raise UsageError("no such arm here")
        return piece(start.run_id, tmp_path)

    agents = [Agent(server, f"agent{i}", RunQuota(), FAST) for i in range(2)]
    source = ServerSource(agents, job_of)
    bench = Bench(2, lambda one: Done(one) if is_refused.is_set() else None)
    assert drive(source, bench).num_done >= 1
    with pytest.raises(UsageError, match="no such arm"):
        source.ending(is_stopped=False)


def test_a_trial_in_hand_ends_in_peace_while_the_server_is_silent_then_the_agent_gives_up(tmp_path):
    server = Cells(100)
    over = threading.Event()

    def outcome(one: str) -> Event | None:
        server.fault = ServerUnavailable("no answer from http://there within 30 s")
        return Done(one) if over.is_set() else None

    threading.Timer(0.8, over.set).start()  # well after the agent has lost its patience
    source = agents_of(server, 1, tmp_path)
    assert drive(source, Bench(1, outcome)).num_done == 1
    ending = source.ending(is_stopped=False)
    assert ending.exit_code == 75
    assert "http://there" in ending.sentence


@pytest.mark.parametrize("fault", [ServerUnavailable("500"), PermissionDenied("401")])
def test_a_server_that_fails_for_a_while_is_asked_again(fault, tmp_path):
    server = Cells(3, fault=fault)
    threading.Timer(0.15, setattr, [server, "fault", None]).start()
    source = agents_of(server, 2, tmp_path)
    assert drive(source, Bench(2)).num_done == 3
    assert source.ending(is_stopped=False).exit_code == 0


def test_a_deleted_sweep_ends_the_agents_at_once_but_not_the_trial_in_hand(tmp_path):
    server = Cells(100)

    def outcome(one: str) -> Event | None:
        server.fault = SweepNotFound("sweep local/audiocls/abc: gone")
        return Done(one) if len(server.beats) > 1 else None

    source = agents_of(server, 1, tmp_path, pace=RetryPolicy(0.01, 0.01, 100))
    assert drive(source, Bench(1, outcome)).num_done >= 1
    assert source.ending(is_stopped=False).exit_code == 2


def test_a_fault_of_our_own_in_an_agent_is_not_taken_for_an_end(tmp_path):
    source = agents_of(Cells(1, fault=KeyError("oops")), 1, tmp_path)
    drive(source, Bench(1))
    with pytest.raises(KeyError, match="oops"):
        source.ending(is_stopped=False)


def test_a_cell_asked_for_by_two_runs_is_given_to_the_second_after_the_first(tmp_path):
    server, bench = Cells(2), Bench(2)
    agents = [Agent(server, f"agent{i}", RunQuota(), FAST) for i in range(2)]
    source = ServerSource(agents, lambda start: piece("same", tmp_path))
    seen: list[int] = []
    bench.outcome = lambda one: seen.append(len(bench._open)) or Done(one)  # type: ignore[func-returns-value]
    assert drive(source, bench).num_done == 2
    assert seen == [1, 1]


def test_what_a_killed_agent_had_in_hand_is_gone_on_with_and_nothing_else(tmp_path):
    def trial_of(start: Start) -> TrialFolder:
        return TrialFolder(tmp_path / start.run_id)

    for name in ("killed_here", "done_here", "failed_here"):
        trial_of(Start(name, {})).path.mkdir()
    trial_of(Start("done_here", {})).finish(search_record("done_here", 0.5))
    trial_of(Start("failed_here", {})).fail(Failure("error", "", "", 1))
    states = {"killed_here": "running", "done_here": "crashed", "failed_here": "failed"}
    states |= {"elsewhere": "running", "stopped": "killed"}
    config = {"a": 1, "optim": {"lr": 0.1}}  # a program adds to its run's configuration
    runs = tuple(ServerRun(name, state, config) for name, state in states.items())
    sweep = ServerSweep(PATH, "", {"parameters": {"a": {}}}, "RUNNING", runs)
    assert list(orphaned_runs(sweep, trial_of)) == [Start("killed_here", {"a": 1})]


def test_a_run_that_cannot_be_a_trial_here_keeps_no_agent_from_starting(tmp_path):
    def trial_of(start: Start) -> TrialFolder:
        raise UsageError(f"{start.run_id}: no such arm here")

    runs = (ServerRun("crashed", "crashed", {"a": 1}),)
    sweep = ServerSweep(PATH, "", {"parameters": {"a": {}}}, "RUNNING", runs)
    assert list(orphaned_runs(sweep, trial_of)) == []


def test_orphaned_runs_come_before_new_ones(tmp_path):
    server, bench = Cells(2), Bench(1)
    quota = RunQuota(None, [Start("old", {})])
    drive(agents_of(server, 1, tmp_path, quota=quota), bench)
    assert bench.submitted == ["t-old", "t-run0", "t-run1"]
    assert server.beats[0] == ["old"]


def test_an_order_leaves_its_folder_so_that_a_kill_before_the_first_epoch_is_known(tmp_path):
    drive(agents_of(Cells(1), 1, tmp_path), Bench(1))
    assert (tmp_path / "t-run0").is_dir()


OURS = ["audiocls", "train", "--ablation", "tiny", "optim.lr=1e-2", "${args_no_hyphens}"]


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A working directory with a question on its shelf."""
    (tmp_path / "ablations").mkdir()
    question = "{name: tiny, question: Is it so?, recipe: tiny, factors: {model.dropout: [0.5]}}"
    (tmp_path / "ablations" / "tiny.yaml").write_text(question)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "tiny.yaml").write_text(yaml_file.dump(TINY))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_cell_of_ours_becomes_a_task_in_its_study_with_the_servers_run(shelf):
    sweep = ServerSweep(PATH, "", {"command": OURS}, "RUNNING")
    start = Start("r1", {"arm": "dropout=0.5", "fold": 1, "seed": 7})
    trials = server_trials(sweep, shelf / "runs")
    assert trials.folder(start).path.parent == shelf / "runs" / "tiny" / "trials"
    assert not (shelf / "runs").exists()  # to ask where a trial would lie begins nothing
    job = trials.job(start)
    assert isinstance(job.spec, NativeSpec)
    assert (job.spec.arm, job.seed, job.fold) == ("dropout=0.5", 7, 1)
    assert job.spec.config["optim"]["lr"] == 0.01
    tracking = job.tracking
    assert (tracking.run_id, tracking.sweep_id, tracking.entity) == ("r1", "abc", "local")
    assert (tracking.project, tracking.mode) == ("audiocls", "online")
    assert not tracking.is_awaited
    assert [cell.id for cell in StudyFolder(shelf / "runs" / "tiny").study().cells] == [job.id]


def test_a_cell_that_the_sweep_has_and_this_checkout_has_not_is_refused(shelf):
    sweep = ServerSweep(PATH, "", {"command": OURS}, "RUNNING")
    with pytest.raises(AudioclsError, match=r"dropout=0\.9"):
        server_trials(sweep, shelf / "runs").job(
            Start("r1", {"arm": "dropout=0.9", "fold": 1, "seed": 0})
        )


def test_a_cell_that_failed_before_is_tried_once_more_where_a_server_asks_for_it(shelf):
    sweep = ServerSweep(PATH, "", {"command": OURS}, "RUNNING")
    start = Start("r1", {"arm": "dropout=0.5", "fold": 1, "seed": 0})
    trials = server_trials(sweep, shelf / "runs")
    trials.folder(start).fail(Failure("error", "", "", 1))
    assert trials.job(start).trial.state() == "pending"


def test_anybodys_program_becomes_a_command_with_the_servers_run(tmp_path):
    trials = server_trials(ServerSweep(PATH, "", GRID, "RUNNING"), tmp_path)
    start = Start("r1", {"a": 2, "b": "x"})
    job = trials.job(start)
    assert isinstance(job.spec, CommandSpec)
    assert (job.id, job.label, job.spec.metric) == ("r1", "a=2,b=x", "loss")
    assert job.trial.path == trials.folder(start).path == tmp_path / "tiny" / "trials" / "r1"
    tracking = job.tracking
    assert (tracking.run_id, tracking.sweep_id, tracking.entity) == ("r1", "abc", "local")
    assert (tracking.project, tracking.mode) == ("audiocls", "online")
    folder = StudyFolder(tmp_path / "tiny")
    assert folder.proposals() == [Proposal("r1", {"a": 2, "b": "x"})]
    assert folder.study().command == "audiocls sweep agent local/audiocls/abc"
    assert folder.study().search.folder == str(Path.cwd())
    assert registered_sweep(folder) == PATH


def test_a_run_taken_up_again_has_the_parameters_that_it_was_given_first(tmp_path):
    trials = server_trials(ServerSweep(PATH, "", GRID, "RUNNING"), tmp_path)
    trials.job(Start("r1", {"a": 2, "b": "x"}))
    again = trials.job(Start("r1", {"a": 2, "b": "changed by the program"}))
    assert isinstance(again.spec, CommandSpec)
    assert again.parameters == {"a": 2, "b": "x"}
    assert len(StudyFolder(tmp_path / "tiny").proposals()) == 1


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "..", ""])
def test_a_sweeps_name_that_is_no_folders_leads_nowhere_else(name, tmp_path):
    sweep = ServerSweep(PATH, "", {**GRID, "name": name}, "RUNNING")
    trials = server_trials(sweep, tmp_path)
    assert trials.folder(Start("r1", {})).path.parents[2] == tmp_path


def test_two_sweeps_of_one_name_over_two_programs_are_not_mixed(tmp_path):
    server_trials(ServerSweep(PATH, "", GRID, "RUNNING"), tmp_path).job(
        Start("r1", {"a": 1, "b": "x"})
    )
    other = ServerSweep(PATH, "", {**GRID, "program": "other.py"}, "RUNNING")
    with pytest.raises(UsageError, match="--study NAME"):
        server_trials(other, tmp_path)
    trial = server_trials(other, tmp_path, "both").folder(Start("r1", {}))
    assert trial.path.parent.parent.name == "both"


SEARCH = {
    "name": "search",
    "method": "random",
    "metric": {"name": "val/loss"},
    "parameters": {
        "data.sample_rate": {"values": [4000, 8000]},
        "features.f_max": {"values": [1500, 3500]},
    },
    "command": ["audiocls", "train", "--recipe", "tiny", "${args_no_hyphens}"],
}


def test_what_a_server_proposes_over_a_recipe_is_kept_as_a_launch_keeps_it(shelf, monkeypatch):
    (shelf / "search.yaml").write_text(yaml_file.dump(SEARCH))
    trials = server_trials(ServerSweep(PATH, "", SEARCH, "RUNNING"), shelf / "runs")
    start = Start("r1", {"data.sample_rate": 8000, "features.f_max": 3500})
    job = trials.job(start)
    assert isinstance(job.spec, NativeSpec)
    assert trials.folder(start) == job.trial
    tracking = job.tracking
    assert (tracking.run_id, tracking.sweep_id, tracking.project) == ("r1", "abc", "audiocls")
    request = sweep_request("search.yaml")
    folder = StudyFolder(shelf / "runs" / "search")
    assert folder.study().search.runs == request.to_study().search.runs
    # Else `sync` takes it for anybody's program, and uploads each opening of a resumed run.
    assert folder.study().search.folder == request.to_study().search.folder == ""
    assert [each.id for each in folder.proposals()] == [job.id]
    again = trials.job(replace(start, run_id="r2"))
    assert again is not None
    assert again.tracking.run_id == "r2"
    assert len(folder.proposals()) == 1


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_a_search_by_results_waits_for_each_runs_metrics_and_no_other(shelf, method):
    sweep = ServerSweep(PATH, "", {**SEARCH, "method": method}, "RUNNING")
    start = Start("r1", {"data.sample_rate": 8000, "features.f_max": 3500})
    job = server_trials(sweep, shelf / "runs").job(start)
    assert job.tracking.is_awaited == (method == "bayes")


def test_parameters_that_do_not_go_together_are_a_failed_trial_and_a_failed_run(
    shelf, wandb_server
):
    door = WandbSweeps(Connection())
    trials = server_trials(door.sweep(door.create(SEARCH, "audiocls")), shelf / "runs")
    assert trials.job(Start("r1", {"data.sample_rate": 4000, "features.f_max": 3500})) is None
    folder = StudyFolder(shelf / "runs" / "search")
    assert list(folder.states(folder.cells()).values()) == ["failed"]
    run = wandb_server.run("r1")
    assert (run.state, run.group) == ("failed", "search")
    assert "f_max" in run.notes
    assert not wandb_server.unknown


def test_text_that_looks_like_an_octal_number_stays_text_for_every_reader():
    assert yaml_file.dump({"a": ["008", "0", "10"]}) == "a:\n- '008'\n- '0'\n- '10'\n"


def test_a_workers_runs_do_not_share_the_agents_own_wandb_process():
    assert "WANDB_SERVICE" not in worker_environment({"WANDB_SERVICE": "x", "A": "b"}, "cpu")


@pytest.mark.parametrize("text", ["abc", "audiocls/abc", "a/b/c/d", "a//c", ""])
def test_a_sweep_is_named_in_full(text):
    with pytest.raises(UsageError, match="ENTITY/PROJECT/ID"):
        SweepPath.parse(text)


class Shelf:
    """A server that keeps sweeps."""

    def __init__(self) -> None:
        self.sweeps: dict[SweepPath, Mapping[str, Any]] = {}

    def create(
        self,
        config: Mapping[str, Any],
        project: str,
        entity: str | None = None,
        prior_runs: Sequence[str] = (),
    ) -> SweepPath:
        path = SweepPath(entity or "me", project, f"s{len(self.sweeps)}")
        self.sweeps[path] = dict(config)
        return path

    def sweep(self, path: SweepPath) -> ServerSweep:
        if path not in self.sweeps:
            raise SweepNotFound(str(path))
        return ServerSweep(path, "", {**self.sweeps[path], "added": "by the server"}, "PENDING")


def test_a_study_is_pushed_once_and_anew_only_if_it_or_its_place_changed(tmp_path):
    server, folder = Shelf(), StudyFolder(tmp_path / "tiny")
    first = push(server, folder, GRID, "p")
    assert first.is_new
    assert first.replaced is None
    assert registered_sweep(folder) == first.sweep.path
    assert not push(server, folder, GRID, "p").is_new
    assert not push(server, folder, GRID, "p", "me").is_new
    changed = push(server, folder, {**GRID, "run_cap": 3}, "p")
    assert changed.is_new
    assert changed.replaced == first.sweep.path
    assert push(server, folder, {**GRID, "run_cap": 3}, "q").is_new
    assert push(server, folder, {**GRID, "run_cap": 3}, "q", "team").is_new
    server.sweeps.clear()
    assert push(server, folder, {**GRID, "run_cap": 3}, "q", "team").is_new


# From here on with the real client and a stand-in server.


@pytest.fixture
def door(wandb_server):
    return WandbSweeps(Connection(10))


@pytest.fixture
def hasty(door):
    """The same server; W&B's own process, which takes a moment to start, is there."""
    door.url(PATH)
    return WandbSweeps(Connection(2))


def test_a_sweep_is_read_back_as_it_was_created(door, wandb_server):
    path = door.create({**GRID, "parameters": {"a": {"values": [1, 1.5, "on", "008"]}}}, "mine")
    assert (path.entity, path.project) == (wandb_server.entity, "mine")
    registered = door.sweep(path)
    assert registered.config["parameters"]["a"]["values"] == [1, 1.5, "on", "008"]
    assert registered.runs == ()
    assert registered.url == f"{wandb_server.url}/{path.entity}/mine/sweeps/{path.id}"
    assert not wandb_server.unknown


def test_a_sweep_that_is_not_there_is_gone(door):
    with pytest.raises(SweepNotFound, match="nowhere"):
        door.sweep(SweepPath("local", "mine", "nowhere"))


def test_an_agent_gets_runs_stops_and_the_end_from_a_real_server(door, wandb_server):
    path = door.create({**GRID, "run_cap": 1}, "mine")
    agent = door.register_agent(path, "here")
    [start] = door.heartbeat(agent, [])
    assert isinstance(start, Start)
    assert start.parameters == {"a": 1, "b": "x"}
    assert door.sweep(path).runs == (ServerRun(start.run_id, "pending", {"a": 1, "b": "x"}),)
    assert door.heartbeat(agent, [start.run_id]) == []
    wandb_server.stop_run(start.run_id)
    assert door.heartbeat(agent, [start.run_id]) == [Stop(start.run_id)]
    wandb_server.set_sweep(path.id, "CANCELED")
    assert door.heartbeat(agent, []) == [Leave()]
    wandb_server.delete_sweep(path.id)
    with pytest.raises(SweepNotFound):
        door.heartbeat(agent, [])


@pytest.mark.parametrize(
    ("status", "fault"),
    [(401, PermissionDenied), (403, PermissionDenied), (500, ServerUnavailable)],
)
def test_what_the_client_hides_of_a_failing_server_is_told(status, fault, hasty, wandb_server):
    agent = hasty.register_agent(hasty.create(GRID, "mine"), "here")
    wandb_server.fail("Heartbeat", status)
    started = time.monotonic()
    with pytest.raises(fault, match="http"):
        hasty.heartbeat(agent, [])
    assert time.monotonic() - started < 5


def test_an_error_inside_an_answer_is_a_refusal_in_the_servers_words(
    door, wandb_server, monkeypatch
):
    path, answer = door.create(GRID, "mine"), wandb_server._answer
    error = {"data": None, "errors": [{"message": "permission denied", "path": ["project"]}]}

    def deny(request: Any) -> Any:
        return (
            (200, json.dumps(error).encode())
            if b"SweepWithRuns" in request.body
            else answer(request)
        )

    monkeypatch.setattr(wandb_server, "_answer", deny)
    with pytest.raises(PermissionDenied, match=r"refuses sweep local/mine/.*permission denied"):
        door.sweep(path)


def test_a_stall_ends_in_the_stated_time(hasty, wandb_server):
    agent = hasty.register_agent(hasty.create(GRID, "mine"), "here")
    wandb_server.stall("Heartbeat", 30)
    started = time.monotonic()
    with pytest.raises(ServerUnavailable, match="within 2 s"):
        hasty.heartbeat(agent, [])
    assert time.monotonic() - started < 5


def test_a_wrong_key_is_one_clear_error(wandb_server, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "w" * 40)
    with pytest.raises(PermissionDenied, match="wandb login --relogin"):
        WandbSweeps(Connection(2)).sweep(PATH)


def test_no_key_at_all_is_one_clear_error(wandb_server, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(PermissionDenied, match="wandb login"):
        WandbSweeps(Connection(2)).sweep(PATH)


KILLED = """
import sys
import psutil
from audiocls.tracking.sweep_server import ServerUnavailable
from audiocls.tracking.wandb.connection import Connection
from audiocls.tracking.wandb.sweeps import WandbSweeps
door = WandbSweeps(Connection(5))
assert door.heartbeat(sys.argv[1], ["mine"]) == []
for child in psutil.Process().children():
    child.kill()
    child.wait()
try:
    door.heartbeat(sys.argv[1], ["mine"])
except ServerUnavailable as error:
    print(error)
print(door.heartbeat(sys.argv[1], []))
"""


def test_agents_go_on_after_wandbs_own_process_was_killed(door, monkeypatch):
    agent = door.register_agent(door.create(GRID, "mine"), "here")
    monkeypatch.delenv("WANDB_SERVICE")  # this process's own, which is to live on
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, agent], capture_output=True, text=True, check=False
    )
    assert "own process died" in ended.stdout, ended.stderr
    assert "Start(run_id=" in ended.stdout, ended.stderr


def test_a_real_server_that_went_away_and_came_back_loses_no_cell(door, wandb_server, tmp_path):
    path = door.create(GRID, "mine")
    ids = [door.register_agent(path, "here") for _ in range(2)]
    quota = RunQuota()
    agents = [Agent(door, each, quota, STEADY) for each in ids]
    source = ServerSource(agents, lambda start: piece(start.run_id, tmp_path))
    bench = Bench(2)

    def outcome(one: str) -> Event:
        if len(bench.submitted) == 3:
            wandb_server.close()
            threading.Timer(1.0, wandb_server.reopen).start()
        return Done(one)

    bench.outcome = outcome
    assert drive(source, bench, limit_s=30).num_done == 6
    cells = [tuple(run.config.values()) for run in door.sweep(path).runs]
    assert len(set(cells)) == len(cells) == 6
    assert source.ending(is_stopped=False).exit_code == 0
