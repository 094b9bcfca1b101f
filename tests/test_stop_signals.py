"""Signals that ask a command to stop, whatever it is doing when they come."""

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from helpers.processes import invoke
from pydantic import BaseModel, field_serializer

import audiocls
from audiocls import stop_signals
from audiocls.stop_signals import exit_resumably, handled, stop_on_signal


@pytest.fixture(autouse=True)
def _nobody_is_leaving(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_leaving", "_at_once"):
        monkeypatch.setattr(stop_signals, name, threading.Event())


@pytest.fixture
def interrupting_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module whose import sends SIGTERM and then goes on."""
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nis_whole = True\n"
    (tmp_path / "interrupting_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "interrupting_module", raising=False)
    return "interrupting_module"


def test_a_signal_waits_for_the_end_of_an_import(interrupting_module) -> None:
    with pytest.raises(SystemExit), handled(exit_resumably):
        import_and_wait(interrupting_module)
    assert sys.modules[interrupting_module].is_whole


def import_and_wait(module: str) -> None:
    importlib.import_module(module)
    time.sleep(20)


def test_a_signal_does_not_wait_for_an_import_without_end(interrupting_module, monkeypatch) -> None:
    monkeypatch.setattr(stop_signals, "IMPORT_S", 0.0)
    with pytest.raises(SystemExit), handled(exit_resumably):
        importlib.import_module(interrupting_module)
    assert interrupting_module not in sys.modules


def test_a_launch_in_a_module_that_is_being_imported_is_stopped(tmp_path, monkeypatch) -> None:
    """That import ends with the launch only."""
    (tmp_path / "launching_module.py").write_text(
        "import os, signal\n"
        "from audiocls.stop_signals import stop_on_signal\n"
        "with stop_on_signal() as stop:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    assert stop.is_set()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("launching_module")


def test_a_request_to_leave_that_a_library_swallows_is_met_before_anything_runs(
    monkeypatch,
) -> None:
    with handled(exit_resumably):
        with contextlib.suppress(SystemExit):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(SystemExit) as left, stop_on_signal():
            pass
    assert left.value.code == 75


class Interrupting(BaseModel):
    """One that is interrupted while pydantic's compiled code writes it down."""

    number: int

    @field_serializer("number")
    def _sent(self, number: int) -> int:
        os.kill(os.getpid(), number)
        return number


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_request_that_a_library_turns_into_its_own_error_is_met(
    number, code, monkeypatch
) -> None:
    """SIGTERM before a launch has begun, and a second Ctrl-C in the midst of one."""

    def interrupted(*words: object, **options: object) -> None:
        raising: AbstractContextManager[object]
        raising = handled(exit_resumably) if number == signal.SIGTERM else stop_on_signal()
        with raising as stop:
            if number == signal.SIGINT:
                stop.set()
            Interrupting(number=number).model_dump_json()

    monkeypatch.setattr(audiocls, "launch", interrupted)
    told = invoke("sweep", "launch", "dropout")
    assert (told.code, "error" in told.err) == (code, False)


INTERRUPTED_AT_ITS_END = """
import atexit, os, signal, sys, time
from audiocls.__main__ import main
number = int(sys.argv.pop(1))
signal.signal(number, signal.SIG_DFL)  # it may be ignored where tests run in the background
atexit.register(time.sleep, 20)
atexit.register(os.kill, os.getpid(), number)
main()
"""


@pytest.mark.parametrize("number", stop_signals.NUMBERS)
@pytest.mark.parametrize(("words", "code"), [("--version", 0), ("no-such-command", 2)])
def test_a_program_that_is_ending_ends_with_its_exit_code(words, code, number) -> None:
    """A signal neither kills it there nor shows where it came."""
    program = [sys.executable, "-c", INTERRUPTED_AT_ITS_END, str(int(number)), words]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=15)
    assert (ended.returncode, "KeyboardInterrupt" in ended.stderr) == (code, False), ended.stderr


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_job_whose_processes_are_all_signalled_is_asked_to_stop_once(monkeypatch) -> None:
    """As by `scancel`: from SLURM itself, and from the script that hands the signal on."""
    with stop_on_signal() as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr(stop_signals, "SAME_REQUEST_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
