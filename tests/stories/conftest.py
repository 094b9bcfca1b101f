"""The command line as people use it, with a study that takes seconds.

`home` runs commands as processes: each command so at least once, and all that is about processes,
workers and signals. `here` runs them in this process, for what is about their answers.
"""

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.processes import Home, tiny_home


@pytest.fixture(scope="session", autouse=True)
def _signals_are_not_ignored() -> Iterator[None]:
    """Ctrl-C and a closed terminal reach child processes, although the tests run in the background.

    What a shell ignores for a command in the background, its children ignore as well.
    """
    ignored = [s for s in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(s) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return tiny_home(tmp_path)


@pytest.fixture
def here(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return the same folder, its commands run in this process, which has loaded torch once."""
    monkeypatch.chdir(home.path)
    return replace(home, is_in_process=True)
