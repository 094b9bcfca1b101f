"""Disks that fill up under a launch: it stops with 75, names the folder, and goes on later."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.processes import Home, num_trained, workers_of

pytestmark = pytest.mark.slow

ONE_WORKER = ["--workers", "1", "--seeds", "0"]


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own in memory, if this system allows one."""
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def results(home: Home, runs: str) -> dict[str, object]:
    files = (home.path / runs).glob("tiny/trials/*/record.json")
    return {file.parent.name: json.loads(file.read_text())["metrics"] for file in files}


def states(here: Home, runs: str) -> dict[str, int]:
    return here.run("sweep", "status", "tiny", "--json", "--runs", runs).json()["cells"]


@pytest.mark.parametrize("size", ["40k", "100k", "200k"])
def test_a_full_disk_of_studies_stops_resumably_and_every_cell_is_trained_later(home, here, size):
    here.launch("--runs", "whole")
    with disk(home.path / "full", size) as full:
        ended = home.launch("--runs", "full", code=75)
        assert f"No space left on device: {full}" in ended.err
        assert "are needed" in ended.err
        if (full / "tiny/study.yaml").exists():
            counts = states(here, "full")
            assert counts["failed"] == 0
            assert counts["pending"] > 0
        remount(full, "size=50m")
        home.launch("--runs", "full")
        assert results(home, "full") == results(home, "whole")


@pytest.mark.parametrize("size", ["40k", "1700k", "2450k"])
def test_a_full_cache_stops_resumably_and_is_made_later(home, size, monkeypatch):
    """Room for none of it, for the sounds, and for sounds and pack."""
    with disk(home.path / "cache", size) as full:
        monkeypatch.setenv("AUDIOCLS_CACHE", str(full))
        ended = home.launch(code=75)
        assert f"No space left on device: {full}" in ended.err
        assert "are needed" in ended.err
        assert "SIGBUS" not in ended.err
        assert not [path for path in full.iterdir() if path.name.endswith(".tmp")]
        remount(full, "size=50m")
        assert num_trained(home.launch().err) == 6


def test_a_cache_cut_off_under_a_launch_stops_resumably_and_is_made_again(
    home, tmp_path, monkeypatch
):
    monkeypatch.setenv("AUDIOCLS_CACHE", str(tmp_path / "cache"))
    words = [*ONE_WORKER, "--set", "train.epochs=2000", "--arms", "dropout=0.1"]
    process = home.start("sweep", "launch", "tiny.yaml", "--wandb", "disabled", *words)
    home.wait_for(home.has_history, limit_s=200)
    (features,) = (tmp_path / "cache").glob("features-*/features.npy")
    os.truncate(features, 0)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    assert "SIGBUS" in err
    assert str(tmp_path / "cache") in err
    process = home.start("sweep", "launch", "tiny.yaml", "--wandb", "disabled", *words)
    home.wait_for(lambda: features.exists() and features.stat().st_size > 0, 200)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 75


def left_in(folder: Path) -> set[str]:
    """What lies there, but for the claims on devices: locks, which stay for the next launch."""
    claims = folder / f"audiocls-{os.getuid()}"
    known = {claims, *claims.glob("*.lock"), *claims.glob("*.holder")}
    return {str(each) for each in folder.rglob("*") if each not in known}


def test_nothing_is_left_in_the_temporary_folder_also_after_kills(home, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    words = ["sweep", "launch", "tiny.yaml", "--wandb", "offline", *ONE_WORKER]
    process = home.start(*words, "--set", "train.epochs=400", "--arms", "dropout=0.1")
    home.wait_for(home.has_history, limit_s=200)
    (worker,) = workers_of(process.pid)
    os.kill(worker, signal.SIGKILL)
    process.communicate(timeout=300)
    assert process.returncode == 0
    assert left_in(tmp_path / "temporary") == set()
    assert not (home.path / "runs/tiny/tmp").exists()
    process = home.start(*words, "--set", "train.epochs=4000", "--study", "killed")
    home.wait_for(lambda: any(home.path.glob("runs/killed/trials/*/history.jsonl")), 200)
    process.kill()
    process.communicate()
    home.run(*words, "--set", "train.epochs=4", "--study", "killed")
    assert left_in(tmp_path / "temporary") == set()
    assert not (home.path / "runs/killed/tmp").exists()
