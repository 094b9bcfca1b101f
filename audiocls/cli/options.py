"""Options that several commands share, and what their texts mean."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from audiocls.errors import UsageError

NameArgument = Annotated[str, typer.Argument(help="A name on the shelf, or a path.")]
StudyArgument = Annotated[str, typer.Argument(help="A launched study: its name, or its folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Pure JSON on stdout.")]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", help="Another base recipe: a name or a path.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key in every arm; repeatable."),
]
SeedsOption = Annotated[str | None, typer.Option("--seeds", help="Such as 0..4 or 0,2,5.")]
FoldsOption = Annotated[str | None, typer.Option("--folds", help="Such as 1..5 or 2.")]
ArmsOption = Annotated[
    str | None,
    typer.Option("--arms", help="Only these, by name, separated by commas or semicolons."),
]
EffectOption = Annotated[
    float | None,
    typer.Option(
        "--effect",
        min=1e-9,
        max=1e9,
        help="To be seen, in units of the metric; default: twice the margin.",
    ),
]
RunsOption = Annotated[
    Path, typer.Option("--runs", envvar="AUDIOCLS_RUNS", help="Where studies are kept.")
]
WandbOption = Annotated[
    str | None,
    typer.Option("--wandb", help="online, offline or disabled; default: online if a key is set."),
]
TensorboardOption = Annotated[
    bool, typer.Option("--tensorboard", help="Write TensorBoard's event files as well.")
]
LogModelOption = Annotated[
    bool, typer.Option("--log-model", help="W&B gets each trained model as an artifact.")
]
DevicesOption = Annotated[
    str, typer.Option("--devices", help="auto, cpu, or such as cuda:0,cuda:1.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Default: one per GPU, or per core.")
]
ExecutorOption = Annotated[
    str, typer.Option("--executor", help="local (a process per core or GPU), inline, or wandb.")
]

CheckpointArgument = Annotated[
    Path, typer.Argument(help="A finished trial's folder, or its weights.")
]

RUNS = Path("runs")


def numbers(text: str | None, option: str) -> list[int]:
    """`0..4` and `0,2,5`, or mixtures, as numbers.

    >>> numbers("0..2,7", "--seeds")
    [0, 1, 2, 7]
    """
    found: list[int] = []
    for item in (text or "").split(",") if text else []:
        match = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", item)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"{option}: got {text!r}; allowed: such as 0..4 or 0,2,5")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def names(text: str | None, known: list[str]) -> list[str]:
    """Arms separated by commas or semicolons; an arm's own commas are kept where it is known.

    >>> names("a=1,b=2,a=2", ["a=1,b=2", "a=2"])
    ['a=1,b=2', 'a=2']
    """
    if not text:
        return []
    if ";" in text:
        return [item.strip() for item in text.split(";") if item.strip()]
    found: list[str] = []
    rest = text.strip()
    while rest:
        fits = [name for name in known if rest == name or rest.startswith(name + ",")]
        arm = max(fits, key=len, default=rest.split(",")[0].strip())
        found.append(arm)
        rest = rest[len(arm) :].lstrip(", ")
    return found


def require_file_name(out: Path | None) -> None:
    """Raise `UsageError`, before any work is done, if no file can have the path `out`."""
    if out is None:
        return
    if out.is_dir():
        raise UsageError(f"--out: got the folder {out}; wanted: the name of a file in it")
    for parent in out.parents:
        if parent.exists() and not parent.is_dir():
            raise UsageError(f"--out: got {out}, but {parent} is a file, not a folder")


def cache_folder() -> Path:
    """Where decoded audio and features are kept: `AUDIOCLS_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("AUDIOCLS_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("audiocls")
