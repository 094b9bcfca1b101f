"""Pre-training stages on workers that see neither the study nor its data."""

import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.ray_here import RayHere, nodes_here
from helpers.recipes import TINY
from helpers.trials import train, trainable_job

from audiocls.config import resolve
from audiocls.errors import MachineFault
from audiocls.execution.cluster import dispatch
from audiocls.execution.cluster.dispatch import paths_of
from audiocls.execution.cluster.node import NodeSetup, NodeWorker
from audiocls.execution.cluster.remote_worker import RemoteTrial, RemoteWorker, unsendable
from audiocls.execution.cluster.shipments import Shipments
from audiocls.execution.executors.inline import InlineExecutor
from audiocls.execution.messages import Done, Ended, Interrupted, Notice, Stage
from audiocls.store import StudyFolder
from audiocls.store.transfer import packed

OTHER = {"pretraining.data": {**TINY["data"], "seed": 1}, "pretraining.epochs": 3}
VIEWS = {"ssl.mode": "cola", "ssl.epochs": 3, "ssl.crop_s": 0.25}
CODES = {
    "data.sample_rate": 24000,
    "features": {"name": "encodec", "output": "embeddings", "weights": "untrained"},
    "model": {"name": "convnext1d_causal", "width": 8, "blocks": 1, "num_codebooks": 2},
    "ssl": {"mode": "pretrain", "epochs": 3},
}
EMPTY = packed(Path("/nowhere"))
FINISHED = {"checkpoint.safetensors", "checkpoint.json", "stage.json"}


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    nodes_here(monkeypatch)


class StopAfter:
    """A wish to stop that comes after it was asked for some times."""

    def __init__(self, num):
        self.num = num

    def is_set(self):
        self.num -= 1
        return self.num < 0


class Launch:
    """A study with trials that share their pre-training, and workers with caches of their own."""

    def __init__(self, folder, cache, changes):
        self.folder, self.cache, self.changes = folder, cache, changes
        self.study = StudyFolder(folder / "home/s")
        self.shipments = Shipments(cache, lambda array: array)
        self.fetched = []
        self.is_stopping = threading.Event()

    def job(self, trial_id, **more):
        config = resolve([TINY, self.changes, more], "")
        trial = self.study.trial(trial_id)
        return replace(trainable_job(config, self.study.path, self.cache, trial=trial), id=trial_id)

    def assigned(self, job):
        worker = RemoteWorker(None)
        worker.trials[job.id] = RemoteTrial(job, self.shipments.of(job))
        return worker

    def node(self, cache="node"):
        def fetch(content):
            self.fetched.append(content)
            return content

        class Inline(NodeWorker):
            def _open(node):  # noqa: N805
                return InlineExecutor(node._cache, self.is_stopping)

        worker = Inline(NodeSetup(str(self.study.path)), fetch)
        worker._cache = self.folder / cache
        worker._executor = worker._open()
        return worker

    def train(self, worker, node):
        """Return the events of a trial that is sent to a node once it is ready."""
        trial = wait_for(worker)
        job = trial.job
        job.trial.begin()
        report = node.run([trial.delivery(packed(job.trial.path))], 0.1)
        events = brought_home(worker, report)
        while worker.trials:
            events += brought_home(worker, node.poll(0.1))
        return events

    def stages(self):
        return sorted((self.study.path / "pretrained").iterdir())


def trial_of(worker):
    [trial] = worker.trials.values()
    return trial


def wait_for(worker):
    deadline = time.monotonic() + 60
    while not trial_of(worker).look():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return trial_of(worker)


def brought_home(worker, report):
    return [event for each in report.trials for event in worker.bring_home(each)]


@pytest.fixture(
    params=[OTHER, VIEWS, pytest.param(CODES, marks=pytest.mark.slow)],
    ids=["other data", "views", "codes"],
)
def launch(request, tmp_path, cache):
    return Launch(tmp_path, cache, request.param)


@pytest.fixture
def of_data(tmp_path, cache):
    return Launch(tmp_path, cache, OTHER)


def results_of(launch, job, folder):
    """Return a trial's metrics and its stage's weights, trained on one machine."""
    here = replace(job, study_folder=folder, trial=StudyFolder(folder).trial(job.id))
    assert train(here, launch.cache) == Done(job.id)
    [stage] = (folder / "pretrained").iterdir()
    return here.trial.record().metrics, (stage / "checkpoint.safetensors").read_bytes()


def test_a_stage_is_trained_by_one_worker_and_comes_home_for_the_others(launch, tmp_path):
    first, second = launch.job("a"), launch.job("b", freeze=True)
    events = launch.train(launch.assigned(first), launch.node())
    assert [e.epoch for e in events if isinstance(e, Stage)] == [0, 0, 1, 2, 3]
    assert events[-1] == Done("a")
    [stage] = launch.stages()
    assert {file.name for file in stage.iterdir()} - {"config.yaml", "attempt"} == {
        *FINISHED,
        "history.jsonl",
    }
    events = launch.train(launch.assigned(second), launch.node("another node"))
    assert not [event for event in events if isinstance(event, Stage)]
    for job in (first, second):
        alone = results_of(launch, job, tmp_path / job.id)
        assert (
            job.trial.record().metrics,
            (stage / "checkpoint.safetensors").read_bytes(),
        ) == alone


def test_a_finished_stage_goes_once_to_a_node_and_stays_in_its_cache(of_data):
    launch = of_data
    launch.train(launch.assigned(launch.job("a")), launch.node("first"))
    weights = (launch.stages()[0] / "checkpoint.safetensors").read_bytes()
    for trial_id in "bcd":
        launch.train(launch.assigned(launch.job(trial_id, freeze=True)), launch.node())
    assert sum(bytes(content) == weights for content in launch.fetched) == 1
    assert len(list((launch.folder / "node").glob("pretrained-*"))) == 1


