"""What Ray adds to a trial: the same trials by local workers and by actors, alternated; Ray Tune.

    python benchmarks/ray_overhead.py --rounds 5 --trials 8 --epochs 12 --json

Both executors keep their workers between rounds, as within a launch. Ray Tune runs the same trials
as it is usually written, a function that reports its metrics, in processes of its own; its
`--tune-trials` are started and ended within one `Tuner.fit`, whose start is left out by a run of
fewer trials before.
"""

import argparse
import json
import logging
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray

from audiocls.execution.cluster.connection import Demand
from audiocls.execution.cluster.node import NodeSetup
from audiocls.execution.executors import Executor
from audiocls.execution.executors.actors import RayExecutor
from audiocls.execution.executors.local import LocalExecutor
from audiocls.execution.job import NativeJob, NativeSpec, TrackingConfig, job_from_json
from audiocls.execution.messages import Ended, Event
from audiocls.store import StudyFolder
from audiocls.studies.ablation import resolved
from audiocls.studies.request import ablation_request
from audiocls.studies.resolve import Resolved, job_of

UNTRACKED = TrackingConfig("disabled", "benchmark")
FEWER = 2
"""Trials of Ray Tune whose run is taken off that of all, for its start."""


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="audiocls-ray-") as scratch:
        root = Path(scratch)
        os.environ["AUDIOCLS_CACHE"] = str(root / "cache")
        study = _study(args.trials, args.epochs)
        quiet = {"include_dashboard": False, "logging_level": logging.ERROR}
        ray.init("local", num_cpus=args.workers, log_to_driver=False, **quiet)
        seconds = _alternated(study, args.rounds, args.workers, root)
        tuned = _tune(study, args.tune_trials, args.workers, root) if args.tune_trials else None
        ray.shutdown()
    answer = _summary(seconds, tuned)
    print("\n".join(f"{name}: {value}" for name, value in answer.items()))
    if args.json:
        print(json.dumps(answer))


def _study(num_trials: int, num_epochs: int) -> Resolved:
    seeds, changes = f"0..{num_trials - 1}", [f"train.epochs={num_epochs}"]
    found = resolved(ablation_request("dropout", None, changes, seeds, "1", "baseline"))
    assert isinstance(found, Resolved)
    return found


def _jobs(study: Resolved, runs: Path) -> list[NativeJob]:
    folder = StudyFolder(runs / "dropout")
    return [job_of(cell, study, folder, UNTRACKED) for cell in study.study.cells]


def _alternated(
    study: Resolved, rounds: int, num_workers: int, root: Path
) -> dict[str, list[float]]:
    """Return the seconds a trial of each round, by executor; the first round is not counted."""
    cache = root / "cache"
    demand, setup = Demand(num_workers, cpus=1.0), NodeSetup(str(root / "runs/dropout"))
    executors: dict[str, Executor[Any]] = {
        "local": LocalExecutor(["cpu"] * num_workers, cache, root / "workers.log"),
        "ray": RayExecutor(demand, setup, cache),
    }
    seconds: dict[str, list[float]] = {name: [] for name in executors}
    try:
        for number in range(rounds + 1):
            names = list(executors) if number % 2 else list(executors)[::-1]
            for name in names:
                shutil.rmtree(root / "runs", ignore_errors=True)
                seconds[name].append(_passage(executors[name], _jobs(study, root / "runs")))
    finally:
        for executor in executors.values():
            executor.stop(3.0)
    return {name: each[1:] for name, each in seconds.items()}


def _passage(executor: Executor[Any], jobs: Sequence[NativeJob]) -> float:
    """Return the seconds a trial from the first job to the end of the last one."""
    waiting, num_left = list(jobs), len(jobs)
    started = time.monotonic()
    while num_left:
        while waiting and executor.num_free():
            executor.submit(waiting.pop())
        num_left -= sum(map(_is_end, executor.poll(0.2)))
    assert all(job.trial.record() for job in jobs)
    return (time.monotonic() - started) / len(jobs)


def _is_end(event: Event) -> bool:
    return isinstance(event, Ended)


def _tune(study: Resolved, num_trials: int, num_workers: int, root: Path) -> float:
    """Return the seconds that each further trial takes."""
    seconds = {n: _tuned(study, n, num_workers, root) for n in (FEWER, num_trials)}
    return (seconds[num_trials] - seconds[FEWER]) / (num_trials - FEWER)


def _tuned(study: Resolved, num_trials: int, num_workers: int, root: Path) -> float:
    from ray import tune

    shutil.rmtree(root / "runs", ignore_errors=True)
    lines = [job.to_json() for job in _jobs(study, root / "runs")]
    cache = str(root / "cache")

    def trainable(config: dict[str, Any]) -> None:
        tune.report(_trained(lines[config["number"] % len(lines)], config["number"], cache))

    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space={"number": tune.grid_search(list(range(num_trials)))},
        tune_config=tune.TuneConfig(max_concurrent_trials=num_workers),
        run_config=tune.RunConfig(storage_path=str(root / "tune"), verbose=0),
    )
    started = time.monotonic()
    results = tuner.fit()
    assert not results.errors
    return time.monotonic() - started


def _trained(line: str, number: int, cache: str) -> dict[str, float]:
    """Train one trial in this process, in a folder of its own; return its metrics."""
    import dataclasses

    import torch

    from audiocls.execution.trial import train_trial
    from audiocls.execution.worker_cache import WorkerCache
    from audiocls.training.fit import Signal

    torch.set_num_threads(1)
    job = job_from_json(line, NativeSpec)
    trial = StudyFolder(job.study_folder).trial(f"{job.id}-{number}")
    job = dataclasses.replace(job, trial=trial)
    train_trial(job, WorkerCache(Path(cache)), lambda event: None, lambda: Signal.CONTINUE)
    record = trial.record()
    assert record is not None
    return dict(record.metrics)


def _summary(seconds: dict[str, list[float]], tuned: float | None) -> dict[str, Any]:
    local, actors = seconds["local"], seconds["ray"]
    pairs = list(zip(local, actors, strict=True))
    answer: dict[str, Any] = {
        "local_s": round(statistics.median(local), 4),
        "ray_s": round(statistics.median(actors), 4),
        "added_ms": round(1000 * statistics.median(b - a for a, b in pairs), 1),
        "ratios": [round(b / a, 3) for a, b in pairs],
        "ratio": round(statistics.median(b / a for a, b in pairs), 3),
    }
    if tuned is not None:
        times = tuned / statistics.median(actors)
        answer |= {"tune_s": round(tuned, 3), "tune_ratio": round(times, 1)}
    return answer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=8, help="a round, of each executor")
    parser.add_argument("--epochs", type=int, default=12, help="12 make about 0.8 s a trial")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tune-trials", type=int, default=8, help="0 leaves Ray Tune out")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
