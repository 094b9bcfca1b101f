"""How much of the package one has to read to follow a flow: files, frames, small modules.

    python benchmarks/reading_distance.py

Files are those of the package in which a function ran, without what runs at import. Frames are the
package's own on the stack at the first `Optimizer.step`. A small module has fewer than 50 lines and
exactly one importer in the package.
"""

import argparse
import ast
import inspect
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parent.parent
GOALS = {
    "files until the first optimiser step of `sweep launch`": 143,
    "frames at that step": 19,
    "files of `report`": 60,
    "percent of lines in small modules": 3.0,
}
SMALL = 50
"""Lines; a shorter module with one importer is small."""
NAME = "reading"
RECIPE = """
data: {name: synthetic, num_sources: 5, clips_per_source: 1, sample_rate: 8000, duration_s: 0.5}
features: {name: logmel, n_mels: 16, n_fft: 256, hop: 128}
model: {name: logmel_cnn, channels: [8, 8, 8, 8]}
optim: {name: adamw, lr: 3.0e-3}
schedule: {name: onecycle}
train: {epochs: 1, batch_size: 8}
"""
ABLATION = f"""
name: {NAME}
question: Which files does one read?
recipe: tiny.yaml
factors: {{model.dropout: [0.1, 0.5]}}
blocks: {{seed: [0, 1], fold: [1]}}
"""
INLINE = ["--wandb", "disabled", "--executor", "inline"]
ONE_TRIAL = ["--arms", "dropout=0.1", "--seeds", "0", "--folds", "1"]


class Trace:
    """The files and functions of a package that run in this process."""

    def __init__(self, package: Path):
        self.functions: set[tuple[str, str, int]] = set()
        self._prefix = f"{package}{os.sep}"
        self._is_own: dict[Any, bool] = {}

    def start(self) -> None:
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not self.is_function(frame):
            return
        if not self._is_importing(frame):
            code = frame.f_code
            self.functions.add((code.co_filename, code.co_qualname, code.co_firstlineno))

    def is_function(self, frame: FrameType) -> bool:
        """Whether it is a function of the package, and no body of a module or a class."""
        code = frame.f_code
        if code not in self._is_own:
            is_optimized = bool(code.co_flags & inspect.CO_OPTIMIZED)
            self._is_own[code] = is_optimized and code.co_filename.startswith(self._prefix)
        return self._is_own[code]

    def _is_importing(self, frame: FrameType | None) -> bool:
        while frame is not None:
            if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
                return True
            frame = frame.f_back
        return False

    def files(self) -> list[str]:
        return sorted({file for file, _, _ in self.functions})

    def stack(self) -> list[str]:
        """The package's functions on this thread's stack, the outermost first."""
        names: list[str] = []
        frame: FrameType | None = inspect.currentframe()
        while frame is not None:
            if self.is_function(frame):
                names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_qualname}")
            frame = frame.f_back
        return names[::-1]


def trace_until_step(words: list[str]) -> None:
    """Run a command until an optimiser's first step; print what ran, and end the process."""
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    import audiocls
    from audiocls.cli import app

    trace = Trace(Path(audiocls.__file__).parent)

    def end(*_: object) -> None:
        sys.setprofile(None)
        finish({"files": trace.files(), "stack": trace.stack()})

    register_optimizer_step_pre_hook(end)
    trace.start()
    app(words)


def trace_whole(words: list[str]) -> None:
    """Run a command to its end; print what ran."""
    import audiocls
    from audiocls.cli import app

    trace = Trace(Path(audiocls.__file__).parent)
    trace.start()
    try:
        app(words)
    except SystemExit:
        sys.setprofile(None)
        finish({"files": trace.files()})


def finish(answer: dict[str, Any]) -> None:
    Path(os.environ["READING_ANSWER"]).write_text(json.dumps(answer))
    os._exit(0)


def traced(kind: str, words: list[str], folder: Path, package_root: Path) -> dict[str, Any]:
    """Return what `trace_…` finds in a process of its own."""
    answer = folder / "answer.json"
    answer.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(package_root),
        "AUDIOCLS_CACHE": str(folder / "cache"),
        "READING_ANSWER": str(answer),
    }
    words = [sys.executable, str(Path(__file__).absolute()), "--trace", kind, "--", *words]
    ran = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if not answer.exists():
        raise RuntimeError(ran.stdout + ran.stderr)
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def imports_of(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def small_modules(package: Path) -> tuple[list[str], float]:
    """Return the small modules, and the percentage of the package's lines in them.

    A package's `__init__` and `__main__` are no modules that could be merged.
    """
    num_lines = {file: len(file.read_text().splitlines()) for file in package.rglob("*.py")}
    names = {
        file: ".".join(file.relative_to(package.parent).with_suffix("").parts)
        for file in num_lines
        if not file.stem.startswith("__")
    }
    importers = Counter(name for file in num_lines for name in imports_of(file))
    small = [f for f, name in names.items() if num_lines[f] < SMALL and importers[name] == 1]
    share = 100 * sum(num_lines[file] for file in small) / sum(num_lines.values())
    return sorted(names[file] for file in small), share


def measure(package_root: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the four numbers of `GOALS` and the names behind them."""
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        (folder / "tiny.yaml").write_text(RECIPE)
        (folder / f"{NAME}.yaml").write_text(ABLATION)
        one_trial = ["sweep", "launch", "dropout", *INLINE, *ONE_TRIAL]
        launch = traced("step", one_trial, folder, package_root)
        traced("whole", ["sweep", "launch", f"{NAME}.yaml", *INLINE], folder, package_root)
        report = traced("whole", ["report", NAME], folder, package_root)
    small, share = small_modules(package_root / "audiocls")
    numbers = [len(launch["files"]), len(launch["stack"]), len(report["files"]), round(share, 1)]
    details = {"stack": launch["stack"], "small": small, "launch": launch, "report": report}
    return dict(zip(GOALS, numbers, strict=True)), details


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", choices=["step", "whole"], help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to measure")
    parser.add_argument("--json", action="store_true", help="the numbers as JSON")
    parser.add_argument("--names", action="store_true", help="list frames and small modules too")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.trace:
        (trace_until_step if given.trace == "step" else trace_whole)(given.words)
        return
    numbers, details = measure(given.root.absolute())
    if given.json:
        print(json.dumps(numbers))
        return
    print(f"{'now':>6}  {'goal':>6}")
    for name, number in numbers.items():
        print(f"{number:6g}  {GOALS[name]:6g}  {name}")
    if given.names:
        print("\nstack:", *details["stack"], "\nsmall:", *details["small"], sep="\n  ")


if __name__ == "__main__":
    main()
