"""Records the small studies under `tests/golden/studies/` by the command line.

Run by `FREEZE=studies`; see `helpers.frozen`. The folders stay those of the version whose formats
they freeze: recorded again, they would prove nothing about studies that people have.
"""

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., object]
"""`run(*words)`: the command line in this process."""

QUIET = ("--executor", "inline", "--devices", "cpu", "--wandb", "disabled")

HOME = Path("/tmp/frozen")
"""A fixed place, since sweeps store the folder they were launched from."""

RECIPE = """\
data: {name: synthetic, num_sources: 5, clips_per_source: 2, sample_rate: 8000, duration_s: 0.5,
  difficulty: 0.0}
features: {name: logmel, n_mels: 16, n_fft: 256, hop: 128}
model: {name: convnext1d, stem_width: 16, stem_stride: 1, strides: [2], blocks: 1, kernel: 5}
optim: {name: adamw, lr: 1.0e-2}
schedule: {name: onecycle}
train: {epochs: 4, batch_size: 8}
"""

ABLATIONS = {
    "plain": """\
factors: {optim.lr: [1.0e-7], model.dropout: [0.1]}
blocks: {seed: [0, 1, 2, 3], fold: [1, 2]}
secondary: [{name: test/loss, goal: minimize}]
""",
    "other": """\
overrides: {features.n_mels: 24}
factors: {optim.lr: [1.0e-7]}
blocks: {seed: [0, 1, 2, 3], fold: [1, 2]}
secondary: [{name: test/loss, goal: minimize}]
""",
    "effects": """\
factors: {optim.lr: [3.0e-3], model.dropout: [0.1], train.label_smoothing: [0.1]}
design: both
blocks: {seed: [0, 1], fold: [1]}
""",
    "factorial": """\
factors: {optim.lr: [3.0e-3, 1.0e-2], model.dropout: [0.0, 0.3]}
design: factorial
blocks: {seed: [0, 1, 2], fold: [1]}
""",
    "fractional": """\
factors:
  optim.lr: [3.0e-3, 1.0e-2]
  model.dropout: [0.0, 0.3]
  train.label_smoothing: [0.0, 0.1]
design: fractional
resolution: 3
blocks: {seed: [0, 1], fold: [1]}
""",
    "decided": """\
metric: {name: test/loss, goal: minimize}
factors: {optim.lr: [1.0e-7], model.dropout: [0.1]}
blocks: {seed: [0, 1, 2], fold: [1, 2]}
""",
    "tuned": """\
factors: {model.dropout: [0.1]}
blocks: {seed: [0, 1], fold: [1]}
tune: {optim.lr: [1.0e-3, 1.0e-2]}
tune_trials: 2
""",
    "varied": """\
factors: {model.dropout: [0.1]}
blocks: {seed: [0, 1, 2], fold: [1, 2]}
""",
    "failed": """\
factors: {optim.lr: [3.0e-3, 1.0e+30]}
blocks: {seed: [0, 1], fold: [1]}
""",
    "pending": """\
factors: {optim.lr: [3.0e-3]}
blocks: {seed: [0, 1, 2], fold: [1]}
""",
}

SWEEPS = {
    "search": """\
method: random
metric: {name: val/loss, goal: minimize}
run_cap: 4
parameters:
  optim.lr: {distribution: log_uniform_values, min: 0.0001, max: 0.1}
  model.dropout: {values: [0.0, 0.2]}
command: [audiocls, train, --recipe, tiny, '${args_no_hyphens}']
""",
    "grid": """\
method: grid
metric: {name: val/accuracy, goal: maximize}
parameters: {optim.lr: {values: [0.01, 0.003, 1.0e-7]}, train.batch_size: {values: [4, 8]}}
early_terminate: {type: hyperband, min_iter: 2, eta: 2}
command: [audiocls, train, --recipe, tiny, '${args_no_hyphens}']
""",
    "program": """\
program: train.py
method: grid
metric: {name: loss, goal: minimize}
parameters: {lr: {values: [0.3, 0.1]}, layers: {values: [1, 3]}}
command: [python, '${program}', '${args}']
""",
}

PROGRAM = """\
import argparse

import wandb

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--layers", type=int)
given = parser.parse_args()
with wandb.init(project="mine", config=vars(given)) as run:
    if given.layers == 3 and given.lr == 0.3:
        raise ValueError("three is too many")
    for step in range(3):
        run.log({"loss": given.lr * given.layers / (step + 1)})
"""

LEFT_OUT = (
    *("checkpoint.safetensors", "resume.pt", "report.html", "log.txt", "workers.log"),
    *("*.lock", "launches", "blocks", "wandb", "__pycache__"),
)
"""What makes the copies large, or is no stored format of ours."""

WITH_CLIPS = "plain"
"""The study whose predictions and class names are kept."""


def record(run: Run, golden: Path) -> None:
    """Launch every study in `HOME` by `run(*words)`, and copy what it leaves to `golden`."""
    shutil.rmtree(HOME, ignore_errors=True)
    _write_questions(HOME)
    os.chdir(HOME)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    socket.gethostname = lambda: "frozen"
    for name in (*ABLATIONS, *SWEEPS):
        verb = ["noise"] if name == "varied" else ["sweep", "launch"]
        grow = ["--until-decided", "--max-pairs", "12"] if name == "decided" else []
        run(*verb, f"{name}.yaml", *grow, *QUIET, "--runs", "studies")
    shutil.rmtree(sorted((HOME / "studies/pending/trials").iterdir())[0])
    _copy(HOME, golden)


def _write_questions(home: Path) -> None:
    (home / "recipes").mkdir(parents=True)
    (home / "recipes/tiny.yaml").write_text(RECIPE)
    (home / "train.py").write_text(PROGRAM)
    for name, text in ABLATIONS.items():
        header = f"name: {name}\nquestion: What does {name} freeze?\nrecipe: tiny\n"
        (home / f"{name}.yaml").write_text(header + text)
    for name, text in SWEEPS.items():
        (home / f"{name}.yaml").write_text(f"name: {name}\n" + text)


def _copy(home: Path, golden: Path) -> None:
    """The files that are worth keeping; where the code lay is not."""
    shutil.rmtree(golden, ignore_errors=True)
    shutil.copytree(home, golden, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for file in [*golden.rglob("predictions.npz"), *golden.rglob("checkpoint.json")]:
        if WITH_CLIPS not in file.parts:
            file.unlink()
    root = Path(__file__).parents[2]
    for file in golden.rglob("failure.json"):
        text = file.read_text().replace(str(root), "/audiocls").replace(sys.prefix, "/venv")
        file.write_text(text)
