"""From "trial chosen" to the first optimiser step, in a process that has trained trials before.

As a script it is that process, with a worker's environment and its one thread: each trial of the
ablation goes through `train_trial` as in a worker, W&B offline, and is stopped after one epoch.
The first trial pays for opening the data and is not counted.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from workload import plain_environment

from audiocls.config import Config
from audiocls.execution.devices import worker_environment
from audiocls.execution.job import NativeJob, TrackingConfig
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import StudyFolder
from audiocls.studies.ablation import resolved
from audiocls.studies.request import ablation_request
from audiocls.studies.resolve import job_of
from audiocls.training.fit import Signal

MAX_TRIALS = 9
NORMALISATIONS = ("clip", "train")
"""The workload's, and the recipe's own, which takes statistics of the training clips."""


@dataclass(frozen=True)
class FirstStep:
    """Milliseconds; medians over trials."""

    build_ms: float
    """Of `config.model.build` alone."""
    beyond_build_ms: float
    """Everything else before the first step has been taken, its forward and backward included."""


def measure(ablation: Path, folder: Path) -> dict[str, FirstStep]:
    """`features.normalise` → times, measured in a process of its own."""
    folder.mkdir(parents=True)
    environment = worker_environment(plain_environment(folder / "cache"), "cpu")
    done = subprocess.run(
        [sys.executable, __file__, str(ablation)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout.splitlines()[-1])
    return {name: FirstStep(**answer) for name, answer in answers.items()}


def main() -> None:
    torch.set_num_threads(1)
    clock = StepClock()
    warm = WorkerCache(Path(os.environ["AUDIOCLS_CACHE"]))
    answers = {}
    for normalise in NORMALISATIONS:
        jobs = _jobs(sys.argv[1], normalise)
        total_ms = statistics.median([clock.first_step_ms(job, warm) for job in jobs][1:])
        build_ms = _build_ms(Config.model_validate(jobs[0].spec.config), warm, jobs[0])
        answers[normalise] = {"build_ms": build_ms, "beyond_build_ms": total_ms - build_ms}
    print(json.dumps(answers))


class StepClock:
    """Remembers when the first optimiser step of a trial was done."""

    def __init__(self) -> None:
        self._stepped: float | None = None
        register_optimizer_step_post_hook(lambda *_: self._look())

    def _look(self) -> None:
        self._stepped = self._stepped or time.perf_counter()

    def first_step_ms(self, job: NativeJob, warm: WorkerCache) -> float:
        self._stepped = None
        chosen = time.perf_counter()
        train_trial(job, warm, lambda event: None, lambda: Signal.STOP)
        if self._stepped is None:
            sys.exit(f"trial {job.label} took no step; see {job.trial.path}")
        return 1000 * (self._stepped - chosen)


def _jobs(ablation: str, normalise: str) -> list[NativeJob]:
    name = f"first-step-{normalise}"
    asked = ablation_request(ablation, assignments=[f"features.normalise={normalise}"])
    folder = StudyFolder(Path(name).absolute())
    found = resolved(replace(asked, study=name))
    cells = found.study.cells[:MAX_TRIALS]
    return [job_of(cell, found, folder, TrackingConfig("offline", "audiocls")) for cell in cells]


def _build_ms(config: Config, warm: WorkerCache, job: NativeJob) -> float:
    sounds = warm.dataset(config, job.spec.data_fingerprint)
    in_shape = config.features.shape(sounds.num_samples, config.data.sample_rate)
    return statistics.median(
        _timed_ms(lambda: config.model.build(in_shape, len(sounds.table.labels))) for _ in range(9)
    )


def _timed_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
