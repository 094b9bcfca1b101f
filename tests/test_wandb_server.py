"""The stand-in for W&B's server, held to the real client."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wandb
from helpers.processes import wait_until
from wandb.apis.public.sweeps import _agent_heartbeat, _register_agent, _set_sweep_state
from wandb.sdk.lib.service.service_connection import WandbApiFailedError
from wandb.sdk.sweeps import SweepNotFoundError
from wandb_server import Run
from wandb_server.filters import matches, ordered

with warnings.catch_warnings(action="ignore"):  # written for an older pydantic
    import wandb_workspaces.reports.v2 as reports
    import wandb_workspaces.workspaces as workspaces

pytestmark = pytest.mark.filterwarnings("ignore:Read the `app_url` setting")  # it warns itself

GRID = {"method": "grid", "parameters": {"a": {"values": [1, 2]}}, "program": "train.py"}


def init(**given: Any) -> wandb.Run:
    settings = {"console": "off", "silent": True, "x_disable_stats": True, "x_disable_meta": True}
    settings |= given.pop("settings", {})
    return wandb.init(**{"project": "p", "settings": wandb.Settings(**settings), **given})


def logged(losses: list[float], exit_code: int = 0, **given: Any) -> str:
    """The id of a run that has logged losses and ended."""
    run = init(**given)
    for loss in losses:
        run.log({"loss": loss})
    run.finish(exit_code)
    return run.id


# Runs


def test_a_run_tells_its_config_its_rows_its_summary_and_its_end(server):
    run = server.run(logged([3, 2, 1], config={"lr": 0.1, "a": {"b": 1}}, group="g", tags=["t"]))
    assert (run.state, run.exit_code, run.config) == ("finished", 0, {"lr": 0.1, "a": {"b": 1}})
    assert [row["loss"] for row in run.history] == [3, 2, 1]
    assert (run.project, run.entity, run.group, run.tags) == ("p", "local", "g", ["t"])
    assert run.summary["loss"] == 1


def test_a_run_that_fails_says_so(server):
    run = server.run(logged([1], exit_code=3))
    assert (run.state, run.exit_code) == ("failed", 3)


def test_a_run_that_goes_on_keeps_its_rows(server):
    run_id = logged([3, 2], config={"a": 1}, id="again", resume="allow")
    with init(id=run_id, resume="must") as run:
        assert (run.starting_step, run.config["a"], run.summary["loss"]) == (2, 1, 2)
        assert server.run(run_id).state == "running"
        run.log({"loss": 1})
    assert [row["loss"] for row in server.run(run_id).history] == [3, 2, 1]


def test_the_id_of_a_deleted_run_is_used_up(server):
    run_id = logged([1], id="gone")
    wandb.Api().run(f"p/{run_id}").delete()
    assert server.runs() == []
    with pytest.raises(wandb.errors.CommError, match="previously created and deleted"):
        init(id=run_id, settings={"init_timeout": 2})  # the client asks again and again


def test_files_lines_and_machine_statistics_arrive(server, tmp_path):
    with init(settings={"console": "wrap", "x_disable_stats": False}) as run:
        print("a line of output")
        Path(run.dir, "notes").mkdir()
        Path(run.dir, "notes", "one two.txt").write_text("hello")
        run.save(Path(run.dir, "notes", "*"), base_path=run.dir)
    kept = server.run(run.id)
    assert kept.files["notes/one two.txt"] == b"hello"
    assert "a line of output" in "".join(kept.output)
    assert any(name.startswith("system.") for name in kept.events[0])
    wandb.Api().run(f"p/{run.id}").file("notes/one two.txt").download(root=str(tmp_path)).close()
    assert (tmp_path / "notes" / "one two.txt").read_text() == "hello"


def test_a_table_is_a_file_and_an_artifact(server):
    with init() as run:
        run.log({"clips": wandb.Table(columns=["clip", "score"], data=[["a", 0.5]])})
    kept = server.run(run.id)
    assert b'"data":[["a",0.5]]' in kept.files[kept.summary["clips"]["path"]].replace(b" ", b"")
    [artifact] = server.artifacts()
    assert (artifact.type, artifact.state) == ("run_table", "COMMITTED")
    [seen] = wandb.Api().run(f"p/{run.id}").logged_artifacts()
    assert seen.get("clips").data == [["a", 0.5]]


def test_artifacts_have_versions_are_fetched_and_are_known_to_be_used(server, tmp_path):
    for content in ("old", "new", "new"):
        with init() as run:
            artifact = wandb.Artifact("model", "model", metadata={"of": content})
            with artifact.new_file("weights.txt") as file:
                file.write(content)
            run.log_artifact(artifact, aliases=["best"] if content == "old" else [])
    assert [(each.name, each.version) for each in server.artifacts()] == [
        ("model", 0),
        ("model", 1),
    ]
    for alias, content in {"best": "old", "v1": "new", "latest": "new"}.items():
        found = wandb.Api().artifact(f"p/model:{alias}")
        assert Path(found.download(str(tmp_path / alias)), "weights.txt").read_text() == content
        assert found.metadata == {"of": content}
    with init() as run:
        run.use_artifact("model:best")
    assert server.run(run.id).used_artifacts == [server.artifacts()[0].id]
    [used] = wandb.Api().run(f"p/{run.id}").used_artifacts()
    assert used.name == "model:v0"


def test_runs_made_offline_are_synced_once(server, tmp_path):
    run_id = logged([2, 1], mode="offline", config={"a": 1})
    [folder] = Path(os.environ["WANDB_DIR"], "wandb").glob(f"offline-run-*-{run_id}")
    assert server.runs() == []
    wandb_command("sync", str(folder))
    run = server.run(run_id)
    assert ([row["loss"] for row in run.history], run.state) == ([2, 1], "finished")
    assert list(folder.glob("*.synced"))


def wandb_command(*words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "wandb", *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


# What the public API asks

TRIO = [
    Run(
        id=f"r{loss}",
        project="p",
        state="finished",
        wrapped_config={"lr": {"value": loss / 10}, "opt": {"value": {"name": "sgd"}}},
        summary={"loss": loss, "best/loss": loss, "max": {"loss": loss}},
        tags=["odd"] if loss % 2 else [],
    )
    for loss in (3, 1, 2)
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["r3", "r1", "r2"]),
        ({"config.lr": 0.2}, ["r2"]),
        ({"config.opt.name": "sgd", "state": "finished"}, ["r3", "r1", "r2"]),
        ({"config.lr.value": {"$in": [0.1, 0.3]}}, ["r3", "r1"]),
        ({"summary_metrics.loss": {"$lte": 2, "$ne": 1}}, ["r2"]),
        ({"summary_metrics.best/loss": {"$gt": 1, "$lt": 3}}, ["r2"]),
        ({"summary_metrics.max.loss": {"$gte": 3}}, ["r3"]),
        ({"$or": [{"name": "r1"}, {"name": {"$regex": "2$"}}]}, ["r1", "r2"]),
        ({"$and": [{"$not": {"name": "r1"}}, {"$nor": [{"name": "r2"}]}]}, ["r3"]),
        ({"config.absent": {"$exists": False}, "tags": {"$nin": ["odd"]}}, ["r2"]),
        ({"tags": "odd", "jobType": {"$eq": ""}}, ["r3", "r1"]),
        ({"group": "none"}, []),
    ],
)
def test_a_filter_is_mongos(wanted, found):
    assert [run.id for run in TRIO if matches(run, wanted)] == found


def test_an_order_goes_up_or_down_and_keeps_what_is_equal_as_it_came():
    for order, found in {
        "+summary_metrics.loss": ["r1", "r2", "r3"],
        "-config.lr.value": ["r3", "r2", "r1"],
        "+state": ["r3", "r1", "r2"],
        "-state": ["r2", "r1", "r3"],
        "+summary_metrics.absent": ["r3", "r1", "r2"],
    }.items():
        assert [run.id for run in ordered(TRIO, order)] == found


def test_runs_are_read_back_page_by_page(server):
    for loss in (3, 2, 1):
        logged([9, loss], id=f"r{loss}", config={"lr": loss / 10})
    api = wandb.Api()
    found = api.runs("p", {"config.lr": {"$lt": 0.25}}, order="+summary_metrics.loss", per_page=1)
    assert (len(found), [run.id for run in found]) == (2, ["r1", "r2"])
    run = api.run("p/r3")
    assert (run.state, run.config, run.summary["loss"]) == ("finished", {"lr": 0.3}, 3)
    assert [row["loss"] for row in run.scan_history(keys=["loss"], page_size=1)] == [9, 3]
    assert [row["loss"] for row in run.history(pandas=False)] == [9, 3]
    assert run.history(keys=["loss"], pandas=False) == [
        {"_step": 0, "loss": 9},
        {"_step": 1, "loss": 3},
    ]
    assert run.history_keys["keys"].keys() >= {"loss", "_step"}
    assert [project.name for project in api.projects()] == ["p"]


def test_a_run_is_changed_from_outside(server):
    run = wandb.Api().run(f"p/{logged([1], config={'lr': 1})}")
    run.config["lr"], run.summary["extra"] = 2, 5
    run.tags, run.notes, run.group = ["t"], "n", "g"
    run.update()
    kept = server.run(run.id)
    assert (kept.config, kept.summary["extra"], kept.summary["loss"]) == ({"lr": 2}, 5, 1)
    assert (kept.tags, kept.notes, kept.group, kept.state) == (["t"], "n", "g", "finished")


def test_what_is_not_there_is_said_to_be_absent(server):
    logged([1])
    api = wandb.Api()
    for path in ("p/absent", "absent/absent"):
        with pytest.raises((ValueError, wandb.errors.CommError)):
            api.run(path)
    with pytest.raises(ValueError, match="Could not find project"):
        len(api.runs("absent"))
    with pytest.raises((ValueError, wandb.errors.CommError)):
        api.sweep("p/absent")
    with pytest.raises((ValueError, wandb.errors.CommError)):
        api.artifact("p/absent:latest")


def test_what_it_does_not_know_is_refused_and_remembered(wandb_server):
    logged([1])
    api = wandb.Api()
    with pytest.raises(WandbApiFailedError, match="nonsense"):
        api._service_api.execute_graphql("query Odd { nonsense }", variables={})
    query = 'query Half { project(name: "p") { name nonsense } }'
    found = api._service_api.execute_graphql(query, variables={})
    assert found == {"project": {"name": "p", "nonsense": None}}
    assert wandb_server.unknown == ["Odd: nonsense", "Half: project.nonsense"]


# Sweeps and agents


class Heart:
    """An agent of a sweep that beats by hand, through the client's own functions."""

    def __init__(self, sweep_id: str):
        self.api = wandb.Api()
        self.id = _register_agent(self.api, "host", sweep_id=sweep_id, project="p")["id"]

    def beat(self, *busy: str) -> list[tuple[str, Any]]:
        """The types of the commands, and the run or the parameters that each is about."""
        return [
            (
                command["type"],
                {name: entry["value"] for name, entry in command["args"].items()}
                if "args" in command
                else command.get("run_id"),
            )
            for command in self.commands(*busy)
        ]

    def commands(self, *busy: str) -> list[dict[str, Any]]:
        return _agent_heartbeat(self.api, self.id, {}, dict.fromkeys(busy, True))

    def start(self) -> str:
        [command] = self.commands()
        assert command["type"] in ("run", "resume")
        return command["run_id"]


