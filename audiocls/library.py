"""The shelf: ablations, sweeps and recipes by path or by name.

A name is looked for in `./ablations` (or `./sweeps`, `./recipes`) first, then among those that
ship with the package, so that a project's own question may replace a shipped one of its name.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import audiocls
from audiocls import yaml_file
from audiocls.design import Ablation, load_ablation
from audiocls.errors import ConfigError, UsageError, did_you_mean
from audiocls.search import Sweep, check_sweep, load_sweep

Kind = Literal["ablations", "sweeps", "recipes", "notebooks"]

PACKAGE = Path(audiocls.__file__).parent


def shipped(kind: Kind) -> Path:
    """Where the package keeps its own: inside the wheel, or in the checkout around it."""
    if kind == "recipes":
        return PACKAGE / "recipes"
    inside = PACKAGE / "_library" / kind
    return inside if inside.is_dir() else PACKAGE.parent / kind


def available(kind: Kind) -> dict[str, Path]:
    """Name → file, the working directory's own over the shipped ones."""
    files = [*sorted(shipped(kind).glob("*.yaml")), *sorted(Path(kind).glob("*.yaml"))]
    return {file.stem: file for file in files}


def find(kind: Kind, name: str) -> Path:
    """The file that `name` means, a path or a name; raises `UsageError` with the nearest name."""
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise UsageError(f"{name}: no such file")
        return Path(name)
    known = available(kind)
    if name not in known:
        raise UsageError(
            f"no {kind.removesuffix('s')} is called {name!r}; known: {', '.join(known) or 'none'}."
            + did_you_mean(name, known)
        )
    return known[name]


def ablation(name: str, recipe: str | None = None) -> Ablation:
    """The ablation of that path or name, on another recipe if one is given."""
    file = find("ablations", name)
    document = yaml_file.read(file)
    return load_ablation({**document, "recipe": recipe} if recipe else document, str(file))


def recipe(name: str) -> dict[str, Any]:
    """The mapping of a recipe; it is checked when it becomes a configuration."""
    return yaml_file.read(find("recipes", name))


def sweep(name: str) -> dict[str, Any]:
    """A W&B sweep configuration, verbatim."""
    return yaml_file.read(find("sweeps", name))


def checked_sweep(file: Path) -> tuple[dict[str, Any], Sweep, tuple[str, ...]]:
    """A sweep's document, what it means, and what is odd about it.

    Raises `ConfigError` with every fault, each with its line.
    """
    document, lines = yaml_file.read_with_lines(file)
    sweep = load_sweep(document, str(file), lines)
    return document, sweep, check_sweep(document, lines).notes


def notebook(name: str) -> Path:
    """A notebook that ships with the package."""
    return shipped("notebooks") / f"{name}.ipynb"


def overrides(assignments: list[str]) -> dict[str, Any]:
    """`["optim.lr=1e-3", …]` as dotted keys; values are YAML.

    Raises `ConfigError` with every assignment that is none.
    """
    faults = [
        f"got {item!r}; wanted: key=value, such as optim.lr=1e-3"
        for item in assignments
        if not item.partition("=")[0] or "=" not in item
    ]
    if faults:
        raise ConfigError("overrides", faults)
    pairs = (item.partition("=") for item in assignments)
    return {key: yaml_file.parse(value, key) if value else None for key, _, value in pairs}


def registered_ablation(document: Mapping[str, Any]) -> str | None:
    """The ablation that a registered sweep's command names; none if it registers none."""
    command = [str(word) for word in document.get("command") or []]
    is_ours = "audiocls" in command and "--ablation" in command[:-1]
    return command[command.index("--ablation") + 1] if is_ours else None
