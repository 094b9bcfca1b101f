"""Sixteen trials of the recipe of `dropout`: as users of other tools write them, and here.

    python benchmarks/peers.py --environment ~/peers --json peers.json

Cold and alternated round by round, all arms in each. `--environment` is a virtual environment with
ray and optuna, made if it is not there; torch and the rest are this project's own, so that all arms
compute with the same. On a machine that others use, compare CPU time and not the clock.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from workload import Workload, plain_environment, write_data

from audiocls import yaml_file

HERE = Path(__file__).parent
ARMS = ("optuna", "ray", "script", "audiocls")
PEERS = ("ray[tune]", "optuna")
NOT_RUN = {
    "autrainer": "0.10 trains data sets and configurations of its own alone; no arm is written yet"
}
DROPOUTS = (0.05, 0.1, 0.25)
"""Beside the baseline, as in `peer_trials.py`."""
LOOK_EVERY_S = 0.1


@dataclass(frozen=True)
class Passage:
    """All trials once, by one arm; seconds."""

    wall_s: float
    cpu_s: float
    """Of all its processes, as they were seen ten times a second."""
    first_step_s: float
    """From the command to the first optimiser step."""


def main() -> None:
    args = _arguments()
    python = _environment(args.environment)
    with tempfile.TemporaryDirectory(prefix="audiocls-peers-") as scratch:
        workload = Workload(Path(scratch, "data"), 4 * args.seeds, args.clips, args.epochs)
        write_data(workload)
        rounds = []
        for number in range(args.rounds):
            one = {}
            for arm in args.arms:
                one[arm] = _passage(arm, workload, Path(scratch, f"{number}-{arm}"), python)
                print(f"round {number + 1}, {arm}: {one[arm]}", file=sys.stderr)
            rounds.append(one)
    print("\n".join(_table(rounds)))
    if args.json is not None:
        values = [{arm: asdict(each) for arm, each in one.items()} for one in rounds]
        facts = {"rounds": values, "not_run": NOT_RUN, "load": os.getloadavg()[0]}
        args.json.write_text(json.dumps({**facts, "trials": workload.num_trials}, indent=1))


def _environment(folder: Path) -> str:
    """Return the Python of the peers' environment; it sees this one's packages behind its own."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return str(python)


def _passage(arm: str, workload: Workload, folder: Path, python: str) -> Passage:
    folder.mkdir()
    step = folder / "first_step"
    environment = {
        **plain_environment(folder / "cache"),
        "PYTHONPATH": os.pathsep.join([str(HERE / "first_step_hook"), str(HERE.parent)]),
        "FIRST_STEP": str(step),
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "HOME": str(folder),
    }
    started, cpu_s = time.time(), 0.0
    for command in _commands(arm, workload, folder, python):
        cpu_s += _run(command, folder, environment)
    wall_s = time.time() - started
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return Passage(wall_s, cpu_s, float(step.read_text()) - started)


def _commands(arm: str, workload: Workload, folder: Path, python: str) -> list[list[str]]:
    num_seeds = workload.num_trials // 4
    given = {"data": workload.data, "epochs": workload.epochs, "seeds": num_seeds}
    words = [f"--{key}={value}" for key, value in {**given, "out": folder / "result.json"}.items()]
    program = [python, str(HERE / "peer_trials.py"), arm, *words]
    if arm == "script":
        return [[*program, f"--cell={cell}"] for cell in range(workload.num_trials)]
    if arm == "audiocls":
        file = _ablation(workload, num_seeds, folder)
        launch = ["-m", "audiocls", "sweep", "launch", str(file), "--wandb", "disabled"]
        return [[sys.executable, *launch, "--devices", "cpu", "--runs", str(folder / "runs")]]
    return [program]


def _ablation(workload: Workload, num_seeds: int, folder: Path) -> Path:
    content = {
        "name": "peers",
        "question": "How long do these trials take?",
        "recipe": "convnext1d-logmel",
        "overrides": {
            "data.name": "folder",
            "data.root": str(workload.data),
            "features.normalise": "clip",
            "train.epochs": workload.epochs,
        },
        "factors": {"model.dropout": list(DROPOUTS)},
        "blocks": {"seed": list(range(num_seeds)), "fold": [1]},
    }
    file = folder / "peers.yaml"
    file.write_text(yaml_file.dump(content), encoding="utf-8")
    return file


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> float:
    """Run a command to its end; return the CPU time of all its processes, in seconds."""
    log, used = folder / "log.txt", dict[tuple[int, float], float]()
    with log.open("ab") as output:
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
    while process.poll() is None:
        _look(process, used)
        time.sleep(LOOK_EVERY_S)
    if process.returncode:
        sys.exit(
            f"{' '.join(command)}\nexited with {process.returncode}: {log.read_text()[-4000:]}"
        )
    return sum(used.values())


def _look(parent: psutil.Popen, used: dict[tuple[int, float], float]) -> None:
    """Note the CPU time that each process has used so far."""
    for process in [parent, *_descendants(parent)]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        used[process.pid, process.create_time()] = times.user + times.system


def _descendants(parent: psutil.Popen) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = parent.children(recursive=True)
    except psutil.Error:
        return []
    return found


def _table(rounds: Sequence[dict[str, Passage]]) -> list[str]:
    """Return a line an arm: medians, and the ratios of CPU time and wall clock within a round."""
    lines = [
        "| arm | CPU s | ÷ ours | wall s | ÷ ours | first step s |",
        "|---|---|---|---|---|---|",
    ]
    for arm in rounds[0]:
        cells = [arm]
        for name in ("cpu_s", "wall_s"):
            own = [getattr(one[arm], name) for one in rounds]
            ours = [getattr(one.get("audiocls", one[arm]), name) for one in rounds]
            ratio = statistics.median(a / b for a, b in zip(own, ours, strict=True))
            cells += [f"{statistics.median(own):.1f}", f"{ratio:.1f}"]
        first = statistics.median(one[arm].first_step_s for one in rounds)
        lines.append(f"| {' | '.join([*cells, f'{first:.1f}'])} |")
    return [*lines, *(f"not run: {peer}: {why}" for peer, why in NOT_RUN.items())]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=4, help="Four trials each.")
    parser.add_argument("--clips", type=int, default=480, help="Training clips of one second.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=ARMS)
    parser.add_argument("--environment", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
