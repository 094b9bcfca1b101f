"""How long `audiocls report` takes on a study of ten thousand finished trials, and how much memory.

The study's files are real and what is in them is made up: nothing in its reports means anything.

    python benchmarks/report_speed.py --trials 10000

Two shapes: many arms (a hundred, on seeds × 5 folds) and many pairs (two arms). Measured is the
whole command, from its start to its end; memory is its peak, all that its process held at once.
`clips` reads every trial's predictions as well, which a page does of a thousand trials at most.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from workload import console_script, plain_environment

from audiocls import library, yaml_file
from audiocls.config import identity_config, resolve
from audiocls.store import Cell, Cost, Provenance, Record, Study, StudyFolder, TrialFolder

MAX_S, MAX_MIB = 10.0, 1024.0
"""What a report may take."""
NUM_FOLDS, NUM_EPOCHS = 5, 5
NUM_CLIPS, NUM_CLASSES = 80, 10
"""Of a test fold."""
RECIPE = "logmel-cnn"
SHAPES = {"arms": 100, "pairs": 2}
"""Arms of the study, the baseline with them."""
FORMATS = {
    "terminal": (),
    "json": ("--json",),
    "clips": ("--clips",),
    "md": ("--format=md",),
    "tex": ("--format=tex",),
    "html": ("--format=html",),
}


@dataclass(frozen=True)
class Measured:
    """One command, from its start to its end."""

    seconds: float
    cpu_s: float
    """Of the processor: what would be left of the seconds if nothing else ran."""
    peak_mib: float

    @property
    def is_within(self) -> bool:
        return self.seconds <= MAX_S and self.peak_mib <= MAX_MIB


def measure(name: str, words: Sequence[str], root: Path) -> Measured:
    """`audiocls report NAME` with these words."""
    command = [console_script(), "report", name, "--runs", str(root / "runs"), *words]
    started = time.monotonic()
    with (root / "out.txt").open("w") as out:
        process = subprocess.Popen(
            command, env=plain_environment(root / "cache"), stdout=out, stderr=out
        )
        _, status, usage = os.wait4(process.pid, 0)  # this child's memory, and nobody else's
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} failed:\n{(root / 'out.txt').read_text()[-2000:]}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def write_study(name: str, num_arms: int, num_trials: int, root: Path) -> int:
    """A finished study of `num_trials` (rounded up to whole seeds); how many it has."""
    num_seeds = max(1, -(-num_trials // (num_arms * NUM_FOLDS)))
    arms = ["base", *(f"arm-{i:02d}" for i in range(1, num_arms))]
    blocks = [(s, f) for s in range(num_seeds) for f in range(1, NUM_FOLDS + 1)]
    places = [(arm, *block) for block in blocks for arm in arms]
    cells = tuple(Cell(f"{i:012x}", *place) for i, place in enumerate(places))
    folder = StudyFolder(root / "runs" / name)
    folder.write_study(_study(name, arms, cells))
    draw, config = random.Random(0), _config()
    for cell in cells:
        _write_trial(folder.trial(cell.id), cell, draw)
        (folder.trial(cell.id).path / "config.yaml").write_text(config)
    return len(cells)


def _config() -> str:
    """The same in every trial: nothing in a report looks at its seed or fold."""
    return yaml_file.dump(identity_config(resolve([library.recipe(RECIPE)], RECIPE)))


def _study(name: str, arms: Sequence[str], cells: tuple[Cell, ...]) -> Study:
    changes = {arm: {"optim.lr": 0.001 * i} if i else {} for i, arm in enumerate(arms)}
    return Study(
        name=name,
        question="How long does a report take?",
        recipe=RECIPE,
        design="ofat",
        metric="test/accuracy",
        goal="maximize",
        baseline=arms[0],
        arms=changes,
        cells=cells,
        factors={"optim.lr": [0.001 * i for i in range(1, len(arms))]},
        command=f"audiocls sweep launch {name}",
    )


def _write_trial(trial: TrialFolder, cell: Cell, draw: random.Random) -> None:
    scored = _predictions(cell, draw)
    accuracy = float((scored["logits"].argmax(1) == scored["labels"]).mean())
    trial.write_history([_row(epoch, draw) for epoch in range(1, NUM_EPOCHS + 1)])
    trial.write_predictions(scored)
    trial.write_checkpoint(b"", {"labels": [f"class {i}" for i in range(NUM_CLASSES)]})
    trial.finish(_record(cell, accuracy, draw))


def _predictions(cell: Cell, draw: random.Random) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(draw.getrandbits(32))
    names = [f"{cell.fold}-{i:05d}" for i in range(NUM_CLIPS)]
    labels = np.arange(NUM_CLIPS) % NUM_CLASSES
    logits = rng.normal(size=(NUM_CLIPS, NUM_CLASSES)) + 3 * np.eye(NUM_CLASSES)[labels]
    clips = np.array([f"{name}.wav" for name in names])
    return {
        "clips": clips,
        "sources": np.array(names),
        "labels": labels,
        "logits": logits.astype(np.float32),
    }


def _record(cell: Cell, accuracy: float, draw: random.Random) -> Record:
    others = ("balanced_accuracy", "f1", "map", "auroc", "calibration_error", "loss")
    return Record(
        id=cell.id,
        seed=cell.seed,
        fold=cell.fold,
        attempt=1,
        metrics={
            "test/accuracy": accuracy,
            **{f"test/{name}": draw.random() for name in others},
            "val/accuracy": accuracy,
            "val/loss": draw.random(),
            "best/epoch": float(NUM_EPOCHS),
        },
        cost=Cost(61066, 3_000_000, NUM_EPOCHS, 40, 1200, 40, 4.0, 4.0, 400.0),
        provenance=Provenance(
            *("made-up", "0", "3.11", "2.11.0", "cpu", "made-up", "nowhere", "never", "never"),
            protocol="train.select=val/accuracy train.patience=0",
        ),
        num_train=240,
        num_val=80,
        num_test=NUM_CLIPS,
        test_clips=f"{cell.fold:012x}",
        first_losses=tuple(draw.random().hex() for _ in range(4)),
    )


def _row(epoch: int, draw: random.Random) -> dict[str, float]:
    values = ("train/loss", "lr", "train/grad_norm", "val/accuracy", "val/loss", "seconds")
    return {"epoch": float(epoch), **{name: draw.random() for name in values}}


def main() -> None:
    args = _arguments()
    answer: dict[str, Mapping[str, object]] = {}
    with tempfile.TemporaryDirectory(prefix="audiocls-report-") as scratch:
        root = args.keep or Path(scratch)
        for shape in args.shapes:
            count = write_study(shape, SHAPES[shape], args.trials, root)
            found = {form: measure(shape, FORMATS[form], root) for form in args.formats}
            for form, each in found.items():
                told = "" if each.is_within else f"  beyond {MAX_S:g} s or {MAX_MIB:g} MiB"
                print(
                    f"{shape:6s} {count} trials, {form:8s} {each.seconds:6.2f} s "
                    f"({each.cpu_s:.2f} of the processor) {each.peak_mib:5.0f} MiB{told}",
                    flush=True,
                )
            answer[shape] = {form: asdict(each) for form, each in found.items()}
    if args.json:
        print(json.dumps(answer))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS))
    parser.add_argument("--keep", type=Path, help="make the studies here, and leave them")
    parser.add_argument("--json", action="store_true", help="end with a line of JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
