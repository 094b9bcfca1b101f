"""Random kills: no trial is lost, doubled, or different to the bit.

Studies are launched again and again; each launch is killed at a random moment: its scheduler, its
process group, one worker, W&B's process, or everything. When a study is complete it is compared
with one that nobody disturbed: metrics, first losses, predictions, weights, history, costs.

    python benchmarks/kills.py --kills 200 --seed 1
    python benchmarks/kills.py --kills 200 --launches 3 --no-flock    # that share each study

A trial that was killed three times within an epoch has failed; it is retried.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from shared_kills import Fleet, failed, failures_beside_kills

ROOT = Path(__file__).parents[1]
FORK_SERVER = "audiocls.execution.fork_server"
RECIPE = """\
data: {name: synthetic, num_sources: 5, clips_per_source: 1, sample_rate: 8000, duration_s: 0.5}
features: {name: logmel, n_mels: 16, n_fft: 256, hop: 128}
model: {name: logmel_cnn, channels: [8, 8, 8, 8]}
optim: {name: adamw, lr: 3.0e-3}
schedule: {name: onecycle}
train: {epochs: 40, batch_size: 8}
"""
ABLATION = """\
name: killed
question: Is anything lost?
recipe: tiny
factors: {model.dropout: [0.1]}
blocks: {seed: [0, 1], fold: [1, 2]}
"""
PARTS = ("worker", "wandb", "fork_server", "nothing")
WHOLES = ("scheduler", "group", "everything", "nothing")
IN_TRAINING = 0.7
"""Share of the kills that wait for the workers."""
LONGEST_DELAY_S = 6.0
MODES = ("offline", "disabled")
KNOWN = {
    *("record.json", "history.jsonl", "predictions.npz", "checkpoint.safetensors", "config.yaml"),
    *("checkpoint.json", "attempt", "log.txt"),
}
"""Files of a finished trial."""
CLOCKED = ("wall_s", "process_s", "peak_memory_mib")
LONGEST_LAUNCH_S = 300.0
PAUSES_A_STUDY = 3.0
"""Longest waits between two kills of a fleet in the time that a study takes on this machine."""
ORPHANS_END_S = 60.0


@dataclass
class Result:
    """What was killed, and what came of it."""

    kills: Counter[str] = field(default_factory=Counter)
    studies: int = 0
    faults: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no study later")
    parser.add_argument("--launches", type=int, default=1, help="that share each study")
    parser.add_argument("--no-flock", action="store_true", help="the kernel's lock does nothing")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    try:
        fleet = (given.launches, not given.no_flock)
        result = run(folder, given.kills, random.Random(given.seed), given.minutes * 60, fleet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    killed = ", ".join(f"{num} {target}" for target, num in sorted(result.kills.items()))
    print(f"{result.kills.total()} kills ({killed}), {result.studies} studies compared")
    print("\n".join(result.faults) or "0 trials lost, doubled or different to the bit")
    return 1 if result.faults else 0


def run(
    folder: Path,
    num_kills: int,
    drawn: random.Random,
    limit_s: float,
    fleet: tuple[int, bool] = (1, True),
) -> Result:
    """Disturb studies until so many kills were made; compare each with an undisturbed one.

    `fleet` is how many launches share each study, and whether the kernel's lock works in them.
    """
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes/tiny.yaml").write_text(RECIPE)
    (folder / "killed.yaml").write_text(ABLATION)
    result, started = Result(), time.monotonic()
    wanted = undisturbed(folder)
    pause_s = (time.monotonic() - started) / PAUSES_A_STUDY
    while result.kills.total() < num_kills and time.monotonic() - started < limit_s:
        result.studies += 1
        name, mode = f"killed{result.studies}", MODES[result.studies % len(MODES)]
        if fleet[0] > 1:
            has_hosts = result.studies % 2 == 0
            launches = Fleet(folder, name, ROOT, *fleet, has_hosts, pause_s)
            result.faults += launches.run(drawn, result.kills, num_kills)
            left_behind(folder)
        else:
            disturb(folder, name, mode, drawn, result)
        got = contents(folder, name)
        faults = [*differences(got, wanted), *half_written(folder / "runs")]
        result.faults += [f"{name} ({mode}): {fault}" for fault in faults]
        print(f"{result.kills.total()} kills, {result.studies} studies", file=sys.stderr)
        shutil.rmtree(folder / "runs" / name)
    return result


def undisturbed(folder: Path) -> dict[str, Any]:
    """Return what a study leaves that nobody disturbs."""
    assert start(folder, "whole", "disabled").wait(LONGEST_LAUNCH_S) == 0
    return contents(folder, "whole")


def disturb(folder: Path, name: str, mode: str, drawn: random.Random, result: Result) -> None:
    """Launch a study until it is complete; kill parts of each launch, then all of it."""
    while True:
        process = start(folder, name, mode)
        for targets in (PARTS, WHOLES):
            if drawn.random() < IN_TRAINING:
                wait_for(process, workers_of)
            with suppress(subprocess.TimeoutExpired):
                process.wait(drawn.uniform(0, LONGEST_DELAY_S))
            target = drawn.choice(targets)
            if target == "wandb" and mode != "disabled":
                wait_for(process, clients_of)
            if process.poll() is None and kill(process, target, drawn):
                result.kills[target] += 1
        with suppress(subprocess.TimeoutExpired):
            process.wait(LONGEST_LAUNCH_S if target == "nothing" else 0)
        process.kill()
        is_complete = process.wait() == 0
        if failed(study := folder / "runs" / name):
            result.faults += failures_beside_kills(study)
            assert sweep(folder, ["retry", name]).wait() == 0
        if orphans := left_behind(folder):
            result.faults.append(f"{name}: processes left behind: {orphans}")
        if is_complete or orphans:
            return


def wait_for(
    process: subprocess.Popen[bytes], parts_of: Callable[[psutil.Process], list[psutil.Process]]
) -> None:
    """Wait until the launch has such parts, so that kills hit training and not the start alone."""
    while process.poll() is None and not parts_of(psutil.Process(process.pid)):
        time.sleep(0.05)


def workers_of(scheduler: psutil.Process) -> list[psutil.Process]:
    """The children of the fork server, or those that were started by themselves without it."""
    servers = {server.pid for server in fork_servers_of(scheduler)}
    forked = [each for each in children_with(FORK_SERVER, scheduler) if each.ppid() in servers]
    return [*forked, *children_with("audiocls.execution.worker", scheduler)]


def fork_servers_of(scheduler: psutil.Process) -> list[psutil.Process]:
    every = children_with(FORK_SERVER, scheduler)
    return [each for each in every if each.ppid() == scheduler.pid]


def clients_of(scheduler: psutil.Process) -> list[psutil.Process]:
    """W&B's own processes, one of each worker."""
    return children_with("wandb-core", scheduler)


