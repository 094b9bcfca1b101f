"""Trials of a pack have each its own events, record, failure, stop and snapshot."""

import weakref
from collections import defaultdict
from functools import partial

import numpy as np
import pytest
import torch
from helpers.recipes import TINY
from helpers.tape import TapeBranches
from helpers.trials import trainable_job

from audiocls.analysis import comparability
from audiocls.config import resolve
from audiocls.errors import UsageError
from audiocls.execution import packs
from audiocls.execution.devices import per_device
from audiocls.execution.messages import (
    Done,
    Epoch,
    Extraction,
    Failed,
    Interrupted,
    Notice,
    Recorded,
)
from audiocls.execution.packs import groups_of_one_shape, train_jobs
from audiocls.execution.trial_run import TrialRun
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Cell
from audiocls.training import fused
from audiocls.training.fit import Signal
from audiocls.training.graphed import GraphedStep

GO = Signal.CONTINUE
ARMS = ({"seed": 0}, {"seed": 1}, {"seed": 0, "fold": 2, "model.dropout": 0.2})


@pytest.fixture
def jobs(tmp_path, cache):
    """Return the jobs of trials with these changes."""

    def made(*changes, study="study", **shared):
        return [
            trainable_job(
                resolve([TINY, {**shared, **each}], "tiny"),
                tmp_path / study,
                cache,
                cell=Cell(f"{index:012x}", "base", each.get("seed", 0), each.get("fold", 1)),
            )
            for index, each in enumerate(changes)
        ]

    return made


@pytest.fixture
def train(cache):
    """Train jobs at once; return each one's events."""

    def trained(jobs, poll=lambda trial_id: Signal.CONTINUE):
        events = defaultdict(list)
        train_jobs(jobs, WorkerCache(cache), lambda event: events[event.id].append(event), poll)
        return events

    return trained


def test_each_trial_of_a_pack_has_its_events_and_its_record(jobs, train):
    made = jobs(*ARMS)
    events = train(made)
    for job in made:
        told = [event for event in events[job.id] if not isinstance(event, Extraction)]
        kinds = [type(event) for event in told]
        assert kinds == [Epoch, Epoch, Done]
        record = job.trial.record()
        assert record.provenance.execution == "fused"
        assert record.cost.pack == 3
        assert len(job.trial.history()) == 2
        assert job.trial.checkpoint.exists()
    accuracies = {job.trial.record().metrics["test/loss"] for job in made}
    assert len(accuracies) == 3


def test_a_trial_that_nothing_goes_with_is_trained_alone(jobs, train):
    made = jobs(
        {}, {"train.batch_size": 4}, {"train.precision": "fp16"}, {"train.precision": "fp16"}
    )
    assert [len(group) for group in groups_of_one_shape(made)] == [1, 1, 1, 1]
    train(made[:2])
    records = [job.trial.record() for job in made[:2]]
    assert {record.provenance.execution for record in records} == {"eager"}
    assert {record.cost.pack for record in records} == {None}


def test_a_finished_trial_is_not_trained_again(jobs, train):
    made = jobs(*ARMS[:2])
    train(made[:1])
    before = made[0].trial.record()
    events = train(made)
    assert made[0].trial.record() == before
    assert isinstance(events[made[1].id][-1], Done)


def test_those_that_come_with_a_finished_one_are_trained_as_they_would_be_without_it(jobs, train):
    """It comes again where its worker died while its run was uploaded."""
    made = jobs(*ARMS)
    train(made[:1])
    train(made)
    records = [job.trial.record() for job in made]
    assert [record.provenance.execution for record in records] == ["eager", "fused", "fused"]
    assert [record.cost.pack for record in records] == [None, 2, 2]


