"""Workers that do not see the study: what goes there, what comes home, what is refused."""

import socket
import threading
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from helpers.processes import invoke
from helpers.records import COST, PROVENANCE
from helpers.trials import trainable_job

from audiocls import extras
from audiocls.errors import UsageError
from audiocls.execution.cluster import node, node_trial, tables
from audiocls.execution.cluster.dispatch import (
    DataKey,
    program_files,
    require_sendable,
    variables,
)
from audiocls.execution.cluster.node import Delivery, Node, NodeSetup, NodeWorker
from audiocls.execution.cluster.remote_worker import require_same
from audiocls.execution.external.code import ProgramCode
from audiocls.execution.messages import Done, Epoch, from_json
from audiocls.execution.provenance import code_digest, torch_version
from audiocls.parts.modules import PLACES
from audiocls.store import Record, StudyFolder, TrialFolder
from audiocls.store.lease import LeaseLost
from audiocls.store.transfer import UNDERWAY, Homecoming, members, packed, rows_after, unpack
from audiocls.studies.on_ray import RayOptions, RayWorkers
from audiocls.training.progress import Progress

RECORD = Record("a", 0, 1, 1, {"test/accuracy": 0.5}, COST, PROVENANCE, 30, 10, 10)


NUM_EPOCHS = 3000
"""Of a trial that takes longer than its first snapshot is away."""


class TestHomecoming:
    @pytest.fixture
    def there(self, tmp_path):
        """A study on a node, with one finished trial and what lies beside it."""
        study = StudyFolder(tmp_path / "there/s")
        trial = study.trial("a")
        trial.begin()
        trial.append_history({"epoch": 1})
        trial.finish(RECORD)
        (study.path / "wandb/offline-run-1").mkdir(parents=True)
        (study.path / "wandb/offline-run-1/run.wandb").write_bytes(b"rows")
        (study.path / "wandb/latest-run").symlink_to("offline-run-1")
        (trial.path / ".half.host-1-00000000.tmp").write_text("half")
        return study

    @pytest.fixture
    def home(self, tmp_path):
        """The same trial at home, as it was sent."""
        trial = StudyFolder(tmp_path / "home/s").trial("a")
        trial.begin()
        trial.write_resume(b"state")
        trial.stop_request.touch()
        return trial

    def test_an_ended_trial_is_at_home_what_it_was_there(self, there, home):
        Homecoming(home.path.parents[1], home).finish(packed(there.path))
        assert home.record() == there.trial("a").record()
        assert home.history() == [{"epoch": 1}]
        assert home.resume() is None
        assert not home.stop_request.exists()
        assert [f.name for f in home.path.parents[1].glob("wandb/*")] == ["offline-run-1"]
        assert not list(home.path.glob("*.tmp"))

    def test_nothing_is_written_for_a_trial_that_another_launch_has(self, there, home):
        taken = TrialFolder(home.path, "of a lease that ran out")
        with home.lease(), pytest.raises(LeaseLost):
            Homecoming(home.path.parents[1], taken).finish(packed(there.path))
        assert home.record() is None
        assert home.resume() == b"state"

    def test_a_lease_stays_where_it_is(self, there, home):
        with there.trial("a").lease():
            names = [name for name, _ in members(packed(there.path))]
        assert "trials/a/record.json" in names
        assert "trials/a/.lease" not in names

    def test_rows_come_home_once_each_whatever_is_half_written(self, there, home):
        trial, at_home = there.trial("a"), Homecoming(home.path.parents[1], home)
        home.append_history({"epoch": 7})
        rows, num_bytes = rows_after(trial, 0)
        at_home.add_rows(rows.splitlines(), is_all=True)
        trial.append_history({"epoch": 2})
        with (trial.path / "history.jsonl").open("a") as file:
            file.write('{"epoch": 3')
        rows, _ = rows_after(trial, num_bytes)
        at_home.add_rows(rows.splitlines(), is_all=False)
        assert home.history() == [{"epoch": 1}, {"epoch": 2}]

    def test_an_archive_writes_nothing_outside_its_folder(self, tmp_path, monkeypatch):
        (tmp_path / "in").mkdir()
        (tmp_path / "in/x").write_text("x")
        monkeypatch.setattr("audiocls.store.transfer.Path.relative_to", lambda *_: Path("../x"))
        content = packed(tmp_path / "in")
        monkeypatch.undo()
        with pytest.raises(ValueError, match="is no file of a study"):
            unpack(content, tmp_path / "out")


