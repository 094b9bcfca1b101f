"""What Ray adds to a trial: the same trials by local workers, actors and Ray Tune, in turn.

    python benchmarks/ray_overhead.py --json
    python benchmarks/ray_overhead.py --rounds 2 --trials 2 --tune-rounds 1 --tune-trials 4

Both executors keep their workers between rounds, as within a launch. Ray Tune runs the same trials
as it is usually written, a function that reports its metrics, in processes of its own; its
`--tune-trials` are started and ended within one `Tuner.fit`, whose start is left out by a run of
fewer trials before. Processor seconds are those of all processes that this one has started, itself
included: they say what Ray adds on a machine that others keep busy.
"""

import argparse
import json
import logging
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
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

ARMS = ("local", "ray")
TUNES = ("fsspec", "pandas", "pyarrow", "requests")
"""What `ray.tune` imports beyond Ray's own."""
UNTRACKED = TrackingConfig("disabled", "benchmark")
FEWER = 2
"""Trials of Ray Tune whose run is taken off that of all, for its start."""


def main() -> None:
    args = _arguments()
    if args.tune_trials and (missing := [name for name in TUNES if not find_spec(name)]):
        sys.exit(
            f"Ray Tune needs {', '.join(missing)}: pip install 'ray[tune]', or --tune-trials 0"
        )
    with tempfile.TemporaryDirectory(prefix="audiocls-ray-") as scratch:
        root = Path(scratch)
        os.environ["AUDIOCLS_CACHE"] = str(root / "cache")
        study = _study(args.trials, args.epochs)
        quiet = {"include_dashboard": False, "logging_level": logging.ERROR}
        # Room for Ray Tune's trials beside the actors, which wait meanwhile.
        ray.init("local", num_cpus=2 * args.workers, log_to_driver=False, **quiet)
        passages = _alternated(study, args, root)
        ray.shutdown()
    answer = _summary(passages)
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


@dataclass(frozen=True)
class Passage:
    """A trial's share of a round of one arm."""

    wall_s: float
    process_s: float


Passages = dict[str, list[Passage]]


def _alternated(study: Resolved, args: argparse.Namespace, root: Path) -> Passages:
    """Return each round of each arm; the first of both executors is not counted."""
    cache, setup = root / "cache", NodeSetup(str(root / "runs/dropout"))
    executors: dict[str, Executor[Any]] = {
        "local": LocalExecutor(["cpu"] * args.workers, cache, root / "workers.log"),
        "ray": RayExecutor(Demand(args.workers, cpus=1.0), setup, cache),
    }
    passages: Passages = {name: [] for name in (*executors, "tune")}
    try:
        for number in range(args.rounds + 1):
            names = list(executors) if number % 2 else list(executors)[::-1]
            for name in names:
                shutil.rmtree(root / "runs", ignore_errors=True)
                passages[name].append(_passage(executors[name], _jobs(study, root / "runs")))
            if args.tune_trials and 1 <= number <= args.tune_rounds:
                passages["tune"].append(_tune(study, args.tune_trials, args.workers, root))
    finally:
        for executor in executors.values():
            executor.stop(3.0)
    return {name: each if name == "tune" else each[1:] for name, each in passages.items()}


def _passage(executor: Executor[Any], jobs: Sequence[NativeJob]) -> Passage:
    """Run trials from the first job to the end of the last one."""
    waiting, num_left = list(jobs), len(jobs)
    started, process_s = time.monotonic(), _process_s()
    while num_left:
        while waiting and executor.num_free():
            executor.submit(waiting.pop())
        num_left -= sum(map(_is_end, executor.poll(0.2)))
    assert all(job.trial.record() for job in jobs)
    wall_s, process_s = time.monotonic() - started, _process_s() - process_s
    return Passage(wall_s / len(jobs), process_s / len(jobs))


def _process_s() -> float:
    """Return the processor seconds of this process and all below it that live, in their time."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _is_end(event: Event) -> bool:
    return isinstance(event, Ended)


def _tune(study: Resolved, num_trials: int, num_workers: int, root: Path) -> Passage:
    """Return what each further trial takes; its processes end with it, and are not counted."""
    seconds = {n: _tuned(study, n, num_workers, root) for n in (FEWER, num_trials)}
    return Passage((seconds[num_trials] - seconds[FEWER]) / (num_trials - FEWER), 0.0)


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


def _summary(passages: Passages) -> dict[str, Any]:
    local, actors = passages["local"], passages["ray"]
    pairs = list(zip(local, actors, strict=True))
    ratios = [b.wall_s / a.wall_s for a, b in pairs]
    median_s = {name: statistics.median(p.wall_s for p in passages[name]) for name in ARMS}
    answer: dict[str, Any] = {
        "local_s": round(median_s["local"], 4),
        "ray_s": round(median_s["ray"], 4),
        "added_ms": round(1000 * statistics.median(b.wall_s - a.wall_s for a, b in pairs), 1),
        "ratios": [round(ratio, 3) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 3),
        "local_cpu_s": round(statistics.median(each.process_s for each in local), 4),
        "ray_cpu_s": round(statistics.median(each.process_s for each in actors), 4),
        "cpu_ratio": round(statistics.median(b.process_s / a.process_s for a, b in pairs), 3),
    }
    if passages["tune"]:
        tuned = statistics.median(each.wall_s for each in passages["tune"])
        answer |= {"tune_s": round(tuned, 3), "tune_ratio": round(tuned / median_s["ray"], 1)}
    return answer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--trials", type=int, default=16, help="a round, of each executor")
    parser.add_argument("--epochs", type=int, default=12, help="so that a trial takes 0.8 s")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tune-rounds", type=int, default=2)
    parser.add_argument("--tune-trials", type=int, default=8, help="0 leaves Ray Tune out")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
