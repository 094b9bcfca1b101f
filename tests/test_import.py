"""Runs of a W&B project become a study that a report reads, whoever logged them."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from helpers.records import search_study
from helpers.trials import train, trainable_job
from helpers.wandb_runs import log_run, log_two_arms

from audiocls.analysis import compare
from audiocls.errors import UsageError
from audiocls.execution.job import TrackingConfig
from audiocls.importing.cells import ImportOptions
from audiocls.importing.records import history_of
from audiocls.importing.study import Imported
from audiocls.importing.wandb_project import Source, import_study
from audiocls.store import Cost, Request, StudyFolder
from audiocls.tracking.project import ProjectRef, RemoteRun
from audiocls.tracking.sweep_server import ServerSweep, SweepNotFound, SweepPath
from audiocls.tracking.wandb.connection import Connection
from audiocls.tracking.wandb.project import WandbProject
from audiocls.wandb_remote.push import place_of, registered_sweep

PLACE = ProjectRef("local", "mine")
REQUEST = Request("sweep import", "local/mine")
EFFECT = {"baseline": 0.0, "dropout=0.1": 0.03, "dropout=0.5": -0.03}
OURS = {"data_fingerprint": "d47a", "code": "c0de", "torch": "2.11.0", "device": "cpu"}
CLIPS = {"clips/train": 240, "clips/val": 80, "clips/test": 80}
COST = {"cost/num_params": 1000, "cost/macs": 2000, "cost/epochs": 2, "cost/wall_s": 1.5}


@dataclass
class Shelf:
    """A project as a list of runs; counts what it is asked."""

    listed: list[RemoteRun] = field(default_factory=list)
    sweep_config: Mapping[str, Any] = field(default_factory=dict)
    num_histories: int = 0

    def runs(self, place: ProjectRef, filters: Mapping[str, Any]) -> Iterator[RemoteRun]:
        return iter(self.listed)

    def history(self, place: ProjectRef, run_id: str) -> list[dict[str, Any]]:
        self.num_histories += 1
        return [{"_step": step, "epoch": step + 1, "val/accuracy": 0.1} for step in range(2)]

    @property
    def sweeps(self) -> "Shelf":
        return self

    def sweep(self, path: SweepPath) -> ServerSweep:
        return ServerSweep(path, "", self.sweep_config, "RUNNING")


def our_run(arm: str, seed: int, fold: int, **changes: Any) -> RemoteRun:
    """A run as audiocls logs it."""
    dropout = float(arm.partition("=")[2] or 0)
    config = {"model": {"name": "cnn", "dropout": dropout}, "seed": seed, "fold": fold}
    trial = f"{sorted(EFFECT).index(arm):04x}{seed:04x}{fold:04x}"
    cell = {"study": "tiny", "arm": arm, "trial": trial, "attempt": 1}
    value = 0.8 + EFFECT[arm] + 0.001 * seed + 0.002 * fold + 0.0005 * ((seed * fold) % 3)
    run = RemoteRun(
        id=f"{trial}-1",
        name=f"{arm} s{seed} f{fold}",
        state="finished",
        config={**config, **cell, **OURS},
        summary={"test/accuracy": value, "_step": 1, "epoch": 2, **COST, **CLIPS},
        group="tiny",
        created=f"2026-01-0{fold}T00:00:00Z",
        heartbeat="2026-02-01T00:00:00Z",
    )
    return replace(run, **changes)


def foreign_run(index: int, seed: Any, **config: Any) -> RemoteRun:
    """A run of somebody's program."""
    accuracy = 0.7 + 0.02 * bool(config.get("use_sam")) + 0.001 * index
    return RemoteRun(
        id=f"run{index}",
        name=f"eager-fox-{index}",
        state="finished",
        config={"optim": {"lr": 0.1}, "random_state": seed, **config},
        summary={"acc": accuracy, "loss": {"min": 0.2}, "_runtime": 12.5},
        commit=f"{index % 2}" * 40,
        created=f"2026-01-{index + 1:02d}T00:00:00Z",
    )


@pytest.fixture
def ours() -> Shelf:
    return Shelf([our_run(arm, s, f) for s in (0, 1, 2) for f in (1, 2, 3) for arm in EFFECT])


