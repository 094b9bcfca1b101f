"""The benchmarks run, and what they compare is equal; how fast they are is not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TINY = ["--rounds=1", "--trials=2", "--clips=64", "--epochs=2", "--records=100", "--json"]


@pytest.mark.slow
def test_both_arms_of_the_throughput_benchmark_compute_the_same_losses() -> None:
    command = [sys.executable, BENCHMARKS / "sweep_throughput.py", *TINY]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["losses_equal"] is True
    assert 0 < answer["ratio_min"] <= answer["ratio_median"] <= answer["ratio_max"]
    assert answer["relaunch"]["large"]["num_records"] == 100
    assert answer["first_step"].keys() == {"clip", "train"}
    assert answer["peak_memory_mib"] > 0


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("mode", ["offline", "online", "agent"])
def test_the_tracking_benchmark_compares_whole_trials(mode: str) -> None:
    words = ["--pairs=2", "--clips=64", "--epochs=2", "--json", "--modes", mode]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "tracking_cost.py", *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer.keys() == {mode}
    assert answer[mode]["num_pairs"] == 2
    assert answer[mode]["added_client_ms"][1] >= 0


@pytest.mark.slow
def test_both_arms_of_the_overhead_benchmark_run_every_trial_once() -> None:
    command = [sys.executable, BENCHMARKS / "foreign_overhead.py", "--rounds=1", "--trials=2"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["num_gaps"] == 2
    assert min(answer["agent_s"], answer["launch_s"]) > 0


@pytest.mark.slow
def test_the_report_benchmark_measures_whole_commands() -> None:
    words = ["--trials=100", "--formats", "terminal", "html", "--json"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "report_speed.py", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer.keys() == {"arms", "pairs"}
    assert 0 < answer["pairs"]["terminal"]["cpu_s"] <= answer["pairs"]["html"]["seconds"]


@pytest.mark.slow
def test_a_reader_needs_few_files_from_a_launch_to_the_optimisers_step_and_to_a_verdict() -> None:
    command = [sys.executable, BENCHMARKS / "reading_distance.py", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    files, frames, files_of_report, percent = json.loads(done.stdout).values()
    assert 1 < frames <= 19 < files <= 143
    assert 0 < files_of_report <= 60
    assert 0 <= percent <= 3


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("sharing", [[], ["--launches=3", "--no-flock"]], ids=["one", "shared"])
def test_random_kills_lose_double_and_change_nothing(sharing: list[str]) -> None:
    command = [sys.executable, BENCHMARKS / "kills.py", "--kills=6", "--seed=1", *sharing]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 trials lost, doubled or different to the bit" in done.stdout


@pytest.mark.slow
@pytest.mark.alone
def test_the_ray_benchmark_trains_every_trial_in_each_arm() -> None:
    words = ["--rounds=1", "--trials=2", "--epochs=1", "--tune-trials=0", "--json"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "ray_overhead.py", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert min(answer["local_s"], answer["ray_s"]) > 0
    assert len(answer["ratios"]) == 1


@pytest.mark.slow
def test_the_gpu_benchmark_runs_whole_on_a_cpu(tmp_path: Path) -> None:
    """Every equality holds there, with a tape in place of graphs."""
    file = tmp_path / "gpu.json"
    words = ["--device=cpu", "--small", f"--json={file}"]
    paths = os.pathsep.join([str(BENCHMARKS.parent), str(BENCHMARKS.parent / "tests")])
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "gpu.py", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(file.read_text())
    assert all(check["is_held"] for check in answer["checks"])
    assert len(answer["checks"]) == 20
    arms = {"eager, waiting", "eager", "graph", "branches", "fused", "fused, graph"}
    assert answer["clips_per_s"]["CNN"].keys() >= arms
    assert answer["clips_per_s"].keys() == {"CNN", "EAT-S", "ResNet-18"}
    assert min(rate for each in answer["clips_per_s"].values() for [rate] in each.values()) > 0


@pytest.mark.slow
def test_the_probe_benchmark_times_each_arm() -> None:
    command = [sys.executable, BENCHMARKS / "probe.py", "--rounds=1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    arms = ["a trial ", "a trial of a pack of 8 ", "the bare loop "]
    for line, arm in zip(done.stdout.splitlines(), arms, strict=True):
        assert line.startswith(arm)


@pytest.mark.slow
def test_trials_reach_the_metrics_of_the_version_before_the_redesign_to_the_bit() -> None:
    command = [sys.executable, BENCHMARKS / "first_version.py", "--rounds=1", "--ablations=dropout"]
    done = subprocess.run(command, capture_output=True, text=True)
    if "not a valid object name" in done.stderr:
        pytest.skip("this checkout has no history")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "metrics equal to the bit" in done.stdout