def test_a_list_of_clips_arrives_as_it_was_sent(tiny_config, cache, tmp_path, monkeypatch):
    table = tiny_config().data.table(cache)
    tables.keep_table(tmp_path, "f", tables.table_bytes(table))
    assert tables.sent_table("f") is None
    monkeypatch.setenv(tables.TABLES, str(tmp_path))
    assert tables.sent_table("f") == table
    assert tables.sent_table("another") is None


class Waiting:
    """An executor with one event at each look."""

    def __init__(self, events):
        self.events = list(events)

    def num_free(self):
        return 1

    def poll(self, timeout_s):
        return [self.events.pop(0)]

    def stop(self, grace_s):
        return []


class TestNode:
    def test_other_code_is_refused_and_both_are_named(self):
        with pytest.raises(UsageError, match=r"n1 has other code .*\(abc, here \w+\)"):
            require_same(Node("n1", "cpu", "abc", torch_version()))

    def test_another_torch_is_refused_and_another_build_of_it_is_not(self):
        with pytest.raises(UsageError, match=r"n1 has other torch \(1\.0, here "):
            require_same(Node("n1", "cpu", code_digest(), "1.0"))
        require_same(Node("n1", "cpu", code_digest(), torch_version().partition("+")[0] + "+x"))

    def test_a_node_whose_torch_cannot_use_its_gpus_is_refused(self, tmp_path, monkeypatch):
        for name in (tables.TABLES, PLACES):
            monkeypatch.setenv(name, "")
        monkeypatch.setattr(node, "available_devices", lambda is_native: [])
        monkeypatch.setattr(node, "obstacles", lambda: ["A100 cannot be used: no CUDA"])
        worker = NodeWorker(NodeSetup(str(tmp_path / "s"), is_on_gpu=True), lambda ref: ref)
        with pytest.raises(UsageError, match=r"the GPUs that it offers: A100 .* --devices cpu"):
            require_same(worker.describe())
        worker.stop(0.1)

    @pytest.mark.slow
    def test_a_worker_goes_on_from_the_snapshot_that_came_home(
        self, tiny_config, cache, tmp_path, monkeypatch
    ):
        """Its first worker is left behind in the middle of the trial, as by a node's death."""
        monkeypatch.setattr(node_trial, "SNAPSHOT_EVERY_S", 0.0)
        config = tiny_config({"train.epochs": NUM_EPOCHS})
        folder = StudyFolder(tmp_path / "home/s")
        job = trainable_job(config, folder.path, cache, trial=folder.trial("abc"))
        home = Homecoming(folder.path, job.trial)
        first, second = (NodeWorker(NodeSetup(str(folder.path)), lambda ref: ref) for _ in "ab")
        [report] = first.run([self.delivery(job)], 60).trials
        while job.trial.resume() is None:  # its first snapshot is ten seconds old by then
            self.keep(home, report)
            [report] = first.poll(60).trials
        num_epochs = len(job.trial.history())
        assert job.trial.log.exists()
        num_resumed = Progress.num_epochs_of(job.trial.resume())
        first.stop(0.1)
        [report] = second.run([self.delivery(job)], 60).trials
        epochs = []
        while not report.study:
            epochs += [e.epoch for e in map(from_json, report.events) if isinstance(e, Epoch)]
            self.keep(home, report)
            [report] = second.poll(60).trials
        home.finish(report.study)
        second.stop(1)
        assert from_json(report.events[-1]) == Done(job.id)
        assert epochs[0] == num_resumed + 1
        assert num_epochs >= num_resumed > 0
        assert [row["epoch"] for row in job.trial.history()] == [*range(1, NUM_EPOCHS + 1)]
        assert job.trial.record().attempt == 2

    def test_a_node_outlives_the_folder_that_it_was_started_in(self, tmp_path, monkeypatch):
        """Torch cannot be imported where the working directory was deleted."""
        for name in (tables.TABLES, PLACES):
            monkeypatch.setenv(name, "")
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        worker = NodeWorker(NodeSetup(str(tmp_path / "s"), is_program=True), lambda ref: ref)
        assert Path.cwd().is_dir()
        monkeypatch.chdir(tmp_path)
        worker.stop(0)

    def test_epochs_go_home_together_and_the_end_of_a_trial_at_once(self, tmp_path, monkeypatch):
        for name in (tables.TABLES, PLACES):
            monkeypatch.setenv(name, "")
        monkeypatch.setattr(node, "GATHER_S", 30.0)
        epochs = [Epoch("a", number, 3) for number in (1, 2, 3)]
        worker = NodeWorker(NodeSetup(str(tmp_path / "s"), is_program=True), lambda ref: ref)
        real, worker._executor = worker._executor, Waiting([*epochs, Done("a"), Epoch("b", 1, 3)])
        assert worker._gathered(time.monotonic() + 60) == [*epochs, Done("a")]
        monkeypatch.setattr(node, "GATHER_S", 0.0)
        assert worker._gathered(time.monotonic() + 60) == [Epoch("b", 1, 3)]
        worker._executor = real
        worker.stop(0)

    def delivery(self, job):
        return Delivery(job.to_json(), packed(job.trial.path))

    def keep(self, home, report):
        if report.rows:
            home.add_rows(report.rows.splitlines(), report.has_all_rows)
        if report.snapshot:
            assert {name for name, _ in members(report.snapshot)} <= set(UNDERWAY)
            home.keep(report.snapshot)