@pytest.fixture
def foreign() -> Shelf:
    return Shelf([foreign_run(2 * seed + sam, seed, use_sam=bool(sam))
                  for seed in range(6) for sam in (0, 1)])  # fmt: skip


@pytest.fixture
def take(tmp_path: Path) -> Callable[..., Imported]:
    """Import into `tmp_path/tiny` under the options given."""

    def imported(project: Any, source: Source = Source(PLACE), **options: Any) -> Imported:  # noqa: B008
        asked = ImportOptions(options.pop("study", "tiny"), **options)
        request = Request("sweep import", str(source), options={"--study": asked.study})
        folder = StudyFolder(tmp_path / asked.study)
        return import_study(folder, project, source, asked, request, lambda done, total: None)

    return imported


SAM: dict[str, Any] = {
    "arm": ("use_sam",), "baseline": "use_sam=false", "seed": "random_state", "metric": "acc"
}  # fmt: skip


def test_our_own_runs_need_no_options_and_the_report_answers(ours, take, tmp_path):
    found = take(ours)
    assert (found.num_done, found.num_failed, found.num_missing) == (27, 0, 0)
    folder = StudyFolder(tmp_path / "tiny")
    study = folder.study()
    assert (study.metric, study.goal, study.baseline) == ("test/accuracy", "maximize", "baseline")
    assert study.arms == {
        "baseline": {},
        "dropout=0.1": {"model.dropout": 0.1},
        "dropout=0.5": {"model.dropout": 0.5},
    }
    comparison = compare(study, folder.records(study.cells))
    assert [arm.verdict for arm in comparison.compared] == ["better", "worse"]
    assert comparison.arms[0].num_params == 1000


def test_a_record_has_what_our_run_told_and_nothing_more(ours, take, tmp_path):
    take(ours)
    folder = StudyFolder(tmp_path / "tiny")
    cell = folder.study().cells[0]
    record = folder.trial(cell.id).record()
    assert record is not None
    assert record.id == ours.listed[0].config["trial"]
    assert record.metrics.keys() == {"test/accuracy"}
    assert record.cost == Cost(num_params=1000, macs=2000, epochs=2, wall_s=1.5)
    origin = record.provenance
    assert (origin.code, origin.torch, origin.data) == ("c0de", "2.11.0", "d47a")
    assert (record.num_train, record.num_val, record.num_test) == (240, 80, 80)
    assert record.provenance.host == ""
    assert [row["epoch"] for row in folder.trial(cell.id).history()] == [1, 2]


@pytest.mark.parametrize("planned", [2, 3])
def test_a_trial_of_ours_with_fewer_epochs_than_were_planned_was_stopped_early(
    ours, take, tmp_path, planned
):
    ours.listed = [
        replace(run, config={**run.config, "train": {"epochs": planned}}) for run in ours.listed
    ]
    study = take(ours).study
    records = StudyFolder(tmp_path / "tiny").records(study.cells)
    assert {record.early_stopped for record in records.values()} == {planned == 3}


def test_a_trial_really_trained_synced_and_imported_has_its_record_again(
    wandb_server, tmp_path, tiny_config, cache
):
    from audiocls.store import Cell, Study
    from audiocls.tracking.wandb.sync import upload
    from audiocls.wandb_remote.sync import sync

    config, folder = tiny_config(), StudyFolder(tmp_path / "runs" / "t")
    cell = Cell("0123456789ab", "baseline", 0, 1)
    folder.write_study(
        Study(
            "t", "?", "tiny", "ofat", "test/accuracy", "maximize", "baseline", {"baseline": {}},
            (cell,),
        )
    )  # fmt: skip
    job = trainable_job(
        config,
        folder.path,
        cache,
        study="t",
        cell=cell,
        trial=folder.trial(cell.id),
        tracking=TrackingConfig("offline", "mine"),
    )
    train(job, cache)
    server = WandbProject(Connection())
    wanted = ("local", "mine")
    sync(folder, server, upload, wanted, None, lambda done, total: None, threading.Event())
    there = StudyFolder(tmp_path / "imported")
    asked = ImportOptions("t")
    found = import_study(there, server, Source(PLACE), asked, REQUEST, lambda done, total: None)
    before, after = folder.trial(cell.id).record(), there.trial(found.study.cells[0].id).record()
    assert before is not None
    assert after is not None
    assert before.metrics.items() <= after.metrics.items()
    times = {"started": "", "finished": ""}
    assert replace(after.provenance, **times) == replace(before.provenance, **times)
    same = {"metrics": {}, "provenance": before.provenance}
    assert replace(after, **same) == replace(before, **same)
    curves = [
        [row["val/accuracy"] for row in f.trial(cell.id).history() if "val/accuracy" in row]
        for f in (folder, there)
    ]
    assert curves[0] == curves[1]


