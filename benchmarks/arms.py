"""The two arms of `sweep_throughput`, each from its command lines to its losses."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workload import BATCH_SIZE, STUDY, Cell, Workload, console_script, plain_environment

from audiocls.store import StudyFolder

USUAL = Path(__file__).with_name("usual_train.py")


@dataclass(frozen=True)
class Passage:
    """All trials of a workload, trained once by one arm."""

    seconds: float
    losses: dict[Cell, list[float]]
    """Mean training loss of each epoch."""
    accuracies: dict[Cell, float]
    """On the test clips."""
    peak_memory_mib: float = 0.0
    """Of the largest worker; 0 where nobody measures it."""

    @property
    def trials_per_hour(self) -> float:
        return 3600 * len(self.losses) / self.seconds


def usual(workload: Workload, folder: Path) -> Passage:
    """One process per trial, one after another."""
    results = {cell: folder / f"{cell[0]}-{cell[1]}" for cell in workload.cells}
    for out in results.values():
        out.mkdir(parents=True)
    started = time.monotonic()
    for (lr, seed), out in results.items():
        options = {
            "data": workload.data,
            "out": out,
            "lr": lr,
            "seed": seed,
            "epochs": workload.epochs,
            "batch-size": BATCH_SIZE,
        }
        words = [f"--{key}={value}" for key, value in options.items()]
        _run([sys.executable, str(USUAL), *words], folder, folder / "cache")
    seconds = time.monotonic() - started
    answers = {cell: json.loads((out / "result.json").read_text()) for cell, out in results.items()}
    losses = {cell: [row["train/loss"] for row in a["rows"]] for cell, a in answers.items()}
    return Passage(seconds, losses, {cell: a["test/accuracy"] for cell, a in answers.items()})


def audiocls(ablation: Path, folder: Path) -> Passage:
    """`audiocls sweep launch`: nothing trained, decoded or cached before."""
    folder.mkdir(parents=True)
    command = [console_script(), "sweep", "launch", str(ablation), "--runs", str(folder / "runs")]
    started = time.monotonic()
    _run([*command, "--devices", "cpu", "--wandb", "offline"], folder, folder / "cache")
    seconds = time.monotonic() - started
    return _read(StudyFolder(folder / "runs" / STUDY), seconds)


def _read(folder: StudyFolder, seconds: float) -> Passage:
    study = folder.study()
    records, histories = folder.records(study.cells), folder.histories(study.cells)
    cells = {cell.id: (float(study.arms[cell.arm]["optim.lr"]), cell.seed) for cell in study.cells}
    return Passage(
        seconds=seconds,
        losses={cells[i]: [row["train/loss"] for row in histories[i]] for i in cells},
        accuracies={cells[i]: records[i].metrics["test/accuracy"] for i in cells},
        peak_memory_mib=max(record.cost.peak_memory_mib for record in records.values()),
    )


def _run(command: Sequence[str], folder: Path, cache: Path) -> None:
    """To its end; what it says is shown only if it fails."""
    done = subprocess.run(
        command, cwd=folder, env=plain_environment(cache), capture_output=True, text=True
    )
    if done.returncode:
        said = done.stdout[-2000:] + done.stderr[-4000:]
        sys.exit(f"{' '.join(command)}\nexited with {done.returncode}:{os.linesep}{said}")