def children_with(word: str, scheduler: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        children = scheduler.children(recursive=True)
        return [each for each in children if word in command_of(each)]
    return []


def start(folder: Path, name: str, mode: str) -> subprocess.Popen[bytes]:
    words = ["launch", "killed.yaml", "--study", name, "--wandb", mode, "--workers", "2"]
    return sweep(folder, words)


def sweep(folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "AUDIOCLS_CACHE": str(folder / "cache"),
        "WANDB_ERROR_REPORTING": "false",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "audiocls", "sweep", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes], target: str, drawn: random.Random) -> bool:
    """Kill a part of a launch; return whether there was such a part."""
    scheduler = psutil.Process(process.pid)
    children = scheduler.children(recursive=True)
    workers = workers_of(scheduler)
    victims = {
        "scheduler": [scheduler],
        "everything": [scheduler, *children],
        "nothing": [],
        "worker": drawn.sample(workers, min(1, len(workers))),
        "wandb": clients_of(scheduler)[:1],
        "fork_server": fork_servers_of(scheduler),
    }
    if target == "group":
        os.killpg(process.pid, signal.SIGKILL)
        return True
    for victim in victims[target]:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    return bool(victims[target])


def command_of(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def left_behind(folder: Path) -> list[int]:
    """Return workers of these studies that go on for long after their scheduler has gone."""
    deadline = time.monotonic() + ORPHANS_END_S
    while found := list(workers_in(folder)):
        if time.monotonic() > deadline:
            return found
        time.sleep(0.1)
    return []


def workers_in(folder: Path) -> Iterator[int]:
    for process in psutil.process_iter():
        if str(folder) in command_of(process) or folder_of(process) == folder:
            yield process.pid


def folder_of(process: psutil.Process) -> Path | None:
    """Return where a process runs: forked workers name no folder in their command."""
    with suppress(psutil.Error):
        return Path(process.cwd())
    return None


def contents(folder: Path, name: str) -> dict[str, Any]:
    """Return trial id → all of its results that no clock has a part in."""
    trials = sorted((folder / "runs" / name / "trials").iterdir())
    return {trial.name: content(trial) for trial in trials}


def content(trial: Path) -> dict[str, Any]:
    if not (trial / "record.json").exists():
        return {"missing": "record.json"}
    record = json.loads((trial / "record.json").read_text())
    rows = [json.loads(line) for line in (trial / "history.jsonl").read_text().splitlines()]
    with np.load(trial / "predictions.npz") as arrays:
        predictions = {
            key: hashlib.sha256(array.tobytes()).hexdigest() for key, array in arrays.items()
        }
    return {
        "metrics": record["metrics"],
        "first losses": record["first_losses"],
        "cost": {key: value for key, value in record["cost"].items() if key not in CLOCKED},
        "history": [{key: row[key] for key in row if key != "seconds"} for row in rows],
        "predictions": predictions,
        "weights": hashlib.sha256((trial / "checkpoint.safetensors").read_bytes()).hexdigest(),
        "odd files": sorted(file.name for file in trial.iterdir() if is_odd(file)),
    }


def is_odd(file: Path) -> bool:
    """Whether no finished trial has such a file; failures that were retried are kept."""
    return file.name not in KNOWN and not file.match("failure-*.json")


def half_written(runs: Path) -> Iterator[str]:
    """Yield what no process writes any more, and no launch has swept up."""
    for path in sorted(runs.rglob("*.tmp")):
        yield f"{path.relative_to(runs)} left behind"


def differences(got: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    yield from (f"{trial} lost" for trial in wanted.keys() - got.keys())
    yield from (f"{trial} too many" for trial in got.keys() - wanted.keys())
    for trial in wanted.keys() & got.keys():
        differing = [key for key in wanted[trial] if got[trial].get(key) != wanted[trial][key]]
        if differing:
            odd = ", ".join(got[trial].get("odd files", ()))
            yield f"{trial} differs in {', '.join(differing)}" + (f": {odd}" if odd else "")


if __name__ == "__main__":
    sys.exit(main())