def test_importing_again_reads_only_what_is_new(ours, take):
    last = ours.listed.pop()
    assert take(ours).num_missing == 1
    assert ours.num_histories == 26
    ours.listed.append(last)
    again = take(ours)
    assert (again.num_done, again.num_missing, again.num_updated) == (27, 0, 1)
    assert ours.num_histories == 27


def test_of_several_runs_of_a_cell_the_newest_finished_one_counts_and_the_others_are_named(
    ours, take, tmp_path
):
    first = ours.listed[0]
    newer = replace(first, id="newer", summary={"test/accuracy": 0.99}, created="2026-03-01")
    failed = replace(first, id="failed", state="failed", created="2026-04-01")
    ours.listed += [newer, failed]
    found = take(ours)
    record = StudyFolder(tmp_path / "tiny").trial(found.study.cells[0].id).record()
    assert record is not None
    assert record.metrics["test/accuracy"] == 0.99
    assert any(f"left out: {first.id}." in note for note in found.study.notes)


@pytest.mark.parametrize("state", ["failed", "crashed", "killed"])
def test_a_run_that_broke_off_is_a_failure_and_is_never_averaged(ours, take, tmp_path, state):
    ours.listed[0] = replace(ours.listed[0], state=state)
    found = take(ours)
    assert (found.num_done, found.num_failed) == (26, 1)
    folder = StudyFolder(tmp_path / "tiny")
    failure = folder.failures(found.study.cells)[found.study.cells[0].id]
    assert failure.message == f"W&B run {ours.listed[0].id} is {state}"
    assert len(folder.records(found.study.cells)) == 26


def test_a_cell_that_has_lost_its_run_loses_its_record(ours, take, tmp_path):
    take(ours)
    ours.listed[0] = replace(ours.listed[0], state="running")
    found = take(ours)
    assert (found.num_done, found.num_missing) == (26, 1)
    assert any("1 cells have a run that has not ended" in note for note in found.study.notes)


def test_foreign_runs_become_arms_by_their_keys_and_blocks_by_theirs(foreign, take, tmp_path):
    found = take(foreign, **SAM)
    assert found.study.arms == {"use_sam=false": {}, "use_sam=true": {"use_sam": True}}
    assert sorted({cell.seed for cell in found.study.cells}) == [0, 1, 2, 3, 4, 5]
    folder = StudyFolder(tmp_path / "tiny")
    comparison = compare(found.study, folder.records(found.study.cells))
    (arm,) = comparison.compared
    assert (arm.verdict, arm.num_pairs) == ("better", 6)
    assert arm.seconds == 12.5
    assert arm.num_params is None
    notes = "\n".join(comparison.notes)
    assert "equal compute was not checked" in notes
    assert "The runs name 2 commits: 00000000, 11111111." in notes


def test_nested_keys_several_keys_and_missing_ones_make_arms(take):
    runs = [
        foreign_run(0, 0, optim={"lr": 0.1}),
        foreign_run(1, 0, optim={"lr": 0.2}),
        foreign_run(2, 0, optim={"lr": 0.1}, use_sam=True),
    ]
    found = take(
        Shelf(runs),
        **{**SAM, "arm": ("optim.lr", "use_sam"), "baseline": "optim.lr=0.1,use_sam=unset"},
    )
    assert found.study.arms == {
        "optim.lr=0.1,use_sam=unset": {},
        "optim.lr=0.2,use_sam=unset": {"optim.lr": 0.2},
        "optim.lr=0.1,use_sam=true": {"use_sam": True},
    }


def test_what_else_differs_between_arms_is_told_with_them(foreign, take):
    foreign.listed = [
        replace(run, config={**run.config, "epochs": 20 if run.config["use_sam"] else 10})
        for run in foreign.listed
    ]
    found = take(foreign, **SAM)
    assert found.study.arms["use_sam=true"] == {"use_sam": True, "epochs": 20}