class TestDispatch:
    def test_folders_and_ids_of_this_machine_stay_here(self):
        given = {"WANDB_PROJECT": "p", "WANDB_CACHE_DIR": "/c", "WANDB_RUN_ID": "x", "PATH": "/bin"}
        assert variables(given) == {"WANDB_PROJECT": "p"}

    def test_a_program_whose_files_cannot_be_sent_is_refused(self, tmp_path):
        with pytest.raises(UsageError, match="none of its files is known"):
            program_files(ProgramCode(tmp_path, (), ""))
        (tmp_path / "cwd").mkdir()
        (tmp_path / "x.py").touch()
        with pytest.raises(UsageError, match=r"x\.py lies outside of"):
            program_files(ProgramCode(tmp_path / "cwd", (tmp_path / "x.py",), "d"))

    def test_a_run_that_names_files_of_the_node_is_refused(self):
        require_sendable("offline", has_model=False)
        with pytest.raises(UsageError, match="--log-model"):
            require_sendable("offline", has_model=True)

    def test_the_data_of_arms_that_share_it_is_sent_once(self, tiny_config, cache, tmp_path):
        jobs = [
            trainable_job(tiny_config(changes), tmp_path, cache)
            for changes in ({}, {"model.dropout": 0.5}, {"features.n_mels": 8})
        ]
        keys = [DataKey.of(job.spec.config, job.spec.data_fingerprint) for job in jobs]
        assert keys[0] == keys[1] != keys[2]


@contextmanager
def serving():
    """Yield the address of a server on this machine that answers every client once."""

    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"


class TestOptions:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

    def refused(self, *given: str) -> str:
        ended = invoke("sweep", "launch", "dropout", *given)
        assert ended.code == 2
        assert not Path("runs").exists()
        return ended.err

    def test_an_extra_that_is_not_installed_is_named(self, monkeypatch):
        monkeypatch.setitem(extras.EXTRAS, "ray", ("no_such_package",))
        assert "pip install 'audiocls[ray]'" in self.refused("--executor", "ray")

    def test_a_cluster_of_this_machine_that_has_died_is_refused_at_once(
        self, tmp_path, monkeypatch
    ):
        """Ray leaves its address behind, and would wait for it for minutes."""
        pytest.importorskip("ray")
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray/ray_current_cluster").write_text("127.0.0.1:1")
        assert "nothing answers at 127.0.0.1:1" in self.refused("--executor", "ray")

    def test_an_address_where_nothing_listens_is_refused_at_once(self):
        pytest.importorskip("ray")
        told = self.refused("--executor", "ray", "--ray-address", "127.0.0.1:1")
        assert "nothing answers at 127.0.0.1:1" in told

    @pytest.mark.parametrize("address", ["head", "http://127.0.0.1:8265", "ray://head", "head:x"])
    @pytest.mark.parametrize("whose", ["--ray-address", "RAY_ADDRESS"])
    def test_what_is_no_address_is_refused_and_who_named_it_is_said(
        self, monkeypatch, address, whose
    ):
        pytest.importorskip("ray")
        monkeypatch.setenv("RAY_ADDRESS", address)
        given = ("--ray-address", address) if whose == "--ray-address" else ()
        told = self.refused("--executor", "ray", *given)
        assert f"{whose}: got '{address}'; wanted: auto, or the address of" in told

    def test_what_answers_and_is_no_cluster_is_refused_at_once(self):
        """Ray waits for minutes for it to become one."""
        pytest.importorskip("ray")
        with serving() as address:
            told = self.refused("--executor", "ray", "--ray-address", address)
        assert f"what answers at {address} is no Ray cluster" in told

    def test_options_of_ray_have_no_effect_without_it(self):
        assert "--gpus-per-worker has no effect" in self.refused("--gpus-per-worker", "0.5")