def test_the_others_wait_and_tell_how_far_it_is_and_one_takes_over(of_data):
    first, second = of_data.assigned(of_data.job("a")), of_data.assigned(of_data.job("b"))
    wait_for(first)
    while not (told := trial_of(second).news()):
        assert not trial_of(second).look()
    assert told[0] == Stage("b", 0, 3)
    assert trial_of(second).is_waiting
    first.free("a")
    wait_for(second)
    assert trial_of(second).delivery(b"").stage.files


def test_a_stage_goes_on_elsewhere_from_what_came_home(launch, tmp_path):
    job = launch.job("a")
    launch.is_stopping = StopAfter(1)
    worker = launch.assigned(job)
    assert launch.train(worker, launch.node())[-1] == Interrupted("a")
    [stage] = launch.stages()
    assert (stage / "resume.pt").exists()
    assert not (stage / "stage.json").exists()
    launch.is_stopping = threading.Event()
    events = launch.train(launch.assigned(job), launch.node("another node"))
    assert [e.epoch for e in events if isinstance(e, Stage)] == [0, 0, 2, 3]
    assert not (stage / "resume.pt").exists()
    alone = results_of(launch, job, tmp_path / "alone")
    assert (job.trial.record().metrics, (stage / "checkpoint.safetensors").read_bytes()) == alone


def test_a_stage_that_is_damaged_at_home_is_told_and_made_again(of_data):
    of_data.train(of_data.assigned(of_data.job("a")), of_data.node())
    [stage] = of_data.stages()
    whole = (stage / "checkpoint.safetensors").read_bytes()
    (stage / "checkpoint.safetensors").write_bytes(whole[:-1])
    worker = of_data.assigned(of_data.job("b", freeze=True))
    wait_for(worker)
    [notice] = [event for event in trial_of(worker).news() if isinstance(event, Notice)]
    assert "checkpoint.safetensors: damaged" in notice.text
    of_data.train(worker, of_data.node())
    assert (stage / "checkpoint.safetensors").read_bytes() == whole


def test_nothing_is_written_of_a_stage_that_another_launch_has_taken_over(of_data):
    worker = of_data.assigned(of_data.job("a"))
    trial = wait_for(worker)
    [stage] = of_data.stages()
    (stage / ".lease").unlink()
    [report] = of_data.node().run([trial.delivery(EMPTY)], 0.1).trials
    trial.shipment.stage.bring_home(report.stage)
    assert report.stage
    assert not list(stage.iterdir())


def test_recordings_of_a_stage_go_decoded_unless_they_are_not_kept_so(tmp_path):
    (tmp_path / "x").mkdir()
    clips = {"ssl.mode": "cola", "ssl.clips": str(tmp_path)}
    assert paths_of(resolve([TINY, clips], "")) == {}
    data = {"name": "folder", "root": str(tmp_path), "sample_rate": 8000, "pack": False}
    needed = paths_of(resolve([TINY, clips, {"data": data}], ""))
    assert needed == {"ssl.clips": str(tmp_path), "data.root": str(tmp_path)}
    other = paths_of(resolve([TINY, {"pretraining.data": data}], ""))
    assert other == {"pretraining.data.root": str(tmp_path)}


def test_recordings_of_a_stage_are_not_needed_where_it_is_trained(tmp_path, cache):
    clips = resolve([TINY], "").data.table(cache).clips[:30]
    (tmp_path / "clips").mkdir()
    for number, clip in enumerate(clips):
        shutil.copy(clip.path, tmp_path / f"clips/{number}.wav")
    launch = Launch(tmp_path, cache, {**VIEWS, "ssl.clips": str(tmp_path / "clips")})
    worker = launch.assigned(launch.job("a"))
    wait_for(worker)
    (tmp_path / "clips").rename(tmp_path / "elsewhere")
    assert launch.train(worker, launch.node())[-1] == Done("a")


def test_a_disk_without_room_stops_the_launch_and_fails_no_trial(of_data, monkeypatch):
    def opened(asked):
        raise MachineFault("no room")

    monkeypatch.setattr(dispatch, "_opened", opened)
    worker = of_data.assigned(of_data.job("a"))
    fault = wait_for(worker).shipment.fault
    assert unsendable("a", fault) == Interrupted("a", fault="no room")


def test_the_executor_trains_a_stage_once_for_all_its_workers(of_data, monkeypatch):
    actors = pytest.importorskip("audiocls.execution.executors.actors")
    monkeypatch.setattr(actors, "ray", RayHere(of_data.node))
    demand = actors.Demand(2, cpus=1.0)
    executor = actors.RayExecutor(demand, NodeSetup(str(of_data.study.path)), of_data.cache)
    events, jobs = [], [of_data.job("a"), of_data.job("b", freeze=True), of_data.job("c")]
    waiting, deadline = list(jobs), time.monotonic() + 60
    while sum(isinstance(event, Ended) for event in events) < len(jobs):
        while waiting and executor.num_free():
            executor.submit(waiting.pop())
        events += executor.poll(0.1)
        assert time.monotonic() < deadline, events
    assert executor.stop(0.1) == []
    assert sorted(event.id for event in events if isinstance(event, Done)) == ["a", "b", "c"]
    trained = [event for event in events if isinstance(event, Stage) and event.epoch == 3]
    assert len({event.id for event in trained}) == 1
    [stage] = of_data.stages()
    assert not (stage / ".lease").exists()
