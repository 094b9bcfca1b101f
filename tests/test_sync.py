"""Offline runs reach the server once, under a sweep that then schedules only what is missing."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.records import search_study
from helpers.wandb_runs import log_run, read_log
from wandb_server import Server

from audiocls.errors import UsageError
from audiocls.store import (
    Cell,
    Cost,
    Failure,
    Proposal,
    Provenance,
    Record,
    Request,
    Study,
    StudyFolder,
)
from audiocls.store.lease import Lease, held
from audiocls.store.old_files import with_kind
from audiocls.tracking.sweep_server import PermissionDenied, ServerUnavailable, offline_sweep_id
from audiocls.tracking.wandb.connection import Connection
from audiocls.tracking.wandb.project import WandbProject
from audiocls.tracking.wandb.sync import upload
from audiocls.wandb_remote.push import grid_of, registered_sweep, sweep_of
from audiocls.wandb_remote.sync import Synced, sync

ARMS = ("baseline", "dropout=0.1", "dropout=0.5")
CELLS = tuple(
    Cell(f"{index:012x}", arm, index // len(ARMS), 1) for index, arm in enumerate(ARMS * 2)
)
STUDY = Study(
    name="tiny",
    question="Does dropout help?",
    recipe="tiny",
    design="ofat",
    metric="test/accuracy",
    goal="maximize",
    baseline="baseline",
    arms={arm: {} for arm in ARMS},
    cells=CELLS,
    command="audiocls sweep launch tiny --set optim.lr=0.001",
    request=Request("sweep launch", "tiny", assignments=("optim.lr=0.001",)),
)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    """A study of six cells of which nothing was run."""
    folder = StudyFolder(tmp_path / "runs" / "tiny")
    folder.write_study(STUDY)
    return folder


def tell(
    folder: StudyFolder,
    cell: Cell,
    attempt: int = 1,
    code: int = 0,
    mode: str = "offline",
    **settings: Any,
) -> None:
    """Track a trial as a worker does."""
    config = {"study": "tiny", "arm": cell.arm, "seed": cell.seed, "fold": cell.fold}
    log_run(
        f"{cell.id}-{attempt}",
        folder=folder.path,
        mode=mode,
        config={**config, "trial": cell.id},
        summary={} if code else {"test/accuracy": 0.5},
        code=code,
        **settings,
    )


def finish(folder: StudyFolder, cell: Cell, attempt: int = 1) -> None:
    """Leave the record of a finished trial."""
    metrics = {"test/accuracy": 0.5}
    record = Record(
        cell.id, cell.seed, cell.fold, attempt, metrics, Cost(), Provenance(), None, None, None
    )
    folder.trial(cell.id).finish(record)


def train(folder: StudyFolder, *cells: Cell, **told: Any) -> None:
    for cell in cells:
        tell(folder, cell, **told)
        finish(folder, cell)


def synced(folder: StudyFolder, stop: threading.Event | None = None, **changes: Any) -> Synced:
    options: dict[str, Any] = {
        "server": WandbProject(Connection(10)),
        "upload": upload,
        "target": (None, None),
        "sweep_config": sweep_of(folder),
        "watch": lambda done, total: None,
        "stop": stop or threading.Event(),
    }
    return sync(folder, **{**options, **changes})


def test_runs_arrive_whole_and_once_however_often_a_study_is_synced(folder, wandb_server):
    train(folder, *CELLS[:2])
    first, second = synced(folder), synced(folder)
    assert (len(first.uploaded), first.num_there, first.exit_code) == (2, 0, 0)
    assert (len(second.uploaded), second.num_there, second.exit_code) == (0, 2, 0)
    assert second.num_attached == 0
    assert len(wandb_server.sweeps()) == 1
    for run in wandb_server.runs():
        assert (run.state, run.project, run.group) == ("finished", "audiocls", "tiny")
        assert [row["epoch"] for row in run.history] == [1, 2]
        assert run.summary["test/accuracy"] == 0.5
    assert wandb_server.unknown == []


def test_the_sweep_is_created_once_with_the_finished_cells_and_remembered(folder, wandb_server):
    train(folder, *CELLS[:2])
    found = synced(folder)
    (sweep,) = wandb_server.sweeps("audiocls")
    assert sorted(sweep.run_ids) == [f"{cell.id}-1" for cell in CELLS[:2]]
    assert sweep.config["parameters"]["arm"] == {"values": list(ARMS)}
    assert sweep.config["command"][2:] == [
        "--ablation", "tiny", "optim.lr=0.001", "${args_no_hyphens}"
    ]  # fmt: skip
    assert found.is_new_sweep
    assert registered_sweep(folder) == found.sweep
    assert str(found.sweep) == f"local/audiocls/{sweep.id}"


def test_cells_finished_after_the_sweep_was_created_join_it(folder, wandb_server):
    train(folder, *CELLS[:2])
    before = synced(folder)
    train(folder, *CELLS[2:4])
    after = synced(folder)
    (sweep,) = wandb_server.sweeps()
    assert len(sweep.run_ids) == 4
    assert (after.sweep, after.num_attached, after.is_new_sweep) == (before.sweep, 2, False)
    run = wandb_server.run(f"{CELLS[3].id}-1")
    assert (run.state, len(run.history), run.summary["test/accuracy"]) == ("finished", 2, 0.5)


def test_a_failed_attempt_is_uploaded_and_does_not_count_as_its_cell(folder, wandb_server):
    cell = CELLS[0]
    tell(folder, cell, attempt=1, code=1)
    folder.trial(CELLS[1].id).fail(Failure("nan", "loss is NaN", "", 1))
    tell(folder, CELLS[1], code=1)
    tell(folder, cell, attempt=2)
    finish(folder, cell, attempt=2)
    assert len(synced(folder).uploaded) == 3
    (sweep,) = wandb_server.sweeps()
    assert sweep.run_ids == [f"{cell.id}-2"]
    assert wandb_server.run(f"{cell.id}-1").state == "failed"


def test_only_the_last_opening_of_a_run_is_uploaded(folder, wandb_server):
    train(folder, CELLS[0])
    log = next(folder.path.glob("wandb/offline-run-*/*.wandb"))
    earlier = log.parent.with_name(f"offline-run-20200101_000000-{log.stem.removeprefix('run-')}")
    earlier.mkdir()
    (earlier / log.name).write_bytes(log.read_bytes())
    assert len(synced(folder).uploaded) == 1
    assert not list(earlier.glob("*.synced"))
    assert len(wandb_server.run(f"{CELLS[0].id}-1").history) == 2


def test_online_runs_that_are_whole_are_left_alone_and_torn_ones_uploaded(folder, wandb_server):
    train(folder, CELLS[0], mode="online")
    wandb_server.fail("file_stream")
    wandb_server.fail("FileStream")
    torn = start_and_tear(folder, CELLS[1])
    wandb_server.heal()
    finish(folder, CELLS[1])
    assert wandb_server.run(torn).state != "finished"
    found = synced(folder)
    assert found.uploaded == (torn,)
    assert found.num_there == 1
    for cell in CELLS[:2]:
        run = wandb_server.run(f"{cell.id}-1")
        assert (run.state, [row["epoch"] for row in run.history]) == ("finished", [1, 2])
    assert synced(folder).uploaded == ()


TORN = """
import sys
from pathlib import Path
from helpers.wandb_runs import log_run, read_log
folder, run_id = sys.argv[1:]
log_run(run_id, folder=Path(folder), mode="online", finish_timeout=2.0)
"""


def start_and_tear(folder: StudyFolder, cell: Cell) -> str:
    """An online run of another process, to whose end the server does not listen."""
    run_id = f"{cell.id}-1"
    subprocess.run(
        [sys.executable, "-c", TORN, str(folder.path), run_id],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        check=True,
        timeout=60,
        capture_output=True,
    )
    return run_id


def test_a_log_that_cannot_be_read_is_named_and_holds_up_no_other(folder, wandb_server):
    train(folder, *CELLS[:2])
    empty = folder.path / "wandb" / f"offline-run-20260101_000000-{CELLS[2].id}-1"
    empty.mkdir()
    log = empty / f"run-{CELLS[2].id}-1.wandb"
    log.write_bytes(b":W&B\xe1\xbe\x00")
    os.utime(log, (0, 0))
    found = synced(folder)
    assert len(found.uploaded) == 2
    assert found.exit_code == 3
    (left,) = found.left
    assert left.folder == str(empty)
    assert "killed before it wrote anything" in left.why


def test_the_end_of_a_log_that_reaches_the_disk_late_is_waited_for(folder, wandb_server):
    """W&B's `finish` of an offline run returns before all of the log is written."""
    train(folder, CELLS[0])
    (log,) = folder.path.glob("wandb/offline-run-*/*.wandb")
    while read_log(log).exit_code is None:
        time.sleep(0.01)
    content = log.read_bytes()
    log.write_bytes(content[: len(content) // 2])
    late = threading.Timer(0.3, log.write_bytes, [content])
    late.start()
    assert synced(folder).exit_code == 0
    late.join()
    assert wandb_server.run(f"{CELLS[0].id}-1").state == "finished"


def test_one_bad_run_in_a_call_does_not_keep_the_others_from_being_uploaded(folder, wandb_server):
    """The client reads all logs first, and gives up on all if one of them is unreadable."""
    train(folder, *CELLS[:3])
    bad = CELLS[1].id

    def picky(runs: Any, *rest: Any) -> str:
        if any(bad in run.run_id for run in runs):
            return "cannot be read"
        return upload(runs, *rest)

    found = synced(folder, upload=picky)
    assert len(found.uploaded) == 2
    assert [(bad in left.folder, left.why) for left in found.left] == [(True, "cannot be read")]


def test_a_trial_that_goes_on_later_is_uploaded_later(folder, wandb_server):
    train(folder, CELLS[0])
    tell(folder, CELLS[1], code=1)
    folder.trial(CELLS[1].id).write_resume(b"snapshot")
    tell(folder, CELLS[2], code=1)
    with folder.trial(CELLS[2].id).lease():
        found = synced(folder)
    assert found.uploaded == (f"{CELLS[0].id}-1",)
    assert sorted(left.why.partition(";")[0] for left in found.left) == [
        "its trial is not finished and is resumed at the next launch",
        "its trial is running",
    ]
    assert found.exit_code == 3


def test_two_syncs_of_one_study_do_not_meet(folder, wandb_server):
    train(folder, CELLS[0])
    with held(Lease(folder.path / ".sync.lease")) as is_mine:
        assert is_mine
        with pytest.raises(UsageError, match=f"being synced by process {os.getpid()} on "):
            synced(folder)


def test_an_interrupted_sync_goes_on_where_it_was(folder, wandb_server, monkeypatch):
    monkeypatch.setattr("audiocls.wandb_remote.sync.BATCH", 2)
    train(folder, *CELLS[:4])
    stop = threading.Event()

    def one_batch(*asked: Any) -> str:
        assert not stop.is_set(), "asked to stop, it went on"
        complaint = upload(*asked)
        stop.set()
        return complaint

    first = synced(folder, stop, upload=one_batch)
    assert (len(first.uploaded), len(first.left), first.exit_code) == (2, 2, 75)
    assert {left.why for left in first.left} == {"interrupted"}
    assert wandb_server.sweeps() == []
    second = synced(folder)
    assert (len(second.uploaded), second.num_there, second.exit_code) == (2, 2, 0)
    assert len(wandb_server.sweeps()[0].run_ids) == 4


def test_a_sync_that_was_killed_before_it_could_note_its_sweep_makes_no_second_one(
    folder, wandb_server
):
    train(folder, *CELLS[:2])
    first = synced(folder)
    (folder.path / "wandb.json").unlink()
    second = synced(folder)
    assert second.sweep == first.sweep
    assert len(wandb_server.sweeps()) == 1


def test_a_sweep_that_was_deleted_on_the_server_is_made_anew(folder, wandb_server):
    train(folder, *CELLS[:2])
    before = synced(folder).sweep
    assert before is not None
    wandb_server.delete_sweep(before.id)
    train(folder, CELLS[2])
    after = synced(folder)
    assert (after.exit_code, after.is_new_sweep) == (0, True)
    (sweep,) = wandb_server.sweeps()
    assert len(sweep.run_ids) == 3
    assert registered_sweep(folder) == after.sweep != before


def test_a_server_that_takes_nothing_ends_the_upload_in_the_stated_time(folder, wandb_server):
    train(folder, CELLS[0])
    wandb_server.fail("UpsertBucket")

    def impatient(*asked: Any) -> str:
        return upload(*asked, stall_timeout_s=2.0)

    found = synced(folder, upload=impatient)
    assert found.uploaded == ()
    assert [left.why for left in found.left] == ["no run was uploaded for 2 s"]
    wandb_server.heal()
    assert len(synced(folder).uploaded) == 1


@pytest.mark.parametrize("fault", ["key", "server"])
def test_without_a_good_key_or_a_server_there_is_one_error_and_nothing_is_touched(
    folder, wandb_server, fault, monkeypatch
):
    train(folder, CELLS[0])
    if fault == "server":
        wandb_server.close()
    else:
        monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    with pytest.raises((ServerUnavailable, PermissionDenied)) as error:
        synced(folder, server=WandbProject(Connection(2)))
    assert len(str(error.value).splitlines()) == 1
    assert not list(folder.path.rglob("*.synced"))
    assert registered_sweep(folder) is None


def test_a_study_without_runs_says_how_to_have_some(folder, wandb_server):
    with pytest.raises(UsageError, match="--wandb offline"):
        synced(folder)


def test_another_project_than_that_of_its_sweep_is_refused(folder, wandb_server):
    train(folder, CELLS[0])
    assert synced(folder, target=("local", "mine")).left == ()
    assert wandb_server.run(f"{CELLS[0].id}-1").project == "mine"
    assert synced(folder).uploaded == ()
    with pytest.raises(UsageError, match=r"belongs to sweep local/mine/.*got .*project audiocls"):
        synced(folder, target=(None, "audiocls"))


def test_runs_go_to_the_project_that_they_were_told_in(folder, wandb_server):
    train(folder, CELLS[0], project="birds")
    assert str(synced(folder).place) == "local/birds"
    assert wandb_server.run(f"{CELLS[0].id}-1").project == "birds"


def test_without_a_sweep_to_make_runs_are_uploaded_all_the_same(folder, wandb_server):
    train(folder, CELLS[0])
    assert synced(folder, sweep_config=None).sweep is None
    assert wandb_server.sweeps() == []
    assert len(wandb_server.runs()) == 1


def test_a_run_that_was_tracked_under_the_sweep_needs_no_attaching(
    folder, wandb_server, monkeypatch
):
    train(folder, CELLS[0])
    sweep = synced(folder).sweep
    assert sweep is not None
    tell(folder, CELLS[1], sweep_id=sweep.id)
    finish(folder, CELLS[1])
    monkeypatch.setattr(WandbProject, "attach", lambda *_: pytest.fail("attached"))
    assert synced(folder).exit_code == 0
    assert wandb_server.run(f"{CELLS[1].id}-1").sweep == sweep.id


def test_a_search_is_registered_as_it_was_launched(tmp_path, wandb_server):
    folder = StudyFolder(tmp_path / "runs" / "search")
    config = {"method": "random", "project": "mine", "parameters": {"lr": {"min": 0.1, "max": 1.0}}}
    folder.write_study(search_study("search", config, "python train.py", str(tmp_path), ""))
    for index, state in enumerate(("done", "failed")):
        cell = replace(CELLS[0], id=f"{index:012x}")
        folder.propose(Proposal(cell.id, {"lr": 0.5}))
        tell(folder, cell, code=int(state == "failed"))
        if state == "done":
            finish(folder, cell)
        else:
            folder.trial(cell.id).fail(Failure("error", "it broke", "", 1))
    found = synced(folder)
    assert (len(found.uploaded), found.exit_code, str(found.place)) == (2, 0, "local/mine")
    (sweep,) = wandb_server.sweeps("mine")
    assert sweep.config == config
    assert sweep.run_ids == [f"{0:012x}-1"]
    assert synced(folder).num_there == 2


def test_every_opening_of_another_program_is_a_part_of_its_run(tmp_path, wandb_server):
    folder = StudyFolder(tmp_path / "runs" / "search")
    folder.write_study(search_study("search", {"method": "grid"}, "python x.py", "/there", ""))
    folder.propose(Proposal(CELLS[0].id, {}))
    for epoch in (1, 2):
        log_run(f"{CELLS[0].id}-1", folder=folder.path, rows=[{"epoch": epoch}])
    assert len(synced(folder).uploaded) == 2
    history = wandb_server.run(f"{CELLS[0].id}-1").history
    assert [row["epoch"] for row in history] == [1, 2]


def test_runs_that_a_program_kept_elsewhere_arrive_and_no_run_names_an_unknown_sweep(
    folder, tmp_path, wandb_server
):
    elsewhere = replace(folder, path=tmp_path / "elsewhere")
    tell(elsewhere, CELLS[0], sweep_id=offline_sweep_id("tiny"))
    [run] = (elsewhere.path / "wandb").glob("offline-run-*")
    (folder.path / "wandb").mkdir()
    (folder.path / "wandb" / run.name).symlink_to(run)
    assert synced(folder).uploaded == (f"{CELLS[0].id}-1",)
    assert not wandb_server.run(f"{CELLS[0].id}-1").sweep


@pytest.mark.parametrize(
    "command",
    ["audiocls train --recipe tiny", "audiocls sweep launch tiny --recipe other", ""],
)
def test_a_study_that_no_agent_could_go_on_with_is_no_sweep(command):
    old = {
        key: value for key, value in STUDY.to_mapping().items() if key not in ("kind", "request")
    }
    assert grid_of(Study.from_mapping(with_kind(old))) is not None
    assert grid_of(Study.from_mapping(with_kind({**old, "command": command}))) is None


AGENT = """
import sys, wandb
run = wandb.init()
print("GIVEN", run.config["arm"], run.config["seed"], run.config["fold"])
run.finish()
"""


def test_a_real_agent_is_given_exactly_the_cells_that_are_missing(
    folder, wandb_server: Server, tmp_path, monkeypatch
):
    train(folder, *CELLS[:4])
    program = tmp_path / "cell.py"
    program.write_text(AGENT)
    config = {**(sweep_of(folder) or {}), "command": [sys.executable, str(program)]}
    found = synced(folder, sweep_config=config)
    ran = agent(str(found.sweep), tmp_path)
    given = sorted(line.split()[1:] for line in ran.splitlines() if line.startswith("GIVEN"))
    assert given == sorted([c.arm, str(c.seed), str(c.fold)] for c in CELLS[4:])
    assert wandb_server.sweeps()[0].state == "FINISHED"


def agent(sweep: str, folder: Path) -> str:
    program = (
        "import sys, wandb.wandb_agent as a\n"
        "a.Agent.POLL_INTERVAL = 0.2\n"
        "from wandb.cli.cli import cli\n"
        "cli(['agent', *sys.argv[1:]])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, sweep],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder,
        env={**os.environ, "WANDB_CONSOLE": "off"},
        check=False,
    )
    return ran.stdout + ran.stderr


def command(folder: StudyFolder, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "audiocls",
            "sweep",
            "sync",
            folder.name,
            "--runs",
            str(folder.path.parent),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, **environment},
        check=False,
    )


def test_the_command_tells_what_it_did_where_it_is_seen_and_what_is_missing(folder, wandb_server):
    train(folder, *CELLS[:2])
    tell(folder, CELLS[2], code=1)
    folder.trial(CELLS[2].id).write_resume(b"snapshot")
    ran = command(folder)
    assert ran.returncode == 3, ran.stderr
    (sweep,) = wandb_server.sweeps()
    lines = [line.split(maxsplit=1) for line in ran.stdout.splitlines()]
    assert ["uploaded", "2"] in [[*map(str.strip, words)] for words in lines]
    assert f"{wandb_server.url}/local/audiocls/sweeps/{sweep.id}" in ran.stdout
    assert f"audiocls sweep agent local/audiocls/{sweep.id}" in ran.stderr
    assert f"{CELLS[2].id}-1: its trial is not finished" in ran.stderr


def test_without_a_key_the_command_says_how_to_give_one(folder, wandb_server):
    train(folder, CELLS[0])
    ran = command(folder, WANDB_API_KEY="")
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: ")
    assert "wandb login" in ran.stderr
    assert "Traceback" not in ran.stderr
