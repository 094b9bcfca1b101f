"""The benchmarks run, and what they compare is equal; how fast they are is not tested."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "sweep_throughput.py"
TINY = ["--rounds=1", "--trials=2", "--clips=64", "--epochs=2", "--records=100", "--json"]


@pytest.mark.slow
def test_both_arms_of_the_throughput_benchmark_compute_the_same_losses() -> None:
    done = subprocess.run([sys.executable, BENCHMARK, *TINY], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["losses_equal"] is True
    assert 0 < answer["ratio_min"] <= answer["ratio_median"] <= answer["ratio_max"]
    assert answer["relaunch"]["large"]["num_records"] == 100
    assert answer["first_step"].keys() == {"clip", "train"}
    assert answer["peak_memory_mib"] > 0
