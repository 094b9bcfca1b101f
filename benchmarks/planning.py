"""How long a large ablation takes to plan, and to launch until its first trial would start.

Counted is CPU time of whole commands, imports among it, each in a process of its own. Another
version of the package is measured in turn, if its folder is named.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SHAPES = {
    "20,000 levels": (20_000, 1),
    "1,000 arms × 10 blocks": (1_000, 10),
    "100 arms × 100 blocks": (100, 100),
}
"""Levels of one factor, and seeds."""
PLAN = """
import sys
from audiocls.__main__ import main
sys.argv[1:] = ["sweep", "plan", sys.argv[1]]
main()
"""
LAUNCH = """
import os, sys
from audiocls.__main__ import main
from audiocls.studies.options import LaunchOptions
def begin(*_): os._exit(0)
LaunchOptions.open_workers = lambda *_: begin  # called when the first trial would start
options = ["--runs", sys.argv[2], "--wandb", "disabled", "--devices", "cpu"]
sys.argv[1:] = ["sweep", "launch", sys.argv[1], *options]
main()
"""
IMPORTS = "import audiocls.cli.sweep.plan, audiocls.api.planning"
PROGRAMS = {"plan": PLAN, "launch": LAUNCH, "imports of a plan": IMPORTS}


def write_ablation(file: Path, num_levels: int, num_seeds: int) -> None:
    """Write an ablation of learning rates, none of which is the recipe's own."""
    levels = ", ".join(f"{(2 * level + 1) * 5e-7:.7f}" for level in range(num_levels))
    file.write_text(
        f"name: {file.stem}\nquestion: Which rate?\nrecipe: logmel-cnn\n"
        f"factors: {{optim.lr: [{levels}]}}\n"
        f"blocks: {{seed: {list(range(num_seeds))}, fold: [1]}}\n"
    )


def cpu_seconds(program: str, version: Path, ablation: Path, cache: Path) -> float:
    """Return the CPU time, user and system, of a process that runs the program."""
    before = os.times()
    with tempfile.TemporaryDirectory() as runs:
        subprocess.run(
            [sys.executable, "-c", program, str(ablation), runs],
            cwd=ablation.parent,
            env={**os.environ, "PYTHONPATH": str(version), "AUDIOCLS_CACHE": str(cache)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def measure(versions: list[Path], rounds: int, folder: Path) -> None:
    """Print the least and the median time of each program on each shape, by version."""
    for at, (shape, (num_levels, num_seeds)) in enumerate(SHAPES.items()):
        ablation = folder / f"shape{at}.yaml"
        write_ablation(ablation, num_levels, num_seeds)
        for name, program in PROGRAMS.items():
            times: dict[Path, list[float]] = {version: [] for version in versions}
            for _ in range(rounds):
                for version in versions:
                    times[version].append(cpu_seconds(program, version, ablation, folder / "cache"))
            for version, seconds in times.items():
                least, median = min(seconds), statistics.median(seconds)
                print(f"{shape:24} {name:18} {least:.2f} s ({median:.2f})  {version}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--other", type=Path, help="folder of another version of the package")
    given = parser.parse_args()
    here = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as work:
        measure([here, *([given.other] if given.other else [])], given.rounds, Path(work))