def test_blocks_that_are_no_numbers_are_numbered_and_said_to_be(foreign, take):
    foreign.listed = [
        replace(run, config={**run.config, "random_state": f"r{run.config['random_state']}"})
        for run in foreign.listed
    ]
    found = take(foreign, **SAM)
    assert sorted({cell.seed for cell in found.study.cells}) == [0, 1, 2, 3, 4, 5]
    assert any("0: r0, 1: r1" in note for note in found.study.notes)


def test_blocks_that_one_arm_lacks_are_missing_cells(foreign, take):
    del foreign.listed[1]
    found = take(foreign, **SAM)
    assert (found.num_done, found.num_missing) == (11, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"arm": ("use_sma",)}, ["'use_sma'", "Did you mean 'use_sam'", "optim.lr"]),
        ({"seed": "random_stat"}, ["Did you mean 'random_state'"]),
        ({"fold": "fold"}, ["no run has the key 'fold'"]),
        ({"metric": "accc"}, ["Did you mean 'acc'", "loss.min"]),
        ({"metric": None}, ["--metric NAME", "acc, loss.min"]),
        ({"baseline": None}, ["--baseline NAME", "use_sam=false; use_sam=true"]),
        ({"baseline": "use_sam=no"}, ["no arm is called", "use_sam=false"]),
        ({"seed": None}, ["6 finished runs are all of use_sam=false", "--seed KEY", "random_s"]),
        ({"arm": ()}, ["none of the 12 runs was logged by audiocls", "--arm KEY", "use_sam"]),
    ],
)  # fmt: skip
def test_a_name_that_no_run_has_is_refused_with_those_it_could_be(foreign, take, options, words):
    with pytest.raises(UsageError) as error:
        take(foreign, **{**SAM, **options})
    for word in words:
        assert word in str(error.value)


def test_of_several_studies_in_a_project_one_is_to_be_chosen(ours, take):
    ours.listed += [replace(run, config={**run.config, "study": "other"}, id=f"{run.id}o")
                    for run in ours.listed[:6]]  # fmt: skip
    with pytest.raises(UsageError, match=r"several studies: other, tiny.*--group"):
        take(ours, study="mine")
    assert len(take(ours, study="other").study.cells) == 6


def test_runs_that_are_not_ours_are_left_out_by_name(ours, take):
    ours.listed.append(RemoteRun("answer", "x", "finished", {}, {"acc": 1}))
    assert any("left out: answer." in note for note in take(ours).study.notes)


def test_a_study_that_was_launched_here_is_not_written_over(ours, take, tmp_path):
    study = take(ours).study
    folder = StudyFolder(tmp_path / "tiny")
    folder.write_study(replace(study, kind="ablation"))
    with pytest.raises(UsageError, match="--study tiny-imported"):
        take(ours)


@pytest.mark.parametrize("sweep", [None, "s1"])
def test_a_study_remembers_which_project_it_was_imported_from(foreign, take, tmp_path, sweep):
    take(foreign, Source(PLACE, sweep), **SAM)
    folder = StudyFolder(tmp_path / "tiny")
    assert place_of(folder) == PLACE
    assert registered_sweep(folder) == (sweep and SweepPath("local", "mine", sweep))


def test_a_search_that_was_launched_here_is_not_imported_over(foreign, take, tmp_path):
    folder = StudyFolder(tmp_path / "tiny")
    folder.write_study(search_study("tiny", {}, "python x.py", "/", ""))
    with pytest.raises(UsageError, match="launched here; import under another name"):
        take(foreign, **SAM)


def test_a_sweep_says_which_metric_decides_and_which_way(foreign, take):
    foreign.sweep_config = {"metric": {"name": "acc", "goal": "maximize"}}
    options = {**SAM, "metric": None}
    found = take(foreign, Source(PLACE, "abc"), **options)
    assert (found.study.metric, found.study.goal) == ("acc", "maximize")
    foreign.sweep_config = {"metric": {"name": "acc"}}
    assert take(foreign, Source(PLACE, "abc"), **options).study.goal == "minimize"
    assert take(foreign, Source(PLACE, "abc"), **SAM, goal="maximize").study.goal == "maximize"


