"""What W&B adds to a trial: paired with `--wandb disabled`, alternated in one persistent process.

    python benchmarks/tracking_cost.py --pairs 15 --json

As a script with `--inside` it is that process: a worker's environment, one thread, one core, on
which W&B's own process runs too, as a worker's does. The online arms speak to the stand-in server
of the tests, in another process on another core: no network, but every request. `agent` has an
agent's runs of a `bayes` sweep, each of which ends before the next trial; `online` has all others,
uploaded while the next trial trains: measured is a trial with the upload of the one before it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import psutil
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from workload import Workload, plain_environment, write_ablation, write_data

from audiocls.execution.devices import core_ids, worker_environment
from audiocls.execution.job import NativeJob, TrackingConfig
from audiocls.execution.messages import Done, Epoch, Event, Recorded
from audiocls.execution.trial import train_trial
from audiocls.execution.worker import Uploads
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import StudyFolder, TrialFolder
from audiocls.studies.ablation import resolved
from audiocls.studies.request import ablation_request
from audiocls.studies.resolve import job_of
from audiocls.tracking import WandbMode
from audiocls.training.fit import Signal

TESTS = Path(__file__).parents[1] / "tests"
ALLOWED_SHARE, ALLOWED_START_MS = 0.02, 60.0
MODES = ("offline", "online", "agent")
WARM_UP = 2
"""Pairs not counted: the first opens the data, starts W&B and imports what it needs."""


@dataclass(frozen=True)
class Passage:
    """One trial."""

    wall_s: float
    start_s: float
    """From the chosen trial to the end of its first optimiser step."""
    end_s: float
    """From the end of its last epoch to its own: scoring, record, and the tracker's last word."""
    process_s: float
    """CPU time of the worker."""
    client_s: float
    """CPU time of W&B's own process."""


def main() -> None:
    args = _arguments()
    if args.inside:
        print(json.dumps(_inside(args.inside, args.mode, args.pairs, Path(args.folder))))
        return
    with tempfile.TemporaryDirectory(prefix="audiocls-tracking-") as scratch:
        root = Path(scratch)
        workload = Workload(root / "data", 2, args.clips, args.epochs)
        write_data(workload)
        ablation = write_ablation(workload, root / "tracking.yaml")
        answer = {mode: _measured(ablation, mode, args.pairs, root) for mode in args.modes}
    print("\n".join(_described(mode, found) for mode, found in answer.items()))
    if args.json:
        print(json.dumps(answer))


def _measured(ablation: Path, mode: str, num_pairs: int, root: Path) -> dict[str, Any]:
    """One arm's pairs, measured in a process of its own."""
    sys.path.insert(0, str(TESTS))
    from wandb_server import Server

    with Server() as server:
        folder = root / mode
        known = server.environment(folder / "wandb")
        online = {"agent": "online"}.get(mode, mode)
        environment = {**plain_environment(root / "cache"), **known, "WANDB_MODE": online}
        words = ["--inside", str(ablation), "--modes", mode, "--pairs", str(num_pairs)]
        done = subprocess.run(
            [sys.executable, __file__, *words, "--folder", str(folder)],
            cwd=folder,
            env=worker_environment(environment, "cpu"),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        if online == "online":
            finished = [run for run in server.runs() if run.state == "finished"]
            per_pair = 1 if mode == "agent" else 2
            assert len(finished) == per_pair * (num_pairs + WARM_UP), "a run is missing"
    return _compared(json.loads(done.stdout.splitlines()[-1]))


def _inside(ablation: str, mode: str, num_pairs: int, folder: Path) -> list[dict[str, Any]]:
    """Pairs of passages, without and with tracking, each pair in the other order."""
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {core_ids()[0]})
    trials = Trials(_job(ablation, folder), folder)
    arms = ["disabled", mode]
    pairs = []
    for number in range(num_pairs + WARM_UP):
        ordered = arms if number % 2 else arms[::-1]
        passages = {arm: asdict(trials.counted(arm)) for arm in ordered}
        pairs.append({"without": passages["disabled"], "with": passages[mode]})
    return pairs[WARM_UP:]