def sweep_of(config: dict[str, Any], **given: Any) -> str:
    return wandb.sweep(config, project="p", **given)


def under(sweep_id: str) -> dict[str, Any]:
    return {"settings": {"sweep_id": sweep_id}}


def test_a_sweep_is_kept_as_it_was_sent(server):
    sweep_id = sweep_of(GRID | {"name": "n", "description": "d"})
    kept = server.sweep(sweep_id)
    assert (kept.config, kept.state) == (GRID | {"name": "n", "description": "d"}, "PENDING")
    seen = wandb.Api().sweep(f"p/{sweep_id}")
    assert (seen.config["method"], seen.state, seen.expected_run_count) == ("grid", "PENDING", 2)
    assert [sweep.id for sweep in wandb.Api().project("p").sweeps()] == [sweep_id]


def test_odd_configurations_are_warned_of_and_those_without_a_method_refused(server, capsys):
    sweep_of(GRID | {"parameters": {"a": {"min": 0}}})
    assert "WARNING" in capsys.readouterr().err
    with pytest.raises(wandb.errors.Error, match="must contain a method"):
        sweep_of({"parameters": {}, "program": "x.py"})


def test_a_grid_proposes_every_cell_once_then_ends(server):
    heart = Heart(sweep_id := sweep_of(GRID))
    for value in (1, 2):
        [command] = heart.commands()
        run_id = command["run_id"]
        assert command["args"] == {"a": {"value": value}}
        assert heart.beat(run_id) == []
        logged([value], id=run_id, **under(sweep_id))
    assert heart.beat() == [("exit", None)]
    assert server.sweep(sweep_id).state == "FINISHED"
    assert [run.config["a"] for run in map(server.run, server.sweep(sweep_id).run_ids)] == [1, 2]
    assert [run.config["a"] for run in wandb.Api().sweep(f"p/{sweep_id}").runs] == [1, 2]


