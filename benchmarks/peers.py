"""Sixteen trials of the recipe of `dropout`: as users of other tools write them, and here.

    python benchmarks/peers.py --environment ~/peers --json peers.json

Cold and alternated round by round, all arms in each. `--environment` is a virtual environment with
ray, optuna and autrainer, made if it is not there; torch and what else fits are this project's own,
so that all arms compute with the same. On a machine that others use, compare CPU time and not the
clock. Orders and masks are each tool's own: what the arms reached agrees within the seeds' spread.
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

import autrainer_project
import psutil
from peer_trials import Outcome
from workload import Workload, plain_environment, write_data

from audiocls import yaml_file
from audiocls.store import StudyFolder

HERE = Path(__file__).parent
ARMS = ("optuna", "ray", "autrainer", "script", "audiocls")
PEERS = ("ray[tune]", "optuna", f"autrainer=={autrainer_project.VERSION}")
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
    outcomes: list[Outcome]
    """Of each trial."""

    @property
    def accuracy(self) -> float:
        return statistics.fmean(each.accuracy for each in self.outcomes)

    @property
    def train_loss(self) -> float:
        return statistics.fmean(each.train_loss for each in self.outcomes)

    def told(self) -> str:
        times = f"CPU {self.cpu_s:.1f} s, wall {self.wall_s:.1f} s, first {self.first_step_s:.1f} s"
        return f"{times}, accuracy {self.accuracy:.3f}, loss {self.train_loss:.4f}"


def main() -> None:
    args = _arguments()
    python = _environment(args.environment)
    with tempfile.TemporaryDirectory(prefix="audiocls-peers-") as scratch:
        workload = Workload(Path(scratch, "data"), 4 * args.seeds, args.clips, args.epochs)
        write_data(workload)
        _list_fonts(python, Path(scratch))
        rounds = []
        for number in range(args.rounds):
            one = {}
            for arm in args.arms:
                one[arm] = _passage(arm, workload, Path(scratch, f"{number}-{arm}"), python)
                print(f"round {number + 1}, {arm}: {one[arm].told()}", file=sys.stderr)
            rounds.append(one)
    print("\n".join(_table(rounds)))
    if args.json is not None:
        values = [{arm: asdict(each) for arm, each in one.items()} for one in rounds]
        facts = {"rounds": values, "load": os.getloadavg()[0]}
        args.json.write_text(json.dumps({**facts, "trials": workload.num_trials}, indent=1))


def _environment(folder: Path) -> str:
    """Return the Python of the peers' environment; it sees this one's packages behind its own."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "project.pth").write_text(sysconfig.get_path("purelib") + "\n")
    if not (folder / ".ready").exists():
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS], check=True)
        (folder / ".ready").touch()
    return str(python)


def _passage(arm: str, workload: Workload, folder: Path, python: str) -> Passage:
    folder.mkdir()
    step = folder / "first_step"
    environment = {**_inherited(folder), "FIRST_STEP": str(step)}
    commands = _commands(arm, workload, folder, python)
    started, cpu_s = time.time(), 0.0
    for command in commands:
        cpu_s += _run(command, folder, environment)
    wall_s = time.time() - started
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return Passage(wall_s, cpu_s, float(step.read_text()) - started, _outcomes(arm, folder))


def _inherited(folder: Path) -> dict[str, str]:
    """Return what all arms find; only matplotlib's list of fonts has been made before."""
    return {
        **plain_environment(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(map(str, [HERE / "first_step_hook", HERE.parent, HERE])),
        "MPLCONFIGDIR": str(folder.parent / "matplotlib"),
        "RAY_ADDRESS": "local",  # and not another cluster of this machine, or what one left behind
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "HOME": str(folder),
    }


def _commands(arm: str, workload: Workload, folder: Path, python: str) -> list[list[str]]:
    """Write what an arm needs into its folder; return its command lines."""
    if arm == "autrainer":
        return autrainer_project.commands(workload, folder, python)
    num_seeds = workload.num_trials // 4
    if arm == "audiocls":
        file = _ablation(workload, num_seeds, folder)
        launch = ["-m", "audiocls", "sweep", "launch", str(file), "--wandb", "disabled"]
        return [[sys.executable, *launch, "--devices", "cpu", "--runs", str(folder / "runs")]]
    given = {"data": workload.data, "epochs": workload.epochs, "seeds": num_seeds}
    words = [f"--{key}={value}" for key, value in given.items()]
    program = [python, str(HERE / "peer_trials.py"), arm, *words]
    cells = range(workload.num_trials) if arm == "script" else [0]
    return [[*program, f"--cell={cell}", f"--out={folder}/result-{cell}.json"] for cell in cells]


def _outcomes(arm: str, folder: Path) -> list[Outcome]:
    """Return what the trials of an arm reached; all of them have to have reached something."""
    if arm == "autrainer":
        return autrainer_project.outcomes(folder)
    if arm == "audiocls":
        return _own_outcomes(StudyFolder(folder / "runs" / "peers"))
    files = sorted(folder.glob("result-*.json"))
    return [Outcome(*each) for file in files for each in json.loads(file.read_text())]


def _own_outcomes(folder: StudyFolder) -> list[Outcome]:
    cells = folder.study().cells
    records, histories = folder.records(cells), folder.histories(cells)
    return [
        Outcome(record.metrics["test/accuracy"], histories[trial][-1]["train/loss"])
        for trial, record in records.items()
    ]


def _list_fonts(python: str, scratch: Path) -> None:
    """Let matplotlib list the machine's fonts, as it does once on each machine."""
    environment = {**os.environ, "MPLCONFIGDIR": str(scratch / "matplotlib")}
    subprocess.run([python, "-c", "import matplotlib.font_manager"], env=environment, check=True)


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
        "| arm | CPU s | ÷ ours | wall s | ÷ ours | first step s | accuracy | last loss |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm in rounds[0]:
        cells = [arm]
        for name in ("cpu_s", "wall_s"):
            own = [getattr(one[arm], name) for one in rounds]
            ours = [getattr(one.get("audiocls", one[arm]), name) for one in rounds]
            ratio = statistics.median(a / b for a, b in zip(own, ours, strict=True))
            cells += [f"{statistics.median(own):.1f}", f"{ratio:.1f}"]
        first = statistics.median(one[arm].first_step_s for one in rounds)
        reached = [f"{rounds[0][arm].accuracy:.3f}", f"{rounds[0][arm].train_loss:.3f}"]
        lines.append(f"| {' | '.join([*cells, f'{first:.1f}', *reached])} |")
    return lines


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
