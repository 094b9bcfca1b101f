"""Any number of launches share one study: each cell is trained once, wherever that is."""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.processes import held_elsewhere
from helpers.records import search_record
from helpers.trials import make_job

from audiocls.errors import UsageError
from audiocls.execution import claims
from audiocls.execution.blocks import Blocks
from audiocls.execution.job import NativeJob
from audiocls.execution.messages import Done, Event, Interrupted, Lost
from audiocls.execution.scheduler import Launch
from audiocls.search import Categorical, Metric, Sweep
from audiocls.store import Cell, Failure, Proposal, Study, StudyFolder
from audiocls.store.attempts import MAX_LOSSES
from audiocls.store.lease import Lease
from audiocls.studies.joining import joining
from audiocls.studies.sources.fixed import FixedSource
from audiocls.studies.sources.search import SearchSource
from audiocls.studies.sources.sequential import Looks, SequentialSource


class Training:
    """An executor that trains a trial at each poll: it writes its record."""

    def __init__(self, is_lost: bool = False):
        self.trained: list[str] = []
        self.is_lost = is_lost
        self.waiting: list[NativeJob] = []

    def num_free(self) -> int:
        return 1 - len(self.waiting)

    def submit(self, job: NativeJob) -> None:
        self.waiting.append(job)

    def end(self, trial_id: str) -> None: ...

    def poll(self, timeout_s: float) -> Sequence[Event]:
        if not self.waiting:
            time.sleep(0.01)
        jobs, self.waiting = self.waiting, []
        return [self.train(job) for job in jobs]

    def train(self, job: NativeJob) -> Event:
        job.trial.begin()
        if self.is_lost:
            return Lost(job.id, "killed")
        job.trial.finish(search_record(job.id, 1.0))
        self.trained.append(job.id)
        return Done(job.id)

    def stop(self, grace_s: float) -> Sequence[Event]:
        return [Interrupted(job.id) for job in self.waiting]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.setattr(claims, "LOOK_EVERY_S", 0.02)
    return StudyFolder(tmp_path / "s")


def job_of(folder: StudyFolder):
    return lambda cell: make_job(folder.path, cell, trial=folder.trial(cell.id))


def fixed(folder: StudyFolder, num: int = 8) -> FixedSource:
    cells = tuple(Cell(f"t{i}", "baseline", i, 1) for i in range(num))
    return FixedSource(folder, Study("s", cells=cells), job_of(folder))


def test_a_job_is_made_when_its_turn_comes(folder: StudyFolder) -> None:
    made: list[str] = []
    cells = tuple(Cell(f"t{i}", "baseline", i, 1) for i in range(8))
    make = job_of(folder)
    source = FixedSource(
        folder, Study("s", cells=cells), lambda cell: made.append(cell.id) or make(cell)
    )
    assert (source.max_parallel, made) == (8, [])
    source.next()
    assert made == ["t0"]


def growing(folder: StudyFolder) -> SequentialSource:
    """Two cells at each of four looks; the plan is in the store."""

    def study(num: int) -> Study:
        cells = tuple(Cell(f"t{i}", "baseline", i, 1) for i in range(num))
        looks = tuple(range(2, num + 1, 2))
        return Study("s", baseline="baseline", arms={"baseline": {}}, cells=cells, looks=looks)

    def next_look(before: Study) -> Study | None:
        return study(len(before.cells) + 2) if len(before.cells) < 8 else None

    folder.write_study(study(2))
    return SequentialSource(Looks(folder, study(2), job_of(folder), next_look))


class Named:
    """Trials of a search that are called after their number."""

    def __init__(self, folder: StudyFolder):
        self.folder = folder

    def id_of(self, parameters) -> str:
        return f"t{parameters['a']}"

    def job_of(self, proposal: Proposal, run_id: str = ""):
        return job_of(self.folder)(Cell(proposal.id, "", 0, 1))


def searching(folder: StudyFolder) -> SearchSource:
    from helpers.records import search_study

    if not folder.exists():
        folder.write_study(search_study("s", {"method": "grid"}, "train.py", "/", ""))
    grid = Sweep("grid", {"a": Categorical(tuple(range(8)))}, Metric("val/loss"))
    return SearchSource(grid, folder, Named(folder))