def test_runs_from_before_count_as_cells(server):
    run_id = logged([1], config={"a": 1})
    sweep_id = sweep_of(GRID, prior_runs=[run_id])
    assert server.sweep(sweep_id).prior_runs == server.sweep(sweep_id).run_ids == [run_id]
    assert server.run(run_id).sweep == sweep_id
    assert Heart(sweep_id).beat() == [("run", {"a": 2})]


def test_a_cap_ends_a_random_sweep(server):
    heart = Heart(sweep_of({**GRID, "method": "random", "run_cap": 2}))
    first, second = heart.start(), heart.start()
    assert first != second
    assert heart.beat() == [("exit", None)]


def test_a_sweep_that_pauses_proposes_nothing_and_goes_on(server):
    sweep_id = sweep_of(GRID)
    heart = Heart(sweep_id)
    run_id = heart.start()
    _set_sweep_state(heart.api, sweep_id, "PAUSED", project="p")
    assert (heart.beat(run_id), heart.beat()) == ([], [])
    _set_sweep_state(heart.api, sweep_id, "RUNNING", project="p")
    assert heart.beat() == [("run", {"a": 2})]


def test_a_sweep_that_finishes_lets_its_runs_end_one_cancelled_does_not(server):
    ends = {"FINISHED": [], "CANCELED": [("exit", None)]}
    for state, told_when_busy in ends.items():
        heart = Heart(sweep_id := sweep_of(GRID))
        run_id = heart.start()
        assert heart.beat(run_id) == []
        server.set_sweep(sweep_id, state)
        assert heart.beat(run_id) == told_when_busy
        assert heart.beat() == [("exit", None)]


