"""Tables and facts in a terminal of any width."""

import gc
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from helpers.processes import invoke

import audiocls
from audiocls import console
from audiocls.__main__ import main
from audiocls.console.layout import Grid
from audiocls.console.progress import TerminalDisplay, has_idle_core
from audiocls.execution.messages import Running, Status
from audiocls.stop_signals import NUMBERS

ARM = "lr=0.003,label_smoothing=0.0,batch_size=8,n_mels=16"


@pytest.fixture
def narrow(monkeypatch):
    """A terminal of 40 columns."""
    terminal = partial(console.Console, width=40, force_terminal=True, color_system=None)
    monkeypatch.setattr(console, "stdout", terminal)


def test_a_narrow_terminal_is_told_of_the_columns_left_out_that_the_table_has(narrow, capsys):
    table = Grid(("arm", "reason"), [(ARM, "because")], droppable=("MACs", "reason"))
    console.show_table(table)
    said = capsys.readouterr()
    assert "left out at this width: reason" in said.err
    assert "because" not in said.out


def test_a_narrow_terminal_shows_a_long_name_whole(narrow, capsys):
    console.show_facts({"baseline": ARM})
    assert ARM in "".join(capsys.readouterr().out.replace("baseline", "").split())


def test_what_is_shown_at_the_end_is_prepared_once_while_trials_train_and_not_for_old_ones():
    prepared: list[int] = []
    display = TerminalDisplay(after_first=lambda: prepared.append(threading.get_ident()))
    with display.watching() as watch:
        watch(Status(num_total=4, num_done=2, num_reused=2))
        assert not prepared
        for done in (3, 4):
            watch(Status(num_total=4, num_done=done, num_reused=2))
    assert len(prepared) == 1
    assert prepared[0] != threading.get_ident()


def test_once_no_trial_waits_and_a_core_is_free_what_the_end_needs_is_read_once(monkeypatch):
    monkeypatch.setattr("audiocls.console.progress.num_cores", lambda: 2)
    is_imported, warmed = threading.Event(), queue.SimpleQueue()
    display = TerminalDisplay(after_first=is_imported.wait, before_last=warmed.put)
    study, trial = Path("runs/words"), Running("a", 1, 9)
    with display.watching() as watch:
        watch(Status(4, num_done=1, running=(trial,), study=study))  # two wait
        watch(Status(4, num_done=2, running=(trial, trial), study=study))  # no core is free
        watch(Status(4, num_done=3, running=(trial,), study=study))  # imports are under way
        is_imported.set()
        deadline = time.monotonic() + 60
        while warmed.empty() and time.monotonic() < deadline:
            watch(Status(4, num_done=2, num_failed=1, running=(trial,), study=study))
        watch(Status(4, num_done=3, running=(trial,), study=study))
        watch(Status(4, num_done=4, study=study))
    assert warmed.get_nowait() == study
    assert warmed.empty()


@pytest.mark.parametrize(
    "status",
    [
        Status(4, num_done=1, running=(Running("a", 1, 9),), study=Path("words")),
        Status(2, running=(Running("a", 1, 9), Running("b", 1, 9)), study=Path("words")),
        Status(2, num_done=2, study=Path("words")),
        Status(None, num_done=1, running=(Running("a", 1, 9),), study=Path("words")),
        Status(2, num_done=1, running=(Running("a", 1, 9),)),
    ],
    ids=["trials wait", "no core is free", "all have ended", "no end is known", "several studies"],
)
def test_trials_leave_no_core_as_long_as(status, monkeypatch):
    monkeypatch.setattr("audiocls.console.progress.num_cores", lambda: 2)
    assert not has_idle_core(status)
    last = replace(status, num_total=2, num_done=1, running=(Running("a", 1, 9),))
    assert has_idle_core(replace(last, study=Path("words")))


WHAT_IS_SHOWN = """
import sys
from audiocls.cli.sweep.launch import _preload
_preload()
before = set(sys.modules)
import audiocls
table = {"net": ["a", "b"] * 8, "seed": [i // 2 for i in range(16)],
         "acc": [0.80 + i % 2 / 20 + i // 2 / 1000 for i in range(16)]}
keys = {"arm": "net", "baseline": "a", "seed": "seed", "metric": "acc"}
report = audiocls.compare(table, **keys).report
report.text()
report.text("html")
print(*{name.split(".")[0] for name in set(sys.modules) - before})
"""


def test_verdicts_and_page_import_nothing_of_weight_that_is_not_imported_meanwhile():
    ran = subprocess.run([sys.executable, "-c", WHAT_IS_SHOWN], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.split()) <= {"audiocls", "rich"}, "rich: widths of characters"


@pytest.fixture
def signals_restored() -> Iterator[None]:
    """A program keeps its handlers of signals until its process ends; this process goes on."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_restored")
@pytest.mark.parametrize("code", [0, 3])
def test_a_command_that_ends_looks_for_no_garbage_in_all_that_it_imported(code, monkeypatch):
    def ended() -> None:
        raise SystemExit(code)

    monkeypatch.setattr("audiocls.cli.app", ended)
    try:
        with pytest.raises(SystemExit) as exit_:
            main()
        assert gc.get_freeze_count() > 0
        assert exit_.value.code == code
    finally:
        gc.unfreeze()


def test_what_is_interrupted_at_once_says_that_nothing_finished_is_lost(monkeypatch):
    def interrupted(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(audiocls, "launch", interrupted)
    told = invoke("sweep", "launch", "dropout")
    assert told.code == 130
    assert "What was finished is kept: run the same command again" in told.err