@pytest.mark.parametrize("source", [fixed, growing, searching], ids=lambda make: make.__name__)
def test_launches_at_once_train_each_cell_once_and_all_see_the_end(folder, source):
    sources, executors = [source(folder) for _ in range(3)], [Training() for _ in range(3)]
    launches = [Launch(each, lambda status: None) for each in sources]
    threads = [
        threading.Thread(target=launch.drive, args=(executor, threading.Event()))
        for launch, executor in zip(launches, executors, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    wanted = sorted(f"t{i}" for i in range(8))
    assert sorted(trial for each in executors for trial in each.trained) == wanted
    for launch, each in zip(launches, sources, strict=True):
        assert set(each.states().values()) == {"done"}
        assert launch.stopped_by is None
    if source is searching:
        assert sorted(proposal.id for proposal in folder.all_proposals()) == wanted


def test_a_cell_elsewhere_is_waited_for_and_taken_over_when_its_holder_is_killed(folder):
    executor = Training()
    with held_elsewhere(folder.trial("t0").path) as other:
        launch = Launch(fixed(folder, 2), lambda status: None)
        thread = threading.Thread(target=launch.drive, args=(executor, threading.Event()))
        thread.start()
        while executor.trained != ["t1"]:
            time.sleep(0.01)
        time.sleep(0.1)
        assert thread.is_alive()
        other.kill()
        other.wait()
        thread.join(20)
    assert executor.trained == ["t1", "t0"]
    assert (launch.num_done, launch.num_failed) == (2, 0)


def test_a_trial_whose_holders_died_three_times_fails_and_those_stopped_in_order_do_not(folder):
    for trial, is_stopped in ((folder.trial("t0"), False), (folder.trial("t1"), True)):
        for _ in range(MAX_LOSSES - 1):
            trial.begin()
            trial.attempts.close() if is_stopped else trial.attempts.lose(0)
        trial.begin()
        if is_stopped:
            trial.attempts.close()
    executor = Training()
    launch = Launch(fixed(folder, 2), lambda status: None)
    launch.drive(executor, threading.Event())
    assert executor.trained == ["t1"]
    failure = folder.trial("t0").failure()
    assert (failure.cause, launch.num_failed) == ("signal", 1)
    assert "3 processes that trained it have died" in failure.message


def test_an_end_elsewhere_counts_for_the_source_and_as_no_training_of_this_launch(folder):
    source = fixed(folder, 3)
    folder.trial("t0").finish(search_record("t0", 1.0))
    folder.trial("t1").fail(Failure("nan", "diverged", "", 1))
    executor, seen = Training(), []
    launch = Launch(source, seen.append)
    launch.drive(executor, threading.Event())
    assert executor.trained == ["t2"]
    assert (launch.num_done, launch.num_elsewhere, launch.num_failed) == (1, 1, 1)
    assert (seen[-1].num_done, seen[-1].num_failed, seen[-1].left_s) == (2, 1, 0.0)


def test_a_launch_that_is_stopped_gives_everything_back(folder):
    stop = threading.Event()

    class Stopping(Training):
        def poll(self, timeout_s: float) -> Sequence[Event]:
            stop.set()
            self.waiting[0].trial.begin()
            return []

    Launch(fixed(folder, 2), lambda status: None).drive(Stopping(), stop)
    assert not list(folder.path.glob("trials/*/.lease"))
    assert not folder.trial("t0").attempts.last().is_open
    assert folder.trial("t0").state() == "pending"


def test_a_trial_that_was_taken_over_is_waited_for_like_any_other(folder):
    class Robbed(Training):
        def train(self, job: NativeJob) -> Event:
            (job.trial.path / ".lease").unlink()
            folder.trial(job.id).finish(search_record(job.id, 1.0))
            return Interrupted(job.id, is_taken=True)

    seen = []
    launch = Launch(fixed(folder, 1), seen.append)
    launch.drive(Robbed(), threading.Event())
    assert (launch.num_done, launch.num_elsewhere) == (0, 1)
    assert "another launch has taken it over" in "".join(m for s in seen for m in s.messages)


def test_a_stop_rule_reaches_a_trial_that_another_launch_trains(folder):
    named = ["t0"]

    class Impatient(FixedSource):
        def trials_to_stop(self):
            return [named.pop()] if named else []

    cells = (Cell("t0", "baseline", 0, 1), Cell("t1", "baseline", 1, 1))
    source = Impatient(folder, Study("s", cells=cells), job_of(folder))
    trial, launch = folder.trial("t0"), Launch(source, lambda status: None)
    with trial.lease():
        thread = threading.Thread(target=launch.drive, args=(Training(), threading.Event()))
        thread.start()
        while not trial.stop_request.exists():
            time.sleep(0.01)
        trial.finish(search_record("t0", 1.0))
    thread.join(20)
    assert not trial.stop_request.exists()


class TestStop:
    """`sweep stop` reaches launches on any host, in any container: by a file."""

    def test_a_wish_stops_launches_that_had_begun_and_none_after(self, folder, monkeypatch):
        def refuse(pid: int, number: int) -> None:
            assert number == 0, "a signal was sent"

        monkeypatch.setattr(os, "kill", refuse)
        stop, later = threading.Event(), threading.Event()
        with joining(folder, stop):
            folder.launches.request_stop()
            assert stop.wait(5)
        with joining(folder, later):
            assert not later.wait(0.7)

    def test_launches_that_have_died_here_are_not_listed_and_are_swept_up(self, folder):
        with joining(folder, threading.Event()) as one:
            dead = one.own.name.replace(f"-{os.getpid()}-", "-999999999-")
            for ending in (".json", ".lease"):
                file = folder.path / "launches" / f"{one.own.name}{ending}"
                file.with_name(dead + ending).write_bytes(file.read_bytes())
            assert [each.name for each in folder.launches.alive()] == [one.own.name]
            with joining(folder, threading.Event()):
                assert not (folder.path / "launches" / f"{dead}.json").exists()

    def test_a_plan_is_not_replaced_under_another_launch_and_may_grow(self, folder):
        before = TestBlocks().study()
        with joining(folder, threading.Event()), joining(folder, threading.Event()) as other:
            grown = replace(before, cells=(*before.cells, Cell("a2", "a", 2, 1)))
            other.require_same_plan(before, grown)
            with pytest.raises(UsageError, match=r"is being run by .* with other settings"):
                other.require_same_plan(before, replace(before, cells=(Cell("c", "a", 0, 1),)))
        with joining(folder, threading.Event()) as alone:
            alone.require_same_plan(before, replace(before, cells=(Cell("c", "a", 0, 1),)))

    def test_one_of_other_code_is_refused_and_told_what_to_do(self, folder):
        with joining(folder, threading.Event()) as one:
            one.describe_code()
            with joining(folder, threading.Event()) as other:
                other.require_same_code()
            folder.launches.describe(type(one.own)(one.own.name, "", "0123456789ab"))
            with joining(folder, threading.Event()) as other, pytest.raises(UsageError) as raised:
                other.require_same_code()
        assert "with other code (0123456789ab, here" in str(raised.value)
        assert "audiocls sweep stop s" in str(raised.value)


class TestBlocks:
    """The trials of a block, a seed on a fold, are trained on one kind of device."""

    def study(self) -> Study:
        cells = tuple(Cell(f"{arm}{seed}", arm, seed, 1) for seed in (0, 1) for arm in "ab")
        return Study("s", baseline="a", arms={"a": {}, "b": {}}, cells=cells)

    def launch(self, folder: StudyFolder, kind: str, stop_after: int = 9) -> tuple[Launch, Blocks]:
        source = FixedSource(folder, self.study(), job_of(folder))
        blocks, stop = Blocks(folder, lambda: source.study, kind), threading.Event()
        launch = Launch(source, lambda status: None)
        launch.claims.admits = blocks.admits

        class Counting(Training):
            def train(self, job: NativeJob) -> Event:
                ended = super().train(job)
                record = folder.trial(job.id).record()
                origin = replace(record.provenance, device=kind)
                folder.trial(job.id).replace_record(replace(record, provenance=origin))
                if len(self.trained) == stop_after:
                    stop.set()
                return ended

        launch.drive(Counting(), stop)
        return launch, blocks

    def device_of(self, folder: StudyFolder) -> dict[str, str]:
        records = folder.records(self.study().cells)
        return {trial: record.provenance.device for trial, record in records.items()}

    def test_a_block_that_was_begun_on_another_kind_is_left_to_it(self, folder):
        self.launch(folder, "A100", stop_after=1)
        launch, blocks = self.launch(folder, "H200")
        assert self.device_of(folder) == {"a0": "A100", "a1": "H200", "b1": "H200"}
        assert launch.stopped_by == "devices"
        assert "begun on A100" in blocks.sentence()
        launch, _ = self.launch(folder, "A100")
        assert (launch.stopped_by, self.device_of(folder)["b0"]) == (None, "A100")

    def test_one_that_was_begun_without_any_result_is_free_again(self, folder):
        (folder.path / "blocks").mkdir(parents=True)
        (folder.path / "blocks/seed0-fold1").write_text("A100")
        launch, _ = self.launch(folder, "H200")
        assert launch.num_done == 4
        assert set(self.device_of(folder).values()) == {"H200"}

    def test_one_of_an_early_version_is_known_by_its_records(self, folder):
        origin = replace(search_record("a0", 1.0).provenance, device="A100")
        folder.trial("a0").finish(replace(search_record("a0", 1.0), provenance=origin))
        launch, _ = self.launch(folder, "H200")
        assert (launch.num_done, launch.stopped_by) == (2, "devices")

    def test_one_in_which_a_trial_is_being_trained_is_not_free(self, folder):
        with folder.trial("a0").lease():
            Blocks(folder, self.study, "A100").admits("a0")
            assert not Blocks(folder, self.study, "H200").admits("b0")
        assert Blocks(folder, self.study, "H200").admits("b0")


def test_a_launch_of_a_few_trials_does_not_wait_for_the_whole_search_of_another(folder):
    other = searching(folder)
    sweep = Sweep("grid", {"a": Categorical(tuple(range(8)))}, Metric("val/loss"))
    few = SearchSource(sweep, folder, Named(folder), max_new=2)

    class Proposing(Training):
        def train(self, job: NativeJob) -> Event:
            while (theirs := other.next()) is not None:
                if (lease := theirs.trial.claim()).take():
                    held.append(lease)
                    break
            return super().train(job)

    held: list[Lease] = []
    executor = Proposing()
    Launch(few, lambda status: None).drive(executor, threading.Event())
    assert len(executor.trained) == len(held) == 2
    for lease in held:
        lease.give_back()
