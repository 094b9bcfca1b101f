"""A run's log is read as W&B's own reader reads it, while it grows and where it is damaged."""

import gc
import json
import os
import random
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from audiocls.tracking.wandb.log import BLOCK, CHUNK, HEADER, Records, RunLogs, WandbLog, numbers

PROGRAM = """
import wandb
run = wandb.init(config={"lr": 0.5, "deep": {"a": 1}}, tags=["one"], notes="a note")
run.define_metric("epoch")
run.define_metric("*", step_metric="epoch")
for i in range(700):
    row = {"loss": 1 / (i + 1), "epoch": i, "text": "x" * 60, "nest": {"a": i, "b": {"c": 0.5}}}
    run.log({**row, "is_good": True, "nothing": None, "nan": float("nan")})
run.summary["best/loss"] = 0.25
run.summary["deep"] = {"a": {"b": 3}}
run.config.late = "yes"
"""


@pytest.fixture(scope="module")
def logged(tmp_path_factory) -> Path:
    """The folder of an offline run of several blocks."""
    folder = tmp_path_factory.mktemp("logged")
    (folder / "program.py").write_text(PROGRAM)
    wanted = {"WANDB_MODE": "offline", "WANDB_DIR": str(folder), "WANDB_RUN_ID": "abc"}
    lean = {"WANDB_CONSOLE": "off", "WANDB_SILENT": "true", "WANDB_PROJECT": "theirs"}
    # Not the W&B process of a test that ran here before.
    others = {name: os.environ[name] for name in os.environ if not name.startswith("WANDB_")}
    subprocess.run(
        [sys.executable, "program.py"],
        cwd=folder,
        env={**others, **wanted, **lean, "HOME": str(folder)},
        timeout=60,
        check=True,
    )
    return folder


def the_log(folder: Path) -> Path:
    (file,) = folder.rglob("*.wandb")
    return file


def inspected(file: Path) -> list[dict]:
    """What W&B's own reader finds."""
    ran = subprocess.run(
        [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)],
        capture_output=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def history_of(records: list[dict]) -> list[dict[str, float]]:
    return [numbers(read["history"]["item"]) for read in records if read["type"] == "history"]


def chunk(kind: int, body: bytes) -> bytes:
    return CHUNK.pack(zlib.crc32(bytes([kind]) + body), len(body), kind) + body


def whole(log: bytes) -> list[bytes]:
    return list(Records().feed(log))


def split_log() -> bytes:
    """A record that ends its block, one that spans two, one more."""
    filler = b"f" * (BLOCK - len(HEADER) - 2 * CHUNK.size - 10)
    first_block = HEADER + chunk(1, filler) + chunk(2, b"0123456789")
    assert len(first_block) == BLOCK
    return first_block + chunk(4, b"abc") + chunk(1, b"last")


def test_a_run_is_read_as_wandbs_own_reader_reads_it(logged):
    file = the_log(logged)
    assert file.stat().st_size > 3 * BLOCK
    log = WandbLog(file)
    rows, theirs = log.read(), inspected(file)
    assert log.num_damaged == 0
    assert log.run.id == "abc"
    assert log.run.project == "theirs"
    assert (log.run.tags, log.run.notes) == (("one",), "a note")
    assert log.run.config == {"_wandb": {}, "lr": 0.5, "deep": {"a": 1}, "late": "yes"}
    assert log.run.step_metrics["*"] == "epoch"
    assert log.run.exit_code == 0
    ours = [{k: v for k, v in numbers(row).items() if k != "nan"} for row in rows]
    assert ours == history_of(theirs)
    assert len(ours) == 700
    assert ours[4] == {"loss": 0.2, "epoch": 4, "nest.a": 4, "nest.b.c": 0.5}
    found = numbers(log.run.summary)
    assert (found["best/loss"], found["deep.a.b"], found["epoch"]) == (0.25, 3, 699)


def test_a_log_that_grows_is_read_row_by_row_wherever_it_is_cut(logged, tmp_path):
    content, growing = the_log(logged).read_bytes(), tmp_path / "run-abc.wandb"
    growing.touch()
    log, draw, end, rows = WandbLog(growing), random.Random(1), 0, []
    while end < len(content):
        end += draw.choice([1, 3, 7, 500, 5000, BLOCK, 70_000])
        growing.write_bytes(content[:end])
        rows += log.read()
    at_once = WandbLog(the_log(logged))
    at_once.read()
    assert len(rows) == 700
    assert repr(log.run) == repr(at_once.run)  # as text, since NaN equals nothing
    assert log.num_damaged == 0


@pytest.mark.parametrize("cut", [1, 4, 12])
def test_a_torn_end_is_waited_for(cut):
    log = split_log()
    records = Records()
    assert len(list(records.feed(log[:-cut]))) < 3
    assert list(records.feed(log[-cut:]))[-1] == b"last"
    assert records.num_damaged == 0


def test_a_record_that_spans_blocks_is_joined():
    filler, spanning, last = whole(split_log())
    assert set(filler) == {ord("f")}
    assert (spanning, last) == (b"0123456789abc", b"last")


@pytest.mark.parametrize("at", [len(HEADER) + 3, 200, BLOCK - 5])
def test_the_rest_of_a_damaged_block_is_skipped_and_what_it_began_is_dropped(at):
    log = bytearray(split_log())
    log[at] ^= 255
    records = Records()
    *_, last = records.feed(bytes(log))
    assert last == b"last"
    assert records.num_damaged == 1


def test_wandbs_own_reader_goes_on_behind_the_same_damage(logged, tmp_path):
    content = bytearray(the_log(logged).read_bytes())
    content[BLOCK + 1000] ^= 255
    file = tmp_path / "run-abc.wandb"
    file.write_bytes(content)
    log = WandbLog(file)
    rows = [{k: v for k, v in numbers(row).items() if k != "nan"} for row in log.read()]
    assert log.num_damaged == 1
    assert 500 < len(rows) < 700
    assert rows == history_of(inspected(file))


def test_logs_of_earlier_attempts_and_of_other_runs_are_not_this_ones(tmp_path, logged):
    def make(name: str, run_id: str) -> None:
        folder = tmp_path / "wandb" / f"offline-run-{name}"
        folder.mkdir(parents=True)
        (folder / f"run-{run_id}.wandb").write_bytes(the_log(logged).read_bytes())

    make("20260101_000000-abc", "abc")
    logs = RunLogs(tmp_path, "abc")
    make("20260101_000001-abc-1", "abc-1")
    assert logs.read() == []
    assert logs.files == []
    make("20260101_000001-abc-2", "abc")  # as W&B names a second one within the same second
    assert len(logs.read()) == 700
    assert logs.read() == []
    assert logs.numbers()["best/loss"] == 0.25


def test_the_rows_of_a_long_program_are_handed_on_and_not_kept(tmp_path, logged):
    folder = tmp_path / "wandb" / "offline-run-20260101_000000-abc"
    folder.mkdir(parents=True)
    logs = RunLogs(tmp_path, "abc")
    (folder / "run-abc.wandb").write_bytes(the_log(logged).read_bytes())
    rows = logs.read()
    assert [each for each in gc.get_referrers(rows[0]) if each is not rows] == []


def test_metrics_are_numbers_by_dotted_names():
    media = {"_type": "image-file", "width": 3}
    values = {"a": 1, "b": {"c": 2.5, "d": "no"}, "e": True, "_step": 4, "f": media, "g": [1]}
    assert numbers(values) == {"a": 1, "b.c": 2.5}
