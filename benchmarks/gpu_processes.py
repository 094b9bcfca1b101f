"""Trials of `gpu.py` in processes of their own on one device, under NVIDIA's MPS or not."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from gpu_trials import CNN, Steps, Workbench

from audiocls.training.step import EagerStep

MPS = "nvidia-cuda-mps-control"
NOTHING: Mapping[str, str] = {}


def in_processes(args: argparse.Namespace, environment: Mapping[str, str] = NOTHING) -> float:
    """Return the clips a second of one eager trial in each of several processes."""
    words = [sys.executable, __file__, args.device, str(args.small), str(args.seconds)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [
        subprocess.Popen(words, text=True, env={**os.environ, **environment}, **pipes)
        for _ in range(args.trials)
    ]
    for worker in started:
        assert worker.stdout.readline() == "ready\n", "the worker's error is above"
    for worker in started:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return sum(float(worker.communicate()[0]) for worker in started)


@contextmanager
def _mps() -> Iterator[dict[str, str]]:
    """Run MPS's daemon meanwhile; yield the environment of its clients."""
    with tempfile.TemporaryDirectory(prefix="audiocls-mps-") as folder:
        where = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = {**os.environ, **where}
        subprocess.run([MPS, "-d"], env=environment, check=True)
        try:
            yield where
        finally:
            subprocess.run([MPS], env=environment, input="quit\n", text=True, check=False)


def under_mps(args: argparse.Namespace) -> float:
    """Return the same, with the processes as clients of a daemon of our own."""
    with _mps() as where:
        return in_processes(args, where)


def _work(device: str, is_small: bool, seconds: float) -> None:
    """Train one trial as soon as a line comes, and print the clips a second."""
    torch.set_num_threads(1)
    with Workbench.opened(device, is_small) as bench:
        steps = Steps(bench, [bench.of_recipe("logmel-cnn", CNN)], EagerStep)
        steps.warm_up()
        print("ready", flush=True)
        sys.stdin.readline()
        print(steps.clips_per_s(seconds))


if __name__ == "__main__":
    _work(sys.argv[1], sys.argv[2] == "True", float(sys.argv[3]))
