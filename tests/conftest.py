"""What all tests share: an environment of their own, and one tiny data set made once."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is loaded, here and in child processes

from helpers.display import without_figures
from helpers.recipes import TINY
from wandb_server import Server

from audiocls.config import Config, resolve


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the session, so that the synthetic data and its pack are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session", autouse=True)
def _temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Temporary files of the tests, and of processes that they kill, go with the tests' own."""
    folder = tmp_path_factory.mktemp("tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, cache: Path, _home: Path) -> None:
    """Nothing is read from or written to the user's own folders; no W&B key is found."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    added_to = ("AUDIOCLS_PATH", "AUDIOCLS_PATH_IMPLIED", "AUDIOCLS_TRUST")
    places = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    for name in ("NETRC", "AUDIOCLS_RUNS", "AUDIOCLS_DEVICE", *places):
        monkeypatch.delenv(name, raising=False)
    for name in added_to:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HOME", str(_home))
    monkeypatch.setenv("AUDIOCLS_CACHE", str(cache))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(_home / name.lower()))
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture
def wandb_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A stand-in for W&B's server; this process and its children are logged in to it."""
    with Server() as server:
        for name, value in server.environment(tmp_path / "wandb").items():
            monkeypatch.setenv(name, value)
        _forget_wandb()
        yield server
        server.heal()
        server.reopen()
        _forget_wandb()


@pytest.fixture
def server(wandb_server: Server) -> Iterator[Server]:
    """The stand-in, of which nothing may be asked that it does not know."""
    yield wandb_server
    assert wandb_server.unknown == []


def _forget_wandb() -> None:
    """W&B reads the environment once a process, unless it is torn down."""
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


@pytest.fixture
def undrawn() -> Iterator[None]:
    """The pages of launches in this process show nothing of their figures."""
    with without_figures():
        yield


@pytest.fixture
def tiny_config() -> Callable[..., Config]:
    """A configuration that trains in a tenth of a second, under dotted overrides."""

    def config(changes: dict[str, Any] | None = None) -> Config:
        return resolve([TINY, changes or {}], "tiny")

    return config


@pytest.fixture(scope="session")
def sounds_of(cache: Path) -> Callable[[Config], Any]:
    """Return the `AudioDataset` that a configuration names, opened once a session."""
    from audiocls.audio.clips import fingerprint
    from audiocls.execution.worker_cache import WorkerCache

    warm = WorkerCache(cache)
    return lambda config: warm.dataset(config, fingerprint(config.data.table(cache), cache))


@pytest.fixture
def tiny_parts(
    tiny_config: Callable[..., Config], sounds_of: Callable[[Config], Any]
) -> Callable[..., Any]:
    """`Parts` ready for their first step, under dotted overrides."""
    from audiocls.training.state import build

    def parts(changes: dict[str, Any] | None = None) -> Any:
        config = tiny_config(changes)
        return build(config, sounds_of(config))

    return parts


@pytest.fixture(scope="module")
def any_trained(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Any:
    """A `TrainedTrial` of the tiny recipe as it is."""
    from helpers.trials import TrainedTrial

    return TrainedTrial({}, tmp_path_factory.mktemp("trial"), cache)
