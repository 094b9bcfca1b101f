"""What the installed torch was built for, read from its files: importing it takes seconds."""

import ast
import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TorchBuild:
    """The version of torch and of what it was built with; empty for what it lacks."""

    version: str = ""
    """Empty where torch is not installed."""
    cuda: str = ""
    hip: str = ""
    """ROCm's; such a build names AMD's devices `cuda`."""
    xpu: str = ""


@functools.lru_cache(maxsize=1)
def torch_build() -> TorchBuild:
    """Return what the torch of this Python was built with."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return TorchBuild()
    try:
        return build_of(Path(spec.origin).with_name("version.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return TorchBuild()  # whoever imports it is told what is wrong


def build_of(source: str) -> TorchBuild:
    """Return what a `torch/version.py` says.

    >>> build_of("__version__ = '2.11.0+rocm7.2'; cuda: Optional[str] = None; hip = '7.2'")
    TorchBuild(version='2.11.0+rocm7.2', cuda='', hip='7.2', xpu='')
    """
    said: dict[str, str] = {}
    for line in ast.parse(source).body:
        if not isinstance(line, ast.Assign | ast.AnnAssign) or line.value is None:
            continue
        target = line.targets[0] if isinstance(line, ast.Assign) else line.target
        if isinstance(target, ast.Name) and isinstance(line.value, ast.Constant):
            said[target.id] = str(line.value.value or "")
    named = {name: said.get(name, "") for name in ("cuda", "hip", "xpu")}
    return TorchBuild(said.get("__version__", ""), **named)