GPUS = {"CPU": 16.0, "GPU": 4.0, "accelerator_type:A100": 1.0}
HEAD = {"CPU": 4.0}


class TestDemand:
    @pytest.fixture
    def demand(self, monkeypatch):
        """What a launch asks for on a cluster with these nodes."""
        ray = pytest.importorskip("ray")
        from audiocls.execution.cluster import connection

        def demand(nodes, devices="auto", workers=None, cpus=None, gpus=None, per_trial=1):
            known = [{"Alive": True, "Resources": each} for each in nodes]
            monkeypatch.setattr(ray, "nodes", lambda: known)
            monkeypatch.setattr(connection, "_groups", list)
            return connection.demand(devices, workers, cpus, gpus, per_trial)

        return demand

    def test_there_is_a_worker_for_each_gpu_or_else_for_each_core(self, demand):
        found = demand([HEAD, GPUS, GPUS])
        assert (found.num_workers, found.gpus, found.accelerator_type) == (8, 1.0, "A100")
        assert demand([HEAD, HEAD]).num_workers == 8

    def test_parts_of_a_gpu_are_shared(self, demand):
        assert demand([HEAD, GPUS], gpus=0.5).num_workers == 8

    def test_workers_are_on_the_one_kind_that_there_is_most_of(self, demand):
        others = {"CPU": 8.0, "GPU": 8.0, "accelerator_type:H200": 1.0}
        found = demand([HEAD, GPUS, others])
        assert (found.num_workers, found.accelerator_type) == (8, "H200")
        assert found.options["accelerator_type"] == "H200"
        assert demand([GPUS, others], "A100").num_workers == 4

    def test_a_trial_on_several_devices_gets_them_from_one_node(self, demand):
        found = demand([HEAD, GPUS, GPUS], per_trial=2)
        assert (found.num_workers, found.gpus, found.cpus) == (4, 2.0, 2.0)
        assert demand([HEAD], per_trial=2).num_workers == 2
        assert demand([GPUS], devices="cpu", per_trial=8).options["num_gpus"] == 0
        with pytest.raises(UsageError, match=r"to have 8 CPU and 8 GPU A100, and no node offers"):
            demand([HEAD, GPUS, GPUS], per_trial=8)
        with pytest.raises(UsageError, match=r"Ask for less with --devices-per-trial"):
            demand([HEAD], per_trial=5)

    @pytest.mark.parametrize(
        ("nodes", "given", "option"),
        [
            ([GPUS], {"gpus": 0.5}, "--gpus-per-worker: got 0.5"),
            ([HEAD], {"cpus": 1.0}, "--cpus-per-worker: got 1"),
        ],
    )
    def test_a_worker_with_other_devices_than_its_trials_is_refused(
        self, demand, nodes, given, option
    ):
        with pytest.raises(UsageError, match=rf"{option}, and --devices-per-trial 2.*leave"):
            demand(nodes, per_trial=2, **given)

    @pytest.mark.parametrize(
        ("nodes", "devices", "asked", "fault"),
        [
            ([HEAD], "auto", ["auto", "cuda"], "got cuda, but each worker .* has 1 CPU of"),
            ([GPUS], "auto", ["cpu"], "got cpu, but each worker .* has 1 CPU and 1 GPU A100"),
            ([GPUS], "cpu", ["cpu", "auto"], ""),
            ([GPUS], "A100", ["cuda"], ""),
        ],
    )
    def test_a_recipe_for_another_kind_of_device_is_refused(
        self, demand, monkeypatch, nodes, devices, asked, fault
    ):
        workers = RayWorkers(RayOptions(), devices, None)
        monkeypatch.setattr(RayWorkers, "_demand", lambda self: demand(nodes, devices))
        with pytest.raises(UsageError, match=f"device: {fault}") if fault else nullcontext():
            workers.require_kinds(asked)

    def test_amounts_that_ray_reserves_for_nobody_are_refused(self, demand):
        with pytest.raises(UsageError, match=r"--gpus-per-worker: got 1\.5; allowed"):
            demand([{"CPU": 8.0, "GPU": 4.0}], gpus=1.5)
        with pytest.raises(UsageError, match="--cpus-per-worker: got 0"):
            demand([{"CPU": 8.0}], cpus=0.0)

    def test_more_than_any_node_offers_is_refused_with_what_they_offer(self, demand):
        with pytest.raises(UsageError, match="no node offers that; the nodes offer: 4 CPU and 0"):
            demand([HEAD], gpus=1)
        with pytest.raises(UsageError, match="'H100'; this Ray cluster has: auto, cpu, A100"):
            demand([GPUS], "H100")
