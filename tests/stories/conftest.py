"""The command line as people use it, with a study that takes seconds.

`home` runs commands as processes: each command so at least once, and all that is about processes,
workers and signals. `here` runs them in this process, for what is about their answers.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.processes import Home, tiny_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return tiny_home(tmp_path)


@pytest.fixture
def here(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return the same folder, its commands run in this process, which has loaded torch once."""
    monkeypatch.chdir(home.path)
    return replace(home, is_in_process=True)