def test_a_pack_begins_once_the_memory_of_the_one_before_it_is_free(jobs, train, monkeypatch):
    """A graph refers to the step that it was captured of, which refers to the graph."""
    monkeypatch.setattr(packs, "form_on", lambda kind: "graph")
    monkeypatch.setattr(packs, "GraphedStep", partial(GraphedStep, open_on=TapeBranches))
    states, alive, real = [], [], packs.build

    def build(*given):
        alive.append(sum(state() is not None for state in states))
        state = real(*given)
        states.append(weakref.ref(state))
        return state

    monkeypatch.setattr(packs, "build", build)
    larger = {"train.batch_size": 4}
    train(jobs(*ARMS[:2], larger, {**larger, "seed": 1}))
    assert alive == [0, 1, 0, 1]


def test_one_that_is_stopped_or_cannot_begin_leaves_the_others(jobs, train):
    made = jobs(*ARMS, {"seed": 3, "init_from": "nowhere"})
    stopped = made[1].id
    events = train(made, lambda trial_id: Signal.STOP if trial_id == stopped else Signal.CONTINUE)
    kinds = [type(events[job.id][-1]) for job in made]
    assert kinds == [Done, Interrupted, Done, Failed]
    assert made[1].trial.resume() is not None
    [done] = train(made[1:2])[stopped][-1:]
    assert isinstance(done, Done)
    assert made[1].trial.record().provenance.execution == "eager+fused"


def test_out_of_memory_halves_the_pack_and_then_the_trial_is_alone(jobs, train, monkeypatch):
    sizes = []
    real = fused.FusedStep.__call__

    def limited(self, groups, is_measured):
        sizes.append(len(groups))
        if len(groups) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, groups, is_measured)

    monkeypatch.setattr(fused.FusedStep, "__call__", limited)
    made = jobs(*({"seed": seed} for seed in range(3)))
    events = train(made)
    assert {type(events[job.id][-1]) for job in made} == {Done}
    assert sizes[:2] == [3, 2]
    packs_of = [job.trial.record().cost.pack for job in made]
    assert packs_of == [None, 2, 2]


def test_halves_of_a_pack_begin_once_its_memory_is_free(jobs, train, monkeypatch):
    """An error refers to the frames in which it was raised, and these to all of the pack."""
    states, alive = [], []
    built, real = packs.build, fused.FusedStep.__call__

    def build(*given):
        state = built(*given)
        states.append(weakref.ref(state))
        return state

    def limited(self, groups, is_measured):
        if len(groups) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        alive.append(sum(state() is not None for state in states))
        return real(self, groups, is_measured)

    monkeypatch.setattr(packs, "build", build)
    monkeypatch.setattr(fused.FusedStep, "__call__", limited)
    made = jobs(*({"seed": seed} for seed in range(4)))
    events = train(made)
    assert {type(events[job.id][-1]) for job in made} == {Done}
    assert set(alive) == {2}, "of four trials, the two that are trained"
    [said] = [each.text for job in made for each in events[job.id] if isinstance(each, Notice)]
    assert said == "out of memory with 4 trials at once: goes on with 2 and 2"


@pytest.mark.parametrize("stage", ["building", "validating"])
def test_a_trial_without_memory_beside_others_is_trained_after_them(
    jobs, train, monkeypatch, stage
):
    tried = []

    def once(name, real):
        def limited(*given, **named):
            tried.append(name)
            if tried == [name] * 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(*given, **named)

        return limited

    if stage == "building":
        monkeypatch.setattr(packs, "build", once(stage, packs.build))
    else:
        monkeypatch.setattr(TrialRun, "end_epoch", once(stage, TrialRun.end_epoch))
    made = jobs(*({"seed": seed} for seed in range(3)))
    events = train(made)
    assert {type(events[job.id][-1]) for job in made} == {Done}
    assert [len(job.trial.history()) for job in made] == [2, 2, 2]


