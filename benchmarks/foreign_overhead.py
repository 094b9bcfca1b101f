"""Seconds between two trials of somebody's W&B program: `wandb agent` against ours, offline.

    python benchmarks/foreign_overhead.py --rounds 3 --trials 5 --json

The program logs one number and says when its first line ran and when its last; what lies between
the end of one and the first line of the next is what the launcher costs. One program at a time,
round by round alternated. W&B's agent asks the stand-in server of the tests, which answers at once.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"

PROGRAM = """
import time
first = time.time()
import wandb
with wandb.init() as run:
    run.log({"loss": run.config.x})
with open("times", "a") as file:
    file.write(f"{first} {time.time()}\\n")
"""
SWEEP = {
    "program": "program.py",
    "method": "grid",
    "metric": {"name": "loss"},
    "project": "overhead",
}
FIND = "import json, sys, wandb; print(wandb.sweep(json.load(open('sweep.yaml'))))"


def main() -> None:
    args = _arguments()
    sys.path.insert(0, str(TESTS))
    from wandb_server import Server

    gaps: dict[str, list[float]] = {"wandb agent": [], "audiocls sweep launch": []}
    with tempfile.TemporaryDirectory(prefix="audiocls-overhead-") as scratch, Server() as server:
        for number in range(args.rounds):
            for arm, run in (("wandb agent", _agent), ("audiocls sweep launch", _launch)):
                folder = Path(scratch, f"{arm.split()[0]}-{number}")
                _write(folder, args.trials)
                environment = _plain() | server.environment(folder / "wandb")
                run(folder, args.trials, environment)
                gaps[arm] += _gaps(folder, args.trials)
    answer = _answer(gaps)
    print(
        f"between two trials: wandb agent {answer['agent_s']:.2f} s, audiocls "
        f"{answer['launch_s']:.2f} s, ratio {answer['ratio']:.1f}"
    )
    if args.json:
        print(json.dumps(answer))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=5, help="Of each arm in each round.")
    parser.add_argument("--json", action="store_true", help="The answer as JSON, last.")
    return parser.parse_args()


def _plain() -> dict[str, str]:
    """Without the user's own W&B; `python` is this one, for both."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    here = str(Path(sys.executable).parent)
    return kept | {"PATH": os.pathsep.join([here, kept.get("PATH", os.defpath)])}


def _write(folder: Path, num_trials: int) -> None:
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    sweep = {**SWEEP, "parameters": {"x": {"values": list(range(num_trials))}}}
    (folder / "sweep.yaml").write_text(json.dumps(sweep))


def _agent(folder: Path, num_trials: int, environment: Mapping[str, str]) -> None:
    sweep_id = _run([sys.executable, "-c", FIND], folder, environment).split()[-1]
    path = f"overhead/{sweep_id}"
    command = [sys.executable, "-m", "wandb", "agent", "--count", str(num_trials), path]
    _run(command, folder, environment)


def _launch(folder: Path, num_trials: int, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "audiocls", "sweep", "launch", "sweep.yaml"]
    _run(
        [*command, "--workers", "1", "--devices", "cpu", "--wandb", "offline"], folder, environment
    )


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _gaps(folder: Path, num_trials: int) -> list[float]:
    """From the last line of one program to the first line of the next."""
    lines = (folder / "times").read_text().splitlines()
    times = sorted(tuple(map(float, line.split())) for line in lines)
    assert len(times) == num_trials, f"{len(times)} of {num_trials} trials ran in {folder}"
    return [after[0] - before[1] for before, after in pairwise(times)]


def _answer(gaps: Mapping[str, Sequence[float]]) -> dict[str, float]:
    agent, launch = (statistics.median(gaps[arm]) for arm in gaps)
    return {
        "agent_s": agent,
        "launch_s": launch,
        "ratio": agent / launch,
        "num_gaps": sum(map(len, gaps.values())),
    }


if __name__ == "__main__":
    main()
