"""How a program ended: its cause in the output, its runs among several, trials that ended alike."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.records import search_record
from helpers.wandb_runs import log_run, read_log

from audiocls.execution.external.cause import last_words_in
from audiocls.execution.external.command import program_environment
from audiocls.execution.external.outcome import CommandAttempt, outcome
from audiocls.execution.external.output import Announcements
from audiocls.execution.external.program import Exit
from audiocls.execution.job import CommandSpec, TrackingConfig, TrialJob
from audiocls.execution.messages import Done, Event, Failed
from audiocls.formatting import command_line, with_runs
from audiocls.render import build
from audiocls.search import Alike, Ended, alike
from audiocls.store import Failure, Proposal, SearchPlan, Study, StudyFolder
from audiocls.studies.reports import load_ranking
from audiocls.studies.status import failure_lines
from audiocls.tracking.sweep_server import OFFLINE_SWEEP
from audiocls.tracking.wandb.log import BLOCK, Records, RunLogs
from audiocls.tracking.wandb.rewrite import encoded, leave_offline_sweep

TRACEBACK = """Traceback (most recent call last):
  File "train.py", line 3, in main
    open(path)
FileNotFoundError: [Errno 2] No such file or directory: 'esc50.csv'
"""
CAUSE = "FileNotFoundError: [Errno 2] No such file or directory: 'esc50.csv'"
IGNORED = """Exception ignored in: <function Loader.__del__ at 0x7f>
Traceback (most recent call last):
  File "loader.py", line 9, in __del__
    self.close()
OSError: the link is down
"""
CHAIN = """
During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "loader.py", line 11, in __del__
AttributeError: no pool
"""
TORCHRUN = """E0101 12:00:00 torch/distributed/elastic/multiprocessing/api.py:869] failed (exit 1)
Traceback (most recent call last):
  File "run.py", line 33, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