ENDINGS = {
    "an early end is asked for": ({"seed": 1}, Signal.FINISH, Done),
    "the loss is not finite": ({"seed": 1, "optim.lr": 1e30}, Signal.CONTINUE, Failed),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_trial_that_ends_first_is_recorded_while_the_others_train(jobs, cache, ending):
    change, signal, kind = ENDINGS[ending]
    made = jobs({"seed": 0}, change, {"seed": 2}, **{"train.epochs": 4})
    first, told = made[1], []

    def emit(event):
        is_stored = first.trial.record() is not None or first.trial.failure() is not None
        told.append((event.id, type(event), is_stored))

    def poll(trial_id):
        return signal if trial_id == first.id else Signal.CONTINUE

    train_jobs(made, WorkerCache(cache), emit, poll)
    told = told[told.index((first.id, kind, True)) :]
    for job in (made[0], made[2]):
        later = [event for event in told if event[0] == job.id]
        assert len(later) >= 3, "at least two epochs, and its end"
        assert later[-1] == (job.id, Done, True)


def test_recording_one_changes_no_bit_of_the_others(jobs, train):
    """The other pack goes on without one as well, which is not scored there."""
    recorded, stopped = (
        jobs(*ARMS, study=signal.name, **{"train.epochs": 4})
        for signal in (Signal.FINISH, Signal.STOP)
    )
    for made, signal in ((recorded, Signal.FINISH), (stopped, Signal.STOP)):
        first = made[1].id
        train(made, lambda trial_id, to=signal, first=first: to if trial_id == first else GO)
    assert (recorded[1].trial.record() is None, stopped[1].trial.record() is None) == (False, True)
    for one, other in zip(recorded[::2], stopped[::2], strict=True):
        assert one.trial.record().first_losses == other.trial.record().first_losses
        assert one.trial.record().metrics == other.trial.record().metrics
        logits = [job.trial.predictions()["logits"] for job in (one, other)]
        np.testing.assert_array_equal(*logits)


def test_nothing_is_trained_later_because_a_run_is_uploaded(jobs, cache, monkeypatch):
    monkeypatch.setattr(TrialRun, "is_run_online", lambda self: True)
    made, told, uploads = jobs(*ARMS), [], []

    def emit(event):
        told.append((event.id, type(event)))

    def poll(trial_id):
        return Signal.FINISH if trial_id == made[1].id else Signal.CONTINUE

    train_jobs(made, WorkerCache(cache), emit, poll, uploads.append)
    after = told[told.index((made[1].id, Recorded)) + 1 :]
    assert [kind for _, kind in after] == [Epoch, Epoch, Recorded, Recorded]
    for upload in uploads:
        upload()
    assert told[-3:] == [(made[index].id, Done) for index in (1, 0, 2)]


class Killed(BaseException):
    """Ends a process as it is, as far as its trials can tell."""


def test_a_kill_after_one_has_ended_neither_loses_nor_doubles_it(jobs, cache, train):
    made = jobs(*ARMS, **{"train.epochs": 4})
    ended, others = made[1], made[::2]

    def emit(event):
        if isinstance(event, Epoch) and event.epoch == 3:
            raise Killed

    def poll(trial_id):
        return Signal.FINISH if trial_id == ended.id else Signal.CONTINUE

    with pytest.raises(Killed):
        train_jobs(made, WorkerCache(cache), emit, poll)
    before = ended.trial.record()
    assert before is not None
    events = train(made)
    assert ended.trial.record() == before
    assert [type(event) for event in events[ended.id]] == [Done]
    for job in others:
        assert [row["epoch"] for row in job.trial.history()] == [1, 2, 3, 4]
        assert job.trial.record().attempt == before.attempt + 1


def test_one_that_has_ended_is_not_trained_again_once_memory_runs_out(jobs, train, monkeypatch):
    made, real = jobs(*ARMS, **{"train.epochs": 3}), fused.FusedStep.__call__

    def limited(self, groups, is_measured):
        if len(groups) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, groups, is_measured)

    monkeypatch.setattr(fused.FusedStep, "__call__", limited)
    first = made[1].id
    events = train(made, lambda trial_id: Signal.FINISH if trial_id == first else Signal.CONTINUE)
    kinds = [type(event) for event in events[first] if not isinstance(event, Extraction)]
    assert kinds == [Epoch, Done]
    assert {type(events[job.id][-1]) for job in made} == {Done}


