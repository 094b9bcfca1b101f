"""Trials an hour: the usual way against `audiocls sweep launch`, alternated in one call.

    python benchmarks/sweep_throughput.py --rounds 3 --json

Same model, data, epochs, batches and seeds; both arms log to W&B offline, and audiocls starts each
round without anything cached. A ratio counts only if the losses of both arms are equal.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import arms
import finished_relaunch
import first_step
import machine_limit
from arms import Passage
from workload import BATCH_SIZE, RATES, Workload, write_ablation, write_data

from audiocls.execution.devices import num_cores

TOLERANCE = 1e-4
"""Of mean training losses, relative; fp32 sums in another order on another number of threads."""
MAX_COMPARED_STEPS = 50
"""Rounding errors grow with training, so only epochs within these steps are compared."""

SETTINGS = """\
usual     one process a trial, one after another; soundfile and torchaudio in __getitem__,
          DataLoader with 2 workers kept over epochs, fp32, {cores} threads, W&B offline
audiocls  `audiocls sweep launch` on an empty cache: {cores} persistent one-thread workers, packed
          clips and cached features, fp32, W&B offline, report included
limit     {cores} processes of one thread on features in memory: no start, tracking or records
both      logmel_cnn on 64 mel bands normalised per clip, AdamW, one-cycle, batches of {batch},
          learning rates {rates}; {trials} trials of {clips} one-second clips
          × {epochs} epochs, {held_out} clips each for validation and test"""


@dataclass(frozen=True)
class Round:
    """Both arms and the limit, one after the other."""

    usual: Passage
    ours: Passage
    limit: float
    """Trials an hour."""

    @property
    def ratio(self) -> float:
        return self.ours.trials_per_hour / self.usual.trials_per_hour

    @property
    def fraction(self) -> float:
        return self.ours.trials_per_hour / self.limit

    def accuracy_difference(self) -> float:
        """The largest one over trials, on the test clips."""
        return max(abs(a - self.ours.accuracies[cell]) for cell, a in self.usual.accuracies.items())

    def loss_difference(self, num_epochs: int) -> float:
        """The largest relative one over trials and the first epochs."""
        return max(
            abs(usual - ours) / abs(usual)
            for cell, losses in self.usual.losses.items()
            for usual, ours in islice(zip(losses, self.ours.losses[cell], strict=True), num_epochs)
        )


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory(prefix="audiocls-throughput-") as scratch:
        root = Path(scratch)
        workload = Workload(root / "data", args.trials, args.clips, args.epochs)
        print(_settings(workload))
        write_data(workload)
        ablation = write_ablation(workload, root / "throughput.yaml")
        rounds = measured_rounds(workload, ablation, root, args.rounds)
        answer = {**compared(rounds, workload), **_beside(ablation, root, args.records)}
    print(described(answer))
    if args.json:
        print(json.dumps(answer))


def measured_rounds(workload: Workload, ablation: Path, root: Path, num_rounds: int) -> list[Round]:
    """A B limit, A B limit, …: what disturbs the machine disturbs both arms."""
    features = machine_limit.write_features(workload, root / "features.pt")
    rounds = []
    for number in range(num_rounds):
        found = Round(
            arms.usual(workload, root / f"usual-{number}"),
            arms.audiocls(ablation, root / f"audiocls-{number}"),
            machine_limit.trials_per_hour(workload, features),
        )
        rounds.append(found)
        print(
            f"round {number + 1}: usual {found.usual.trials_per_hour:7.1f} trials/h, audiocls "
            f"{found.ours.trials_per_hour:7.1f}, ratio {found.ratio:.2f}, limit {found.limit:.0f} "
            f"(load {os.getloadavg()[0]:.1f})",
            flush=True,
        )
    return rounds


def compared(rounds: Sequence[Round], workload: Workload) -> dict[str, Any]:
    """What the rounds amount to."""
    steps_an_epoch = -(-workload.num_clips // BATCH_SIZE)
    num_epochs = max(1, min(workload.epochs, MAX_COMPARED_STEPS // steps_an_epoch))
    difference = max(found.loss_difference(num_epochs) for found in rounds)
    ratios = [found.ratio for found in rounds]
    return {
        "ratio_median": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "losses_equal": difference <= TOLERANCE,
        "loss_difference": difference,
        "accuracy_difference": max(found.accuracy_difference() for found in rounds),
        "epochs_compared": num_epochs,
        "usual_trials_per_hour": [found.usual.trials_per_hour for found in rounds],
        "audiocls_trials_per_hour": [found.ours.trials_per_hour for found in rounds],
        "limit_trials_per_hour": [found.limit for found in rounds],
        "fraction_of_limit": statistics.median(found.fraction for found in rounds),
        "peak_memory_mib": max(found.ours.peak_memory_mib for found in rounds),
    }


def _beside(ablation: Path, root: Path, num_records: int) -> dict[str, Any]:
    """The measurements that have one arm only."""
    steps = first_step.measure(ablation, root / "first-step")
    answer: dict[str, Any] = {"first_step": {name: asdict(step) for name, step in steps.items()}}
    if num_records:
        sizes = {"small": 1, "large": num_records}
        answer["relaunch"] = {
            name: asdict(finished_relaunch.measure(count, root / f"relaunch-{name}"))
            for name, count in sizes.items()
        }
    return answer


def described(answer: dict[str, Any]) -> str:
    """The numbers as text for people."""
    verdict = "equal" if answer["losses_equal"] else "NOT EQUAL: the ratio does not count"
    lines = [
        f"ratio {answer['ratio_median']:.2f} (from {answer['ratio_min']:.2f} to "
        f"{answer['ratio_max']:.2f}), {100 * answer['fraction_of_limit']:.0f} % of the limit",
        f"losses {verdict}: {answer['loss_difference']:.1e} apart at most, relative, over "
        f"{answer['epochs_compared']} epochs (allowed {TOLERANCE:.0e})",
        f"test accuracies {answer['accuracy_difference']:.3f} apart at most",
        f"peak memory of a worker {answer['peak_memory_mib']:.0f} MiB",
    ]
    for name, step in answer["first_step"].items():
        lines.append(
            f"first step of a later trial, normalise={name}: {step['beyond_build_ms']:.0f} ms "
            f"beyond building the model ({step['build_ms']:.1f} ms)"
        )
    for relaunch in answer.get("relaunch", {}).values():
        lines.append(
            f"relaunch of {relaunch['num_records']} finished trials: {relaunch['seconds']:.2f} s"
        )
    return "\n".join(lines)


def _settings(workload: Workload) -> str:
    return SETTINGS.format(
        cores=num_cores(),
        batch=BATCH_SIZE,
        rates=" and ".join(map(str, RATES)),
        trials=len(workload.cells),
        clips=workload.num_clips,
        epochs=workload.epochs,
        held_out=workload.num_held_out,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=16, help=f"a multiple of {len(RATES)}")
    parser.add_argument("--clips", type=int, default=1024, help="for training")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--records", type=int, default=10_000, help="of the relaunch; 0 skips it")
    parser.add_argument("--json", action="store_true", help="end with a line of JSON")
    args = parser.parse_args()
    if args.trials < len(RATES) or args.trials % len(RATES):
        parser.error(f"--trials: got {args.trials}; wanted: a multiple of {len(RATES)}")
    return args


if __name__ == "__main__":
    main()
