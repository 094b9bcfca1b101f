"""What a GPU computes alike, and how fast each form of a training step is there.

    python benchmarks/gpu.py                               # at most 8 minutes on one H200
    python benchmarks/gpu.py --json gpu.json --skip ray
    PYTHONPATH=tests python benchmarks/gpu.py --device cpu --small    # half a minute: it runs

Equalities first; where one does not hold, it exits with 1 after the table. Then arms of a workload
are timed in turn, round by round, and compared by the medians of their rounds: the host waiting for
the device in each step, as it did before; not waiting; one graph a step; a graph of several trials;
several trials fused, and that in a graph. Then as many processes, under NVIDIA's MPS where its
daemon is installed, and Ray Tune, where it is installed, as it is usually written: trials from
start to end. A graph on a CPU is the tests' tape, whose speed says nothing.
"""

import argparse
import importlib.util
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from gpu_checks import Check, checks
from gpu_processes import MPS, in_processes, under_mps
from gpu_trials import CNN, EAT, RESNET, Changes, Steps, Waiting, Workbench, without_stored

from audiocls.training.fused import FusedStep
from audiocls.training.graphed import GraphedStep
from audiocls.training.step import EagerStep

NO_MPS = f"there is no {MPS}, or no GPU"
TOO_LATE = "the time was over"
BEFORE, EAGER = "eager, waiting", "eager"
GOALS = {
    "CNN": {EAGER: 1.3, "graph": 4.0, "branches": 8.0, "fused, graph": 12.0},
    "EAT-S": {EAGER: 3.0},
}
"""Times the clips a second of the waiting host that the design wants of an H200."""
Arms = dict[str, Callable[[], Steps]]
"""Makes the steps of each arm."""
Rates = dict[str, list[float]]
"""Arm → clips a second in each round."""


@dataclass(frozen=True)
class Checked:
    """How far apart something was, or what kept it from being computed."""

    what: str
    difference: float | None
    is_held: bool
    fault: str = ""


def main() -> None:
    args = _arguments()
    torch.set_num_threads(1)  # as in a worker
    until, faults = time.monotonic() + 60 * args.minutes, Faults()
    with Workbench.opened(args.device, args.small) as bench:
        held = [_checked(check) for check in checks(bench)]
        rates = {name: _timed(name, bench, args, until, faults) for name in WORKLOADS}
        rates["CNN"] |= dict(_others(bench, args, until, faults))
    answer = {
        "device": _name(bench.device),
        "torch": torch.__version__,
        "is_small": args.small,
        "num_trials": args.trials,
        "checks": [asdict(each) for each in held],
        "clips_per_s": rates,
        "ratios": {name: _ratios(each) for name, each in rates.items()},
        "left_out": faults.told,
    }
    _show(answer)
    if args.json:
        args.json.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if all(each.is_held for each in held) else 1)


def _checked(check: Check) -> Checked:
    """Compute a check; print whether it holds."""
    difference, fault = None, ""
    try:
        difference = check.difference()
    except Exception as error:  # the others are to be known as well
        fault = f"{type(error).__name__}: {error}"
    is_held = difference is not None and difference <= check.allowed
    told = fault or f"{difference:.2g} (≤ {check.allowed:g})"
    print(f"{'holds' if is_held else 'FAILS'}  {check.what}: {told}", flush=True)
    return Checked(check.what, difference, is_held, fault)


class Faults:
    """Arms that were left out, and why; each is printed."""

    def __init__(self) -> None:
        self.told: dict[str, str] = {}

    def add(self, arm: str, why: str) -> None:
        """Note and print it."""
        self.told[arm] = why
        print(f"left out: {arm}: {why}", flush=True)

    @contextmanager
    def noted(self, arm: str) -> Iterator[None]:
        """Note what fails meanwhile, so that the other arms are timed."""
        try:
            yield
        except Exception as error:
            self.add(arm, f"{type(error).__name__}: {error}")


def _cnn(bench: Workbench, num_trials: int) -> Arms:
    made = partial(bench.of_recipe, "logmel-cnn")
    several = [{**CNN, "seed": seed} for seed in range(num_trials)]
    graphed = partial(GraphedStep, open_on=bench.open_on)
    return _alone("logmel-cnn", CNN, bench, num_trials) | {
        "branches": lambda: Steps(bench, list(map(made, several)), graphed),
        "fused": lambda: Steps(bench, list(map(made, several)), FusedStep),
        "fused, graph": lambda: Steps(
            bench, list(map(made, several)), partial(FusedStep, open_on=bench.open_on)
        ),
    }