def test_what_one_held_when_it_failed_is_free_while_the_others_train(jobs, train, monkeypatch):
    held, alive, real = [], [], TrialRun.end_epoch
    made = jobs(*ARMS)

    def end_epoch(self, end):
        if self.job.id == made[1].id:
            activations = torch.zeros(1)
            held.append(weakref.ref(activations))
            raise ValueError("no such metric")
        alive.extend(each() is not None for each in held if end.row["epoch"] == 2)
        return real(self, end)

    monkeypatch.setattr(TrialRun, "end_epoch", end_epoch)
    events = train(made)
    assert [type(events[job.id][-1]) for job in made] == [Done, Failed, Done]
    assert alive == [False, False]


def test_trials_that_no_fused_step_can_hold_are_trained_one_by_one(jobs, train, monkeypatch):
    """Models of one's own may do what cannot be done for several trials in one call."""

    def impossible(*given):
        raise RuntimeError("vmap: called random operation")

    monkeypatch.setattr(fused.FusedStep, "__call__", impossible)
    made = jobs(*({"seed": seed} for seed in range(3)))
    events = train(made)
    assert {type(events[job.id][-1]) for job in made} == {Done}
    assert {job.trial.record().provenance.execution for job in made} == {"eager"}
    [said] = [each.text for job in made for each in events[job.id] if isinstance(each, Notice)]
    assert "RuntimeError: vmap: called random operation): goes on one by one" in said


def test_memory_is_measured_by_the_trials_that_were_trained_at_once_last(jobs, cache):
    made = jobs(*ARMS, {"train.batch_size": 4})
    told = [
        train_jobs(each, WorkerCache(cache), lambda event: None, lambda trial_id: Signal.CONTINUE)
        for each in (made, made[:1])
    ]
    assert told == [1, 1], "the last one was trained alone; one that was finished needs nothing"
    others = jobs(*ARMS[:2], study="other")
    assert (
        train_jobs(others, WorkerCache(cache), lambda event: None, lambda _: Signal.CONTINUE) == 2
    )


def test_a_gpu_gets_a_graph_with_a_branch_for_each_trial(jobs, train, monkeypatch):
    """A trial that nothing goes with is a graph of its own, and can be paired with the others."""
    monkeypatch.setattr(packs, "form_on", lambda kind: "graph")
    monkeypatch.setattr(packs, "GraphedStep", partial(GraphedStep, open_on=TapeBranches))
    made = jobs(*ARMS, {"train.batch_size": 4}, {"train.precision": "fp16"})
    train(made)
    records = [job.trial.record() for job in made]
    executions = [record.provenance.execution for record in records]
    assert executions == ["graph", "graph", "graph", "graph", "eager"]
    assert [record.cost.pack for record in records] == [3, 3, 3, None, None]
    assert comparability.AGREEING["execution"](records[0]) == "graph"


@pytest.mark.parametrize(("others_gib", "room"), [(0, 13), (40, 9)])
def test_memory_that_others_hold_is_not_packed_into(monkeypatch, others_gib, room):
    """Of 140 GiB, 10 are kept by this process, 1 of them in use; the last trial took 9 at most."""
    gib = 2**30
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 9 * gib)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 10 * gib)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: gib)
    free = (140 - 10 - others_gib) * gib
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 140 * gib))
    assert packs.measured_room(1) == room


def test_a_fault_of_all_fails_each(jobs, train, monkeypatch):
    def broken(*_):
        raise ValueError("no such kernel")

    monkeypatch.setattr(packs, "fit_pack_as_completed", broken)
    made = jobs(*ARMS)
    events = train(made)
    assert {type(events[job.id][-1]) for job in made} == {Failed}
    assert all("no such kernel" in job.trial.failure().message for job in made)


@pytest.mark.parametrize("text", ["0", "-1", "many", ""])
def test_another_number_of_trials_is_refused(text):
    with pytest.raises(UsageError, match=r"--per-device.*allowed: auto, or a number of 1 or more"):
        per_device(text)