def test_rows_are_one_an_epoch_and_steps_stand_in_where_nobody_counts_epochs():
    apart = [
        {"_step": 0, "epoch": 1, "train/loss": 2.0},
        {"_step": 1, "epoch": 1, "val/loss": 1.5},
        {"_step": 2, "epoch": 2, "train/loss": 1.0, "note": "text"},
        {"_step": 3, "media": {"_type": "image-file"}},
    ]
    assert history_of(apart) == [
        {"epoch": 1, "train/loss": 2.0, "val/loss": 1.5},
        {"epoch": 2, "train/loss": 1.0},
    ]
    assert history_of([{"_step": 4, "loss": 1.0}]) == [{"epoch": 4, "loss": 1.0}]


def test_real_runs_of_a_server_become_a_study_page_by_page(
    wandb_server, take, tmp_path, monkeypatch
):
    monkeypatch.setattr("audiocls.tracking.wandb.project.PAGE", 3)
    for index in range(8):
        log_run(
            f"r{index}",
            folder=tmp_path / "w",
            project="mine",
            mode="online",
            config={"use_sam": bool(index % 2), "random_state": index // 2, "data": {"n": 10}},
            summary={"acc": 0.5 + 0.1 * (index % 2)},
            code=int(index == 7),
            group="g" if index < 6 else "h",
        )
    found = take(WandbProject(Connection()), **SAM)
    assert (found.num_done, found.num_failed) == (7, 1)
    record = StudyFolder(tmp_path / "tiny").records(found.study.cells)[found.study.cells[0].id]
    assert record.metrics["acc"] == 0.5
    assert record.provenance.python.startswith("3.")
    history = StudyFolder(tmp_path / "tiny").histories(found.study.cells)[record.id]
    assert [row["epoch"] for row in history] == [1, 2]
    some = take(WandbProject(Connection()), Source(PLACE, group="g"), study="some", **SAM)
    assert len(some.study.cells) == 6
    where = {"config.random_state": {"$lt": 2}}
    assert (
        len(
            take(
                WandbProject(Connection()), Source(PLACE, where=where), study="w", **SAM
            ).study.cells
        )
        == 4
    )
    assert wandb_server.unknown == []


def test_a_project_a_sweep_or_a_run_that_is_not_there_is_said_to_be(wandb_server, take, tmp_path):
    log_run("r0", folder=tmp_path / "w", project="mine", mode="online")
    with pytest.raises(SweepNotFound, match="run local/mine/none"):
        WandbProject(Connection()).history(PLACE, "none")
    with pytest.raises((SweepNotFound, UsageError), match="local/nowhere"):
        take(WandbProject(Connection()), Source(ProjectRef("local", "nowhere")), **SAM)
    with pytest.raises(SweepNotFound, match="sweep local/mine/none"):
        take(WandbProject(Connection()), Source(PLACE, "none"), **SAM)


def test_five_hundred_runs_are_imported_in_seconds(take):
    runs = [foreign_run(i, i // 2, use_sam=bool(i % 2)) for i in range(500)]
    found = take(Shelf([replace(run, created="2026") for run in runs]), **SAM)
    assert found.num_done == 500


def test_the_commands_do_not_load_wandb_before_they_need_it():
    program = "import sys, audiocls.cli; print('wandb' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.strip() == "False"


def test_the_command_imports_and_the_report_reads(wandb_server, tmp_path):
    log_two_arms(tmp_path / "w")

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "audiocls", *words, "--runs", str(tmp_path / "runs")],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    imported = run(
        "sweep", "import", "local/mine", "--study", "sam", "--arm", "use_sam",
        "--seed", "random_state", "--baseline", "use_sam=false", "--metric", "acc", "--json",
        "--where", '{"state": "finished"}',
    )  # fmt: skip
    assert imported.returncode == 0, imported.stderr
    assert json.loads(imported.stdout)["done"] == 4
    told = run("report", "sam", "--json")
    assert json.loads(told.stdout)["arms"][1]["num_pairs"] == 2
    assert "--seed random_state" in json.loads(told.stdout)["command"]
    wrong = run("sweep", "import", "local/mine", "--study", "sam", "--arm", "use_sma")
    assert wrong.returncode == 2
    assert "Did you mean 'use_sam'" in wrong.stderr