def _alone(recipe: str, changes: Changes, bench: Workbench, _: int) -> Arms:
    made, graphed = partial(bench.of_recipe, recipe), partial(GraphedStep, open_on=bench.open_on)
    return {
        BEFORE: lambda: Steps(bench, [without_stored(made(changes))], EagerStep, Waiting()),
        EAGER: lambda: Steps(bench, [made(changes)], EagerStep),
        "graph": lambda: Steps(bench, [made(changes)], graphed),
    }


WORKLOADS: dict[str, Callable[[Workbench, int], Arms]] = {
    "CNN": _cnn,
    "EAT-S": partial(_alone, "eat-s-esc50", EAT),
    "ResNet-18": partial(_alone, "logmel-cnn", RESNET),
}


def _timed(
    name: str, bench: Workbench, args: argparse.Namespace, until: float, faults: Faults
) -> Rates:
    """Return the clips a second of each arm, in rounds as long as there is time."""
    arms: dict[str, Steps] = {}
    for arm, made in WORKLOADS[name](bench, args.trials).items():
        with faults.noted(f"{name}, {arm}"):
            steps = made()
            steps.warm_up()
            arms[arm] = steps
    rates: Rates = {arm: [] for arm in arms}
    for number in range(args.rounds):
        if number > 0 and time.monotonic() > until:
            faults.add(f"{name}, rounds {number + 1} to {args.rounds}", TOO_LATE)
            break
        for arm, steps in list(arms.items())[:: 1 if number % 2 == 0 else -1]:
            rates[arm].append(steps.clips_per_s(args.seconds))
    return rates


def _others(
    bench: Workbench, args: argparse.Namespace, until: float, faults: Faults
) -> Iterator[tuple[str, list[float]]]:
    """Yield the arms of other processes, as long as there is time for them."""
    arms: dict[str, Callable[[], float]] = {
        "processes": lambda: in_processes(args),
        "processes, MPS": lambda: under_mps(args),
        "Ray Tune": lambda: _ray_tune(bench, args),
    }
    without = (
        {} if bench.device.type == "cuda" and shutil.which(MPS) else {"processes, MPS": NO_MPS}
    )
    if "ray" in args.skip or not all(map(importlib.util.find_spec, ("ray", "pyarrow"))):
        without["Ray Tune"] = "skipped, or there is no ray[tune]"
    for name, timed in arms.items():
        if (why := without.get(name) or (TOO_LATE if time.monotonic() > until else "")) != "":
            faults.add(name, why)
            continue
        with faults.noted(name):
            yield name, [timed()]


def _ray_tune(bench: Workbench, args: argparse.Namespace) -> float:
    """Return the clips a second of as many trials by Ray Tune, from their start to their end."""
    from gpu_ray import tuned_clips_per_s

    return tuned_clips_per_s(bench, args.trials, 1 if args.small else args.tune_epochs)


def _ratios(rates: Rates) -> dict[str, float]:
    """Return each arm's median over that of the waiting host."""
    if not rates.get(BEFORE):
        return {}
    base = statistics.median(rates[BEFORE])
    return {arm: round(statistics.median(each) / base, 2) for arm, each in rates.items() if each}


def _show(answer: dict[str, Any]) -> None:
    small = ", small: speeds say nothing" if answer["is_small"] else ""
    print(f"\n{answer['device']}, torch {answer['torch']}{small}")
    print("\n| workload | arm | clips/s, median (range) | ratio | goal |\n|---|---|---|---|---|")
    for workload, rates in answer["clips_per_s"].items():
        for arm, each in rates.items():
            told = f"{statistics.median(each):,.0f} ({min(each):,.0f} to {max(each):,.0f})"
            ratio, goal = answer["ratios"][workload].get(arm), GOALS.get(workload, {}).get(arm)
            cells = ["" if ratio is None else f"{ratio:.2f}", "" if goal is None else f"≥ {goal:g}"]
            print(f"| {workload} | {arm} | {told} | {' | '.join(cells)} |")


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--small", action="store_true", help="sizes for a CPU, one short round")
    parser.add_argument("--minutes", type=float, default=7.0, help="after which no arm begins")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of an arm in a round")
    parser.add_argument("--trials", type=int, help="at once, where there are several")
    parser.add_argument("--tune-epochs", type=int, default=20)
    parser.add_argument("--skip", nargs="*", default=[], choices=["ray"])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    for name, (usual, small) in {"rounds": (5, 1), "seconds": (4.0, 0.1), "trials": (8, 2)}.items():
        if getattr(args, name) is None:
            setattr(args, name, small if args.small else usual)
    return args


if __name__ == "__main__":
    main()