def test_a_run_stopped_by_hand_is_ended_by_its_agent_and_is_killed(server):
    heart = Heart(sweep_id := sweep_of(GRID))
    run_id = heart.start()
    server.stop_run(run_id)
    assert heart.beat(run_id) == heart.beat(run_id) == [("stop", run_id)]
    logged([1], exit_code=143, id=run_id, **under(sweep_id))
    assert server.run(run_id).state == "killed"


def test_a_run_that_its_agent_has_lost_has_crashed(server):
    heart = Heart(sweep_of(GRID))
    lost, kept = heart.start(), heart.start()
    assert (server.run(lost).state, server.run(kept).state) == ("crashed", "pending")


def test_a_run_that_is_preempted_is_resumed(server):
    heart = Heart(sweep_id := sweep_of(GRID))
    run = init(id=heart.start(), **under(sweep_id))
    run.mark_preempting()
    run.finish(exit_code=1)
    assert server.run(run.id).state == "preempted"
    assert heart.beat() == [("resume", {"a": 1})]


def test_hyperband_stops_the_worse_of_two(server):
    early = {"type": "hyperband", "min_iter": 2}
    config = {**GRID, "metric": {"name": "loss"}, "early_terminate": early}
    heart = Heart(sweep_id := sweep_of(config))
    logged([3, 1, 1], id=heart.start(), **under(sweep_id))
    run = init(id=heart.start(), **under(sweep_id))
    for _ in range(3):
        assert heart.beat(run.id) == []
        run.log({"loss": 9})
    wait_until(lambda: heart.beat(run.id) == [("stop", run.id)])
    run.finish(exit_code=143)
    assert server.run(run.id).state == "killed"


def test_a_run_of_a_sweep_that_is_not_there_is_refused(server):
    with pytest.raises(wandb.errors.CommError, match="could not find sweep"):
        init(**under("absent"))
    assert server.runs() == []


def test_an_agent_of_a_deleted_sweep_is_told_so(server):
    heart = Heart(sweep_id := sweep_of(GRID))
    server.delete_sweep(sweep_id)
    with pytest.raises(SweepNotFoundError):
        heart.beat()


PROGRAM = """
import sys, time
if "broken" in sys.argv[1]:
    sys.exit(1)
import wandb
with wandb.init(settings=wandb.Settings(console="off", x_disable_stats=True)) as run:
    run.log({"loss": run.config["a"]})
    while run.config["a"] == "endless":
        time.sleep(0.05)
"""

AGENT = """
import sys
from wandb import wandb_agent
wandb_agent.Agent.POLL_INTERVAL = 0.1
wandb_agent.agent(sys.argv[1], project="p", entity="local")
"""


