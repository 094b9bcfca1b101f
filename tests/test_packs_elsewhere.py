"""Packs on workers that do not see the study: each trial goes there and comes home as if alone."""

import errno
import time
from dataclasses import replace

import pytest
from helpers.ray_here import RayHere, nodes_here
from helpers.recipes import TINY
from helpers.trials import trainable_job

from audiocls.config import resolve
from audiocls.errors import AudioclsError
from audiocls.execution.cluster.dispatch import config_of
from audiocls.execution.cluster.node import Node, NodeSetup, NodeWorker, Report
from audiocls.execution.cluster.node_trial import TrialReport
from audiocls.execution.messages import Done, Ended, Epoch, Interrupted, Lost, Stage, to_json
from audiocls.execution.packs import train_jobs
from audiocls.execution.pretraining_stage import stage_for
from audiocls.execution.provenance import code_digest, torch_version
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Cell, StudyFolder
from audiocls.store.transfer import Homecoming, packed
from audiocls.training.fit import Signal

actors = pytest.importorskip("audiocls.execution.executors.actors")
STAGE = {"pretraining.data": {**TINY["data"], "seed": 1}, "pretraining.epochs": 2}


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    nodes_here(monkeypatch)


class InlinePacks:
    """A worker that trains what it was given at once, inside `poll`."""

    def __init__(self, cache):
        self.cache, self.jobs, self.room = WorkerCache(cache), [], 3

    def num_free(self):
        return self.room - len(self.jobs)

    def submit(self, job):
        self.jobs.append(job)

    def poll(self, timeout_s):
        events, jobs = [], self.jobs
        self.jobs = []
        if jobs:
            train_jobs(jobs, self.cache, events.append, lambda trial_id: Signal.CONTINUE)
        return events

    def stop(self, grace_s):
        return []


class Told:
    """A worker that reports what it is told to, on a device of some kind."""

    def __init__(self, kind="cpu"):
        self.kind, self.reports, self.given = kind, [], []

    def describe(self):
        return Node("n1", self.kind, code_digest(), torch_version())

    def run(self, deliveries, timeout_s):
        self.given += deliveries
        return Report()

    def poll(self, timeout_s):
        return self.reports.pop(0) if self.reports else Report()

    def end(self, trial_id):
        """It is noted by its actor."""

    def stop(self, grace_s):
        return Report()


class Launch:
    """A study, and an executor whose workers are in this process."""

    def __init__(self, folder, cache, monkeypatch):
        self.folder, self.cache, self.patch = folder, cache, monkeypatch
        self.study = StudyFolder(folder / "home/s")

    def job(self, name, **changes):
        config, trial = resolve([TINY, changes], "tiny"), self.study.trial(name)
        cell = Cell(name, "base", config.seed, config.fold)
        return trainable_job(config, self.study.path, self.cache, cell=cell, trial=trial)

    def opened(self, per_device, node=None, **demand):
        setup = NodeSetup(str(self.study.path), per_device=per_device)
        self.ray = RayHere(node or (lambda: self._node(setup)))
        self.patch.setattr(actors, "ray", self.ray)
        asked = actors.Demand(**{"num_workers": 1, "cpus": 1.0, **demand})
        executor = actors.RayExecutor(asked, setup, self.cache)
        executor.poll(0.0)
        return executor

    def _node(self, setup):
        folder = self.folder / "node"

        class InThisProcess(NodeWorker):
            def _open(self):
                self._cache = folder
                return InlinePacks(folder)

        return InThisProcess(setup, lambda reference: reference)


@pytest.fixture
def launch(tmp_path, cache, monkeypatch):
    return Launch(tmp_path, cache, monkeypatch)


def polled(executor, is_enough):
    events, deadline = [], time.monotonic() + 60
    while not is_enough(events):
        assert time.monotonic() < deadline, events
        events += executor.poll(0.05)
    return events


def num_ended(events):
    return sum(isinstance(event, Ended | Lost) for event in events)


def sent(executor, node, jobs):
    """Submit jobs, and wait until a worker has them."""
    for job in jobs:
        executor.submit(job)
    polled(executor, lambda _: len(node.given) == len(jobs))


def test_a_worker_takes_several_trials_and_each_comes_home_with_its_own(launch):
    executor = launch.opened(3)
    jobs = [launch.job(name, seed=seed) for seed, name in enumerate("abc")]
    assert executor.num_free() == 3
    for job in jobs:
        executor.submit(job)
    assert executor.num_free() == 0
    events = polled(executor, lambda events: num_ended(events) == 3)
    assert executor.num_free() == 3
    executor.stop(0.1)
    for job in jobs:
        kinds = [type(e) for e in events if e.id == job.id and isinstance(e, Epoch | Ended)]
        assert kinds == [Epoch, Epoch, Done]
        assert job.trial.record().cost.pack == 3
        assert [row["epoch"] for row in job.trial.history()] == [1, 2]
    assert len({job.trial.record().metrics["test/loss"] for job in jobs}) == 3
    assert {path.name for path in (launch.study.path / "trials").iterdir()} == {"a", "b", "c"}


