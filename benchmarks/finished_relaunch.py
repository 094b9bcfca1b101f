"""How long `audiocls sweep launch` takes on a study whose trials are all finished.

The study is resolved from a real ablation, and its records and histories are made up: this
measures reading and comparing, and no number in the report it writes means anything.

    python benchmarks/finished_relaunch.py --records 10000
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workload import console_script, plain_environment

from audiocls import yaml_file
from audiocls.design import plan
from audiocls.store import Cell, Cost, Provenance, Record, StudyFolder
from audiocls.studies.request import ablation_request
from audiocls.studies.resolve import Resolved, configs_of, study_of

NUM_ARMS, NUM_FOLDS = 20, 5
NUM_EPOCHS = 20
STUDY = "finished"


@dataclass(frozen=True)
class Relaunch:
    """Wall time of the whole command, the median of the repeats."""

    num_records: int
    seconds: float


def measure(num_records: int, folder: Path, repeats: int = 3) -> Relaunch:
    """Make up a study of `num_records` (rounded up to whole seeds), and launch it again."""
    folder.mkdir(parents=True)
    ablation = _write_ablation(num_records, folder / f"{STUDY}.yaml")
    environment = plain_environment(folder / "cache")
    found = _resolved(ablation, folder / "cache")
    _write_study(found, StudyFolder(folder / "runs" / STUDY))
    command = [console_script(), "sweep", "launch", str(ablation), "--runs", str(folder / "runs")]
    times = [_timed_s(command, environment, folder) for _ in range(repeats)]
    return Relaunch(len(found.study.cells), statistics.median(times))


def _timed_s(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> float:
    started = time.monotonic()
    done = subprocess.run(
        [*command, "--max-hours=0"], cwd=folder, env=environment, capture_output=True, text=True
    )
    seconds = time.monotonic() - started
    if done.returncode or "0 trained" not in done.stdout + done.stderr:
        sys.exit(f"the relaunch was to train nothing:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds


def _write_ablation(num_records: int, file: Path) -> Path:
    num_seeds = max(1, -(-num_records // (NUM_ARMS * NUM_FOLDS)))
    content = {
        "name": STUDY,
        "question": "How long does reading take?",
        "recipe": "logmel-cnn",
        "arms": {f"arm-{i:02d}": {"optim.lr": 0.001 * (i + 1)} for i in range(NUM_ARMS)},
        "blocks": {"seed": list(range(num_seeds)), "fold": list(range(1, NUM_FOLDS + 1))},
    }
    file.write_text(yaml_file.dump(content), encoding="utf-8")
    return file


def _resolved(ablation: Path, cache: Path) -> Resolved:
    """As the command resolves it; the embedded data set is made here, before anything is timed."""
    asked = replace(ablation_request(str(ablation)), study=STUDY)
    chosen = plan(asked.ablation)
    configs = configs_of(chosen, asked.recipe, asked.overrides)
    return study_of(chosen, configs, asked.overrides, cache, STUDY, asked.stored())


def _write_study(found: Resolved, folder: StudyFolder) -> None:
    folder.write_study(found.study)
    draw = random.Random(0)
    fingerprint = next(iter(found.fingerprints.values()))
    for cell in found.study.cells:
        trial = folder.trial(cell.id)
        trial.finish(_made_up(cell, fingerprint, draw))
        rows = [_row(epoch, draw) for epoch in range(1, NUM_EPOCHS + 1)]
        (trial.path / "history.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def _made_up(cell: Cell, fingerprint: str, draw: random.Random) -> Record:
    return Record(
        id=cell.id,
        seed=cell.seed,
        fold=cell.fold,
        attempt=1,
        metrics={
            "test/accuracy": draw.randrange(60, 80) / 80,
            "test/loss": draw.random(),
            "val/accuracy": draw.randrange(60, 80) / 80,
            "val/loss": draw.random(),
            "best/epoch": float(NUM_EPOCHS),
        },
        cost=Cost(61066, 3_000_000, NUM_EPOCHS, 160, 4800, 160, 4.0, 4.0, 400.0),
        provenance=Provenance(
            "made-up", "0", "3.11", "2.11.0", "cpu", fingerprint, "nowhere", "never", "never"
        ),
        num_train=240,
        num_val=80,
        num_test=80,
    )


def _row(epoch: int, draw: random.Random) -> dict[str, float]:
    return {
        "epoch": float(epoch),
        "train/loss": draw.random(),
        "lr": 0.003 * draw.random(),
        "val/accuracy": draw.random(),
        "val/loss": draw.random(),
        "seconds": draw.random(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--keep", type=Path, help="make the study here, and leave it for a profile")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or Path(scratch)
        for name, count in (("small", 1), ("large", args.records)):
            measured = measure(count, root / name)
            print(f"{measured.num_records:6d} finished trials: {measured.seconds:.2f} s")


if __name__ == "__main__":
    main()