Root Cause (first observed failure):
[0]: rank : 1 (local_rank: 1), exitcode : 1 (pid: 9)
============================================================
"""


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (TRACEBACK, CAUSE),
        (TRACEBACK + "\nSet the environment variable HYDRA_FULL_ERROR=1 for a trace.\n", CAUSE),
        (TRACEBACK + TORCHRUN, CAUSE),
        (TRACEBACK + "Epoch 2: 33%|###   | 1/3 [00:00<00:01, 1.0it/s]\ngoodbye\n", CAUSE),
        (TRACEBACK + "wandb: Find logs at: ./wandb\n", CAUSE),
        (TRACEBACK + "srun: error: node1: task 0: Exited with exit code 1\n", CAUSE),
        ("Epoch 1: 9%|# | 1/9\r" + TRACEBACK, CAUSE),
        (re.sub("^", "[rank1]: ", TRACEBACK, flags=re.M), CAUSE),
        (re.sub("^", "1: ", TRACEBACK, flags=re.M), CAUSE),
        (
            TRACEBACK + "Traceback (most recent call last):\n  File 'x'\n"
            "RuntimeError: [gloo] Connection closed by peer\n",
            CAUSE,
        ),
        (
            TRACEBACK + "\nDuring handling of the above exception, another exception occurred:\n\n"
            "Traceback (most recent call last):\n  File 'x', line 1\nlab.NoData: esc50 is absent\n",
            "lab.NoData: esc50 is absent",
        ),
        (TRACEBACK + IGNORED, CAUSE),
        (
            TRACEBACK + "Exception ignored in: <_io.TextIOWrapper>\nBrokenPipeError: [Errno 32]\n",
            CAUSE,
        ),
        (TRACEBACK + IGNORED + CHAIN, CAUSE),
        (re.sub("^", "[rank1]: ", TRACEBACK + IGNORED, flags=re.M), CAUSE),
        (IGNORED + TRACEBACK, CAUSE),
        (IGNORED + "t.py: error: no data\n", "t.py: error: no data"),
        (IGNORED, "OSError: the link is down"),
        (
            "  File 't.py', line 1\n    lr =\n        ^\nSyntaxError: invalid syntax\n",
            "SyntaxError",
        ),
        (
            "usage: t.py [-h]\nt.py: error: argument --lr: invalid float value: 'a'\n",
            "argument --lr",
        ),
        (
            "Usage: t.py\n\n╭─ Error ────╮\n│ Invalid value for │\n│ '--lr': 'a'. │\n╰───╯\n",
            "for '--lr'",
        ),
        (
            "Error: Invalid value for '--lr': 'a' is not a float.\nTry --help\n",
            "'a' is not a float",
        ),
        ("go.sh: line 3: trian: command not found\ndone\n", "trian: command not found"),
        (
            "terminate called after throwing an instance of 'c10::Error'\n  what():  no kernel\n",
            "no kernel",
        ),
        ("config is missing\n", "config is missing"),
        ("pydantic.ValidationError: 1 error:\nlr\n", "pydantic.ValidationError: 1 error: lr"),
        (TRACEBACK + "retried\n" * 60 + "Error: disk quota\n", "Error: disk quota"),
        ("", ""),
    ],
)
def test_the_cause_is_the_programs_last_exception_wherever_it_stands(output, cause):
    said = last_words_in(output)
    assert cause in said.cause
    assert said.cause.count("\n") == 0
    assert said.cause[:10] in said.excerpt


def test_failures_by_one_cause_are_one_sentence_with_a_log(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    plan = SearchPlan({"method": "grid", "parameters": {"lr": {"values": [1, 2]}}}, "t.py", "/")
    folder.write_study(Study("s", kind="search", search=plan, command="audiocls sweep launch s"))
    for lr, cell in ((1, "a" * 12), (2, "b" * 12)):
        folder.propose(Proposal(cell, {"lr": lr}))
        folder.trial(cell).fail(Failure("error", f"ValueError: {lr}.5 GiB in {cell}", "", 1))
        folder.trial(cell).log.write_text("")
    [line] = failure_lines(folder)
    assert line.startswith("lr=1; lr=2: 2 failed (error): ValueError: 1.5 GiB")
    assert line.endswith(f"({folder.trial('a' * 12).log})")


def test_a_printed_command_can_be_pasted_whatever_its_words_hold():
    assert command_line("report", "lr search", runs=Path("runs")) == "audiocls report 'lr search'"
    assert with_runs("audiocls noise x", Path("my runs")) == "audiocls noise x --runs 'my runs'"


@pytest.fixture
def attempt(tmp_path) -> CommandAttempt:
    """An attempt at a trial whose runs a test logs, all of them in this process."""
    folder, trial_id = StudyFolder(tmp_path / "study"), "aaaa00000000"
    trial = folder.trial(trial_id)
    trial.path.mkdir(parents=True)
    spec, tracking = CommandSpec(str(tmp_path), metric="acc"), TrackingConfig("offline", "p")
    job = TrialJob(trial_id, "x", "study", folder.path, trial, spec, tracking)
    logs = RunLogs(folder.path, "r1")
    announcements = Announcements(trial.log, 0, str(tmp_path), folder.path)
    return CommandAttempt(job, 1, "cpu", "", logs, announcements, 0)


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "a\0b", "loop", "loop/x", ""])
def test_a_run_announced_where_none_can_be_is_passed_over(tmp_path, attempt, name):
    (tmp_path / "loop").symlink_to("loop")
    attempt.job.trial.log.write_text(f"wandb: Run data is saved locally in {name}\n")
    attempt.announcements.read()
    assert attempt.announcements.logs == {}


def logged(attempt: CommandAttempt, value: float, suffix: str = "", run_id: str = "r1") -> None:
    settings = {"x_sync_dir_suffix": suffix} if suffix else {}
    rows, folder = ({"acc": value},), attempt.job.study_folder
    log_run(run_id, folder=folder, rows=rows, **settings)
    files = list(folder.rglob(f"run-{run_id}.wandb"))
    wait_for(lambda: all(read_log(file).exit_code == 0 for file in files))


def wait_for(is_true: Callable[[], bool]) -> None:
    """Wait for the end of a log, which reaches the disk a moment after the run has ended."""
    deadline = time.monotonic() + 10
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_true()


def ended(attempt: CommandAttempt, code: int = 0) -> Event:
    attempt.logs.read()
    return outcome(attempt, None, Exit(code, 1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("main", "other"), [("rank0-7", "rank1-8"), ("", "process-9"), ("process-7", "rank2-6")]
)
def test_of_several_processes_the_leading_one_counts_and_the_others_are_told(attempt, main, other):
    logged(attempt, 0.1, main)
    logged(attempt, 0.2, other)
    assert [row["acc"] for row in attempt.logs.read()] == [0.1]
    event = ended(attempt)
    assert isinstance(event, Done)
    assert "2 processes logged acc, and ended with 0.2, 0.1" in event.note
    record = attempt.job.trial.record()
    assert record.metrics["acc"] == 0.1
    assert record.notes == (event.note,)


def test_openings_one_after_the_other_are_folds_and_the_last_counts(attempt):
    logged(attempt, 0.1)
    logged(attempt, 0.2)
    event = ended(attempt)
    assert "was opened 2 times, and acc ended as 0.1, 0.2: the last one counts" in event.note
    assert attempt.job.trial.record().metrics["acc"] == 0.2


def test_processes_of_unknown_rank_that_contradict_each_other_are_no_result(attempt):
    logged(attempt, 0.1)
    logged(attempt, 0.2)
    attempt.logs.read()
    first, second = attempt.logs.openings
    first.until = second.started + 1
    event = ended(attempt)
    assert isinstance(event, Failed)
    assert "2 processes of the program logged 'acc'" in event.message
    assert "in one process only" in event.message


def test_processes_that_shared_one_folder_are_told_of(attempt):
    logged(attempt, 0.1)
    [file] = attempt.job.study_folder.rglob("*.wandb")
    attempt.job.trial.log.write_text(f"wandb: Run data is saved locally in {file.parent}\n" * 2)
    (file.parent / "logs" / "debug.log").write_text(
        "2026-01-01 12:00:00,1 INFO    MainThread:7 [wandb_setup.py:1] a\n"
        "2026-01-01 12:00:00,1 INFO    MainThread:8 [wandb_setup.py:1] a\n"
    )
    attempt.announcements.read()
    event = ended(attempt)
    assert isinstance(event, Done)
    assert "2 processes of the program opened its W&B run in the same second" in event.note


def test_a_run_of_another_id_is_read_where_it_is_the_only_one_and_else_named(attempt, tmp_path):
    logged(replace(attempt, job=replace(attempt.job, study_folder=tmp_path)), 0.3, run_id="own")
    [own] = (tmp_path / "wandb").glob("*own")
    attempt.job.trial.log.write_text(f"wandb: Run data is saved locally in {own}\n")
    attempt.announcements.read()
    assert (attempt.job.study_folder / "wandb" / own.name).is_symlink()
    assert attempt.adopt_run()
    assert isinstance(ended(attempt), Done)
    assert attempt.job.trial.record().metrics["acc"] == 0.3


def test_runs_of_several_other_ids_are_named(attempt, tmp_path):
    for name in ("one", "two"):
        logged(replace(attempt, job=replace(attempt.job, study_folder=tmp_path)), 0.3, run_id=name)
    folders = [run for run in (tmp_path / "wandb").iterdir() if run.name != "latest-run"]
    lines = (f"wandb: Run data is saved locally in {run}\n" for run in folders if run.is_dir())
    attempt.job.trial.log.write_text("".join(lines))
    attempt.announcements.read()
    assert not attempt.adopt_run()
    event = ended(attempt)
    assert isinstance(event, Failed)
    assert "run-one.wandb" in event.message
    assert "Keep WANDB_RUN_ID" in event.message


def test_a_process_that_asks_for_a_key_is_told_that_it_is_offline_by_a_variable(attempt):
    attempt.job.trial.log.write_text("wandb.errors.UsageError: No API key configured\n")
    event = ended(attempt, code=1)
    assert "W&B is offline here by WANDB_MODE" in event.message


def test_a_program_is_told_all_that_wandbs_agent_tells_one(attempt):
    spec = find_spec("wandb.wandb_agent")
    source = Path(spec.origin).read_text()
    keys = re.findall(r"os\.environ\[wandb\.env\.(\w+)\] =", source)
    told = program_environment(attempt.job, {}, "cpu", "r1")
    assert {"RUN_ID", "SWEEP_ID", "SWEEP_PARAM_PATH"} <= set(keys)
    assert all(told[f"WANDB_{key}"] for key in keys)
    assert "WANDB_LAUNCH" not in told


def test_a_sweep_that_no_server_knows_is_taken_out_of_a_run_and_nothing_else(tmp_path):
    for name, sweep in (("a", f"{OFFLINE_SWEEP}12345678"), ("b", "k3x9")):
        log_run(name, folder=tmp_path / name, config={"lr": 1}, sweep_id=sweep)
        [file] = (tmp_path / name).rglob("*.wandb")
        wait_for(lambda file=file: read_log(file).exit_code == 0)
        before = read_log(file)
        leave_offline_sweep(file)
        assert before.sweep_id == sweep
        assert read_log(file) == replace(before, sweep_id="" if name == "a" else sweep)


def test_a_log_is_written_as_it_is_read(tmp_path):
    messages = [b"x", bytes(3 * BLOCK), b"", b"y" * (BLOCK - 30), b"z" * 17]
    records = Records()
    assert list(records.feed(encoded(messages))) == messages
    assert records.num_damaged == 0


def runs(**columns: list[object]) -> list[Ended]:
    results = columns.pop("result")
    cells = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return [Ended(cell, result) for cell, result in zip(cells, results, strict=True)]


@pytest.mark.parametrize(
    ("trials", "found"),
    [
        (runs(lr=[1, 2, 3], result=[5, 5, 5]), Alike(("lr",), 3, is_all=True)),
        (runs(lr=[1, 2, 3], result=[5, 5, 6]), None),
        (runs(lr=[1, 2], result=[5, 6]), None),
        (runs(lr=[1], result=[5]), None),
        (runs(lr=[1, 2, 1, 2], b=[0, 0, 1, 1], result=[5, 5, 6, 6]), Alike(("lr",), 4, False)),
        (runs(lr=[1, 2, 3, 4], b=[7, 8, 9, 7], c=[0, 0, 1, 1], result=[5, 5, 6, 6]),
         Alike(("b", "lr"), 4, False)),
        (runs(lr=[1, 2, 1, 2], b=[0, 0, 1, 1], result=[5, 6, 6, 7]), None),
    ],
)  # fmt: skip
def test_a_parameter_is_without_effect_if_no_trial_shows_any(trials, found):
    assert alike(trials) == found


def searched(path: Path, rates: list[int]) -> StudyFolder:
    """A sweep whose trials t1, t2, … have finished with the same value."""
    folder = StudyFolder(path)
    parameters = {"lr": {"values": rates}}
    config = {"method": "grid", "metric": {"name": "val/loss"}, "parameters": parameters}
    plan = SearchPlan(config, "t.py", "/")
    folder.write_study(Study("s", kind="search", search=plan, command="audiocls sweep launch s"))
    for lr in rates:
        folder.propose(Proposal(f"t{lr}", {"lr": lr}))
        folder.trial(f"t{lr}").finish(search_record(f"t{lr}", 0.5))
    return folder


def test_trials_that_all_ended_alike_are_not_ranked(tmp_path):
    folder = searched(tmp_path / "s", [1, 2, 3])
    for lr in (1, 2, 3):
        folder.trial(f"t{lr}").append_history({"val/loss": 0.5, "seconds": lr, "time/step_ms": lr})
    ranking = load_ranking(folder)
    assert ranking.is_refused
    assert ranking.scored == ()
    document = build.ranking(ranking)
    assert "Not ranked: all 3 trials that have ended did so alike" in document.incomparable
    folder.trial("t3").append_history({"val/loss": 0.7})
    assert not load_ranking(folder).is_refused


def test_trials_with_one_value_of_the_metric_that_differ_in_another_column_are_ranked(tmp_path):
    folder = searched(tmp_path / "s", [1, 2])
    for lr in (1, 2):
        folder.trial(f"t{lr}").append_history({"val/loss": 0.5, "train/loss": 1 / lr})
    assert not load_ranking(folder).is_refused