def test_a_worker_measures_its_room_with_one_trial(launch):
    executor = launch.opened("auto")
    assert executor.num_free() == 1
    executor.submit(launch.job("a"))
    polled(executor, num_ended)
    assert executor.num_free() == 3


def test_of_two_with_one_stage_one_waits_while_the_worker_trains_the_other(launch):
    executor = launch.opened(2)
    for name in "ab":
        executor.submit(launch.job(name, **STAGE, freeze=name == "b"))
    events = polled(executor, lambda events: num_ended(events) == 2)
    (trainer,) = {e.id for e in events if isinstance(e, Stage) and e.epoch == 2}
    done = [e.id for e in events if isinstance(e, Done)]
    assert sorted(done) == ["a", "b"]
    assert done[0] == trainer


def test_one_that_another_launch_has_taken_over_leaves_the_others_at_work(launch):
    node, trials = Told(), [launch.study.trial(name) for name in "ab"]
    executor, study = launch.opened(2, lambda: node), packed(launch.folder / "nowhere")
    lease = trials[0].claim()
    lease.take()
    held = replace(trials[0], token=lease.token)
    sent(executor, node, [replace(launch.job("a"), trial=held), launch.job("b", seed=1)])
    lease.give_back()
    with trials[0].lease():
        node.reports = [Report((TrialReport("a", snapshot=study),))]
        assert polled(executor, num_ended) == [Interrupted("a", is_taken=True)]
        [actor] = launch.ray.actors
        assert ("end", ("a",)) in actor.called
        assert actor.is_alive
        last = TrialReport("a", (to_json(Done("a")),), study=study)
        node.reports = [Report((last, TrialReport("b", (to_json(Epoch("b", 1, 2)),))))]
        assert polled(executor, len) == [Epoch("b", 1, 2)]
    node.reports = [Report((TrialReport("b", (to_json(Done("b")),), study=study),), 2)]
    assert polled(executor, num_ended) == [Done("b")]
    assert executor.num_free() == 2
    assert [path.name for path in trials[0].path.iterdir()] == ["attempt"]


def test_one_that_cannot_be_written_at_home_does_not_keep_the_others_from_it(launch, monkeypatch):
    node, real = Told(), Homecoming.finish

    def finish(self, content):
        if self.trial.id == "a":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(self, content)

    monkeypatch.setattr(Homecoming, "finish", finish)
    executor = launch.opened(2, lambda: node)
    sent(executor, node, [launch.job("a"), launch.job("b", seed=1)])
    there = StudyFolder(launch.folder / "there")
    there.trial("b").begin()
    there.trial("b").append_history({"epoch": 1})
    ends = [TrialReport(name, (to_json(Done(name)),), study=packed(there.path)) for name in "ab"]
    node.reports = [Report(tuple(ends), 2)]
    interrupted, done = polled(executor, lambda events: num_ended(events) == 2)
    assert (type(interrupted), interrupted.id, done) == (Interrupted, "a", Done("b"))
    assert "No space left" in interrupted.fault
    assert launch.study.trial("b").history() == [{"epoch": 1}]


def test_all_trials_of_a_worker_that_dies_are_lost_and_one_that_waits_is_not(launch):
    nodes = [Told(), Told()]
    executor, waiting = launch.opened(3, iter(nodes).__next__), launch.job("c", **STAGE)
    with stage_for(waiting, config_of(waiting), launch.cache).folder.lease():
        for job in (launch.job("a"), launch.job("b", seed=1), waiting):
            executor.submit(job)
        polled(executor, lambda _: nodes[0].given)
        launch.ray.actors[0].is_alive = False
        lost = [each for each in polled(executor, num_ended) if not isinstance(each, Stage)]
        assert [(type(event), event.id) for event in lost] == [(Lost, "a"), (Lost, "b")]
    log = launch.study.path / "workers.log"
    assert {event.how for event in lost} == {
        "its worker on n1 does not answer: it was killed, or its node is lost; another one takes "
        f"over as soon as a node has room (what Ray says is in {log})"
    }
    assert "n1: ActorDiedError: The actor died unexpectedly" in log.read_text()
    polled(executor, lambda _: nodes[1].given)
    assert len(nodes[1].given) == 1


def test_what_waits_for_a_worker_on_another_kind_goes_to_the_others(launch):
    nodes = [Told("A100"), Told("A100"), Told("H100")]
    asked = {"num_workers": 2, "gpus": 1.0}
    executor = launch.opened(1, iter(nodes).__next__, **asked)
    executor.poll(0.0)
    first, second = executor._workers
    executor.submit(job := launch.job("a"))
    launch.ray.actors[0].is_alive = False
    first.call = launch.ray.actors[0].poll.remote(0)
    polled(executor, lambda _: len(executor._workers) == 1)
    polled(executor, lambda _: nodes[1].given)
    assert list(second.trials) == [job.id]


def test_a_cluster_that_is_left_with_another_kind_ends_the_launch(launch):
    nodes = [Told("A100"), Told("H100")]
    executor = launch.opened(1, iter(nodes).__next__, gpus=1.0)
    [actor] = launch.ray.actors
    actor.is_alive = False
    executor._workers[0].call = actor.poll.remote(0)
    with pytest.raises(AudioclsError, match="trained on A100, and what is left is n1 with H100"):
        polled(executor, num_ended)