class Trials:
    """The same trial over and over, under changing names."""

    def __init__(self, job: NativeJob, folder: Path):
        self._job, self._folder = job, folder
        self._warm = WorkerCache(Path(os.environ["AUDIOCLS_CACHE"]))
        self._uploads = Uploads()
        self._number = 0
        self._stepped_s: float | None = None
        register_optimizer_step_post_hook(lambda *_: self._look())

    def _look(self) -> None:
        self._stepped_s = self._stepped_s or time.perf_counter()

    def counted(self, arm: str) -> Passage:
        """One trial; of a launch's online runs, the second of two."""
        if arm == "online":
            self.passage(arm)
        passage = self.passage(arm)
        self._uploads.wait()
        return passage

    def _named(self, arm: str) -> NativeJob:
        self._number += 1
        trial = TrialFolder(self._folder / "trials" / str(self._number))
        mode = cast(WandbMode, "online" if arm == "agent" else arm)
        tracking = replace(self._job.tracking, mode=mode)
        if arm == "online":  # another study: a run's id is that of trial and study
            study = f"{self._job.study}-{self._number}"
            return replace(self._job, trial=trial, tracking=tracking, study=study)
        tracking = replace(tracking, run_id=f"run{self._number}", is_awaited=True)
        return replace(self._job, trial=trial, tracking=tracking)

    def passage(self, arm: str) -> Passage:
        self._stepped_s = None
        job = self._named(arm)
        events: list[Event] = []
        epoch_s: list[float] = []

        def emit(event: Event) -> None:
            events.append(event)
            if isinstance(event, Epoch):
                epoch_s.append(time.perf_counter())

        chosen_s, process_s, client_s = time.perf_counter(), time.process_time(), _client_s()
        train_trial(job, self._warm, emit, lambda: Signal.CONTINUE, self._uploads.finish)
        ended_s = time.perf_counter()
        is_whole = any(event in (Done(job.id), Recorded(job.id)) for event in events)
        if not is_whole or self._stepped_s is None:
            sys.exit(f"trial {job.label} in {job.trial.path}: {events[-1]}")
        return Passage(
            wall_s=ended_s - chosen_s,
            start_s=self._stepped_s - chosen_s,
            end_s=ended_s - epoch_s[-1],
            process_s=time.process_time() - process_s,
            client_s=_client_s() - client_s,
        )


def _client_s() -> float:
    """CPU time so far of the processes that this one has started."""
    times = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return sum(spent.user + spent.system for spent in times)


def _job(ablation: str, folder: Path) -> NativeJob:
    found = resolved(replace(ablation_request(ablation), study="tracking"))
    tracking = TrackingConfig("disabled", "audiocls")
    return job_of(found.study.cells[0], found, StudyFolder(folder / "study"), tracking)


def _compared(pairs: Sequence[dict[str, dict[str, float]]]) -> dict[str, Any]:
    def quartiles(value: Callable[[dict[str, dict[str, float]]], float]) -> list[float]:
        return statistics.quantiles([value(pair) for pair in pairs], n=4, method="inclusive")

    def added(name: str) -> Callable[[dict[str, dict[str, float]]], float]:
        return lambda pair: pair["with"][name] - pair["without"][name]

    return {
        "num_pairs": len(pairs),
        "without_wall_s": quartiles(lambda pair: pair["without"]["wall_s"]),
        "added_share": quartiles(lambda pair: added("wall_s")(pair) / pair["without"]["wall_s"]),
        "added_wall_ms": quartiles(lambda pair: 1000 * added("wall_s")(pair)),
        "added_start_ms": quartiles(lambda pair: 1000 * added("start_s")(pair)),
        "added_end_ms": quartiles(lambda pair: 1000 * added("end_s")(pair)),
        "added_process_ms": quartiles(lambda pair: 1000 * added("process_s")(pair)),
        "added_client_ms": quartiles(lambda pair: 1000 * added("client_s")(pair)),
    }


def _described(mode: str, found: dict[str, Any]) -> str:
    def shown(name: str, factor: float = 1.0) -> str:
        low, median, high = (factor * value for value in found[name])
        return f"{median:6.1f} (quartiles {low:.1f} to {high:.1f})"

    return "\n".join(
        [
            f"{mode}: {found['num_pairs']} pairs of trials of {shown('without_wall_s')} s",
            f"  added to a trial  {shown('added_share', 100)} %, allowed {100 * ALLOWED_SHARE:g}: "
            + _verdict(found["added_share"], ALLOWED_SHARE),
            f"                    {shown('added_wall_ms')} ms",
            f"  added to its start{shown('added_start_ms')} ms, allowed {ALLOWED_START_MS:g}: "
            + _verdict(found["added_start_ms"], ALLOWED_START_MS),
            f"  added to its end  {shown('added_end_ms')} ms",
            f"  CPU of the worker {shown('added_process_ms')} ms",
            f"  CPU of the client {shown('added_client_ms')} ms",
        ]
    )


def _verdict(quartiles: Sequence[float], allowed: float) -> str:
    """By the quartiles and not the median: on a busy machine it may lie anywhere."""
    if quartiles[2] <= allowed:
        return "kept"
    return "NOT KEPT" if quartiles[0] > allowed else "undecided, the machine is too busy"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--clips", type=int, default=1024, help="for training")
    parser.add_argument("--epochs", type=int, default=24, help="24 take about 5 s")
    parser.add_argument("--modes", nargs="+", default=["offline", "online"], choices=MODES)
    parser.add_argument("--json", action="store_true", help="end with a line of JSON")
    parser.add_argument("--inside", metavar="ABLATION", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.mode = args.modes[0]
    return args


if __name__ == "__main__":
    main()
