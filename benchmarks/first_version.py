"""CPU time of a trial as it is now, beside the version before the redesign, in one run.

    python benchmarks/first_version.py --rounds 5

Of each version a warm process trains the same trials of shipped ablations in turn, on one thread,
with tracking off; the old version is taken from git. Both must reach the same metrics to the bit.
As a script with `--inside` it is that process: a line on standard input is a trial.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIRST = "36f99ab"
"""The last commit before the redesign; the tree of packages was another one."""
WANTED = {"dropout": 1.25, "n_mels": 1.45}

Trainer = Callable[[int], Path]
"""Trains the trial of a number, and returns its folder."""


def main() -> None:
    args = _arguments()
    if args.inside:
        _inside(args.inside, Path(args.folder))
        return
    with tempfile.TemporaryDirectory(prefix="audiocls-first-") as scratch:
        old = _checked_out(args.commit, Path(scratch) / "tree")
        for name in args.ablations:
            then = _Process(old, name, Path(scratch) / "then")
            now = _Process(ROOT, name, Path(scratch) / "now")
            _compare(name, then, now, args.rounds)


def _compare(name: str, then: "_Process", now: "_Process", num_rounds: int) -> None:
    """Print CPU seconds of both, and the ratio of their least and of the median pair."""
    pairs, are_equal = [], True
    for number in range(num_rounds + 1):
        old, new = then.trial(number), now.trial(number)
        are_equal &= old["metrics"] == new["metrics"]
        pairs.append((old["seconds"], new["seconds"]))
    counted = pairs[1:]  # the first opens the data
    least = [min(times) for times in zip(*counted, strict=True)]
    ratio = statistics.median(old / new for old, new in counted)
    print(
        f"{name}: {least[0]:.2f} s then, {least[1]:.2f} s now at least; "
        f"ratio {ratio:.2f} (median), {least[0] / least[1]:.2f} (least), wanted {WANTED[name]}; "
        f"metrics {'equal to the bit' if are_equal else 'DIFFER'}",
        flush=True,
    )


class _Process:
    """A warm process of one version."""

    def __init__(self, tree: Path, ablation: str, folder: Path):
        from audiocls.execution.devices import TUNED  # not in the old version's process

        file = tree / "ablations" / f"{ablation}.yaml"
        folder.mkdir(exist_ok=True)
        known = {"PYTHONPATH": str(tree), "AUDIOCLS_CACHE": str(folder / "cache")}
        tuned = {**TUNED, "WANDB_MODE": "disabled"}  # as workers of either version have it
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--inside", str(file), "--folder", str(folder)],
            cwd=tree,
            env={**os.environ, **tuned, **known},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def trial(self, number: int) -> dict[str, Any]:
        """Return `seconds` of CPU time and `metrics` of a trial."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(number, file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _inside(ablation: str, folder: Path) -> None:
    import torch

    torch.set_num_threads(1)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed
    is_new = (Path(os.environ["PYTHONPATH"]) / "audiocls" / "execution").is_dir()
    trained = (_now if is_new else _then)(ablation, folder)
    for line in sys.stdin:
        started = time.process_time()
        trial = trained(int(line))
        seconds = time.process_time() - started
        metrics = json.loads((trial / "record.json").read_text())["metrics"]
        print(json.dumps({"seconds": seconds, "metrics": metrics}), file=out, flush=True)


def _now(ablation: str, folder: Path) -> Trainer:
    from audiocls.execution.job import TrackingConfig
    from audiocls.execution.trial import train_trial
    from audiocls.execution.worker_cache import WorkerCache
    from audiocls.store import StudyFolder
    from audiocls.studies.ablation import resolved
    from audiocls.studies.request import ablation_request
    from audiocls.studies.resolve import job_of
    from audiocls.training.fit import Signal

    found, warm = resolved(ablation_request(ablation)), WorkerCache(folder / "cache")
    cells = [cell for cell in found.study.cells if cell.arm == found.study.baseline]
    study, tracking = StudyFolder(folder / found.study.name), TrackingConfig("disabled", "audiocls")

    def trained(number: int) -> Path:
        job = job_of(cells[number % len(cells)], found, study, tracking)
        train_trial(job, warm, lambda event: None, lambda: Signal.CONTINUE)
        return job.trial.path

    return trained


def _then(ablation: str, folder: Path) -> Trainer:
    from audiocls.cli.studies import request, resolved  # type: ignore[import-not-found]
    from audiocls.run.task import Places, Tracking, task_of  # type: ignore[import-not-found]
    from audiocls.run.trial import train_trial  # type: ignore[import-not-found]
    from audiocls.run.warm import Warm  # type: ignore[import-not-found]
    from audiocls.train.fit import Signal  # type: ignore[import-not-found]

    found, warm = resolved(request(ablation, None, [])), Warm(folder / "cache")
    cells = [cell for cell in found.study.cells if cell.arm == found.study.baseline]
    places, tracking = Places(folder / "study", folder / "cache"), Tracking("disabled", "audiocls")

    def trained(number: int) -> Path:
        cell = cells[number % len(cells)]
        task = task_of(cell, found, places, tracking)
        train_trial(task, warm, lambda event: None, lambda: Signal.GO)
        return folder / "study" / "trials" / str(cell.id)

    return trained


def _checked_out(commit: str, tree: Path) -> Path:
    """Return the files of a commit in `tree`."""
    packed = subprocess.check_output(["git", "archive", commit], cwd=ROOT)
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(tree, filter="data")
    return tree


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="up to 9")
    parser.add_argument("--ablations", nargs="+", default=list(WANTED), choices=WANTED)
    parser.add_argument("--commit", default=FIRST, help="a version from before the redesign")
    parser.add_argument("--inside", metavar="ABLATION", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