@pytest.fixture
def started(server, tmp_path) -> Iterator[Callable[[list[Any]], tuple[str, subprocess.Popen]]]:
    """Starts the client's own agent on a grid of values, in a process group of its own."""
    (tmp_path / "train.py").write_text(PROGRAM)
    processes = []

    def start(values: list[Any]) -> tuple[str, subprocess.Popen]:
        command = [sys.executable, str(tmp_path / "train.py"), "${args}"]
        parameters = {"a": {"values": values}}
        sweep_id = sweep_of({"method": "grid", "parameters": parameters, "command": command})
        agent = subprocess.Popen(
            [sys.executable, "-c", AGENT, sweep_id],
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        processes.append(agent)
        return sweep_id, agent

    yield start
    for agent in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()


def test_the_clients_agent_runs_a_grid(server, started):
    sweep_id, agent = started([1, 2])
    assert agent.wait(60) == 0
    runs = [server.run(run_id) for run_id in server.sweep(sweep_id).run_ids]
    assert [(run.state, run.summary["loss"]) for run in runs] == [("finished", 1), ("finished", 2)]


def test_the_clients_agent_gives_up_after_three_failures_in_a_minute(server, started):
    sweep_id, agent = started([f"broken{number}" for number in range(5)])
    agent.wait(60)
    assert len(server.sweep(sweep_id).run_ids) == 3


@pytest.mark.slow
def test_the_clients_agent_stops_a_run_and_goes_on(server, started):
    sweep_id, agent = started(["endless", 2])
    wait_until(lambda: any(run.history for run in server.runs()))
    [run_id] = server.sweep(sweep_id).run_ids
    server.stop_run(run_id)
    assert agent.wait(60) == 0
    assert [run.state in ("killed", "crashed") for run in server.runs()] == [True, False]


# Reports and workspaces


def test_a_report_is_saved_changed_found_and_deleted(server):
    report = reports.Report(project="p", entity="local", title="one", blocks=[reports.H1("hello")])
    report.save()
    report.title = "two"
    report.save()
    [view] = server.views()
    assert (view.display_name, view.project) == ("two", "p")
    assert "heading" in [block["type"] for block in view.spec["blocks"]]
    found = reports.Report.from_url(report.url)
    assert (found.title, reports.H1("hello") in found.blocks) == ("two", True)
    assert [each.display_name for each in wandb.Api().reports("local/p")] == ["two"]
    report.delete()
    assert server.views() == []


def test_a_workspace_is_saved_changed_and_found(server):
    section = workspaces.Section(name="curves", panels=[reports.LinePlot(y=["loss"])])
    workspace = workspaces.Workspace(entity="local", project="p", name="one", sections=[section])
    workspace.save()
    workspace.name = "two"
    workspace.save()
    [view] = server.views()
    assert (view.display_name, view.type) == ("two", "project-view")
    assert workspaces.Workspace.from_url(workspace.url).sections[0].name == "curves"


# Faults


def test_errors_are_answered_as_often_as_asked_and_the_client_tries_again(server):
    server.fail("UpsertBucket", status=502, times=1)
    server.fail("file_stream", status=500, times=1)
    run = server.run(logged([1]))
    assert (run.state, [row["loss"] for row in run.history]) == ("finished", [1])
    statuses = [each.status for each in server.requests if each.operation == "UpsertBucket"]
    assert statuses[:2] == [502, 200]


def test_errors_end_after_their_time(server):
    server.fail("GetViewer", status=404, for_s=0.5)
    with pytest.raises(WandbApiFailedError):
        wandb.Api().viewer  # noqa: B018
    time.sleep(0.5)
    assert wandb.Api().viewer.username == "tester"


def test_answers_are_late_as_asked(server):
    server.stall("GetViewer", 0.3, times=1)
    began = time.monotonic()
    assert wandb.Api().viewer.username == "tester"
    assert time.monotonic() - began > 0.3


def test_healing_ends_a_stall(server):
    server.stall("UpsertBucket", 600)
    threading.Timer(0.5, server.heal).start()
    assert server.run(logged([1])).state == "finished"


def test_it_goes_away_and_comes_back_as_it_was(server):
    run = init()
    run.log({"loss": 1})
    server.close()
    run.log({"loss": 2})
    threading.Timer(0.5, server.reopen).start()
    run.finish()
    kept = server.run(run.id)
    assert (kept.state, [row["loss"] for row in kept.history]) == ("finished", [1, 2])


def test_a_wrong_key_is_refused(wandb_server, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    wandb.teardown()
    with pytest.raises(wandb.errors.Error):
        wandb.Api().viewer  # noqa: B018
    assert {each.status for each in wandb_server.requests} == {401}
    assert wandb_server.runs() == []
