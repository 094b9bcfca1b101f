"""`LaunchOptions`: where and with what a study is run, and how its progress is shown.

`numbers` and `names` read the options that choose seeds, folds and arms, such as `0..4` and
`a=1;b=2`.
"""

import os
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, get_args

from audiocls import extras
from audiocls.design.ablation import MAX_BLOCKS
from audiocls.design.register import PROJECT
from audiocls.errors import UsageError, did_you_mean
from audiocls.execution.devices import PerDevice, Slots, per_device, slots
from audiocls.execution.executors import Executor
from audiocls.execution.job import TrackingConfig
from audiocls.execution.scheduler import MAX_FIRST_FAILURES, Limits, Watch
from audiocls.formatting import RUNS as RUNS
from audiocls.tracking import WandbMode
from audiocls.tracking.mode import default_mode
from audiocls.tracking.tensorboard import require_tensorboard

EXECUTORS = ("local", "inline", "wandb")
TRAINING = "training a recipe"
"""Which no base install can do; what it has planned until then is kept."""

OpenExecutor = Callable[[int | None, threading.Event], Executor[Any]]
"""From the most trials that can run at a time, if known, and the event that stops the launch."""


class Display(Protocol):
    """Shows people what a launch does."""

    def note(self, text: str) -> None:
        """Show one sentence."""

    def watching(self) -> AbstractContextManager[Watch]:
        """Show the progress of trials, as long as the context is open."""


@dataclass(frozen=True)
class LaunchOptions:
    """Where and with what a study is run, as the command line says it."""

    runs: Path
    wandb: str | None = None
    executor: str = "local"
    devices: str = "auto"
    workers: int | None = None
    max_hours: float | None = None
    retries: int = 0
    has_tensorboard: bool = False
    has_model: bool = False
    run_id: str = ""
    """The W&B run that an agent opened for the one trial of this launch."""
    per_device: str = "1"
    """Trials of one shape that a worker trains at once, or `auto`."""
    is_exclusive: bool = True
    """Whether no other process may work on the study meanwhile; single cells share it."""

    @property
    def is_on_server(self) -> bool:
        """Whether a W&B server says which trial comes next."""
        return self.executor == "wandb"

    def mode(self) -> WandbMode:
        """Return the requested W&B mode, or else the one of this machine's configuration."""
        if self.wandb is None:
            return default_mode(os.environ)
        if self.wandb not in get_args(WandbMode):
            allowed = get_args(WandbMode)
            raise UsageError(
                f"--wandb: got {self.wandb!r}; allowed: {', '.join(allowed)}."
                + did_you_mean(self.wandb, allowed)
            )
        return cast(WandbMode, self.wandb)

    def tracking(self) -> TrackingConfig:
        """Return where trials are tracked; raises `UsageError` for what is not installed."""
        if self.has_tensorboard:
            require_tensorboard()
        return TrackingConfig(
            mode=self.mode(),
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            has_tensorboard=self.has_tensorboard,
            has_model=self.has_model,
            run_id=self.run_id,
        )

    def limits(self, is_foreign: bool = False) -> Limits:
        """Return when to give up; an external program may fail in every trial."""
        max_s = None if self.max_hours is None else self.max_hours * 3600
        return Limits(max_s, self.retries, MAX_FIRST_FAILURES if is_foreign else None)

    def slots(self) -> Slots:
        """Return one device a worker."""
        if per_device(self.per_device) != 1 and self.executor != "local":
            raise UsageError(
                f"--per-device: got {self.per_device}, which needs workers; allowed with "
                f"--executor {self.executor}: 1"
            )
        if self.executor not in EXECUTORS:
            allowed = ", ".join(EXECUTORS)
            raise UsageError(f"--executor: got {self.executor!r}; allowed: {allowed}")
        return slots(self.devices, self.workers)

    def check_runs_here(self) -> None:
        """Raise `UsageError` where a server would have to order what it cannot order."""
        if self.is_on_server:
            raise UsageError(
                "--executor wandb: a server orders cells of sweeps; allowed here: local, inline"
            )

    def open_workers(self, log: Path) -> OpenExecutor:
        """Return what opens the executor of native trials; `log` gets its workers' output."""

        def open_executor(most: int | None, stop: threading.Event) -> Executor[Any]:
            if self.executor == "inline":
                extras.require("train", TRAINING)
                from audiocls.execution.executors.inline import InlineExecutor

                return InlineExecutor(cache_folder().absolute(), stop)
            return open_local(self.slots()[:most], log, per_device(self.per_device))

        return open_executor


def open_local(devices: Slots, log: Path, pack: PerDevice = 1) -> Executor[Any]:
    """Return an executor with a worker process for each device; `log` gets their output."""
    extras.require("train", TRAINING)
    from audiocls.execution.executors.local import LocalExecutor

    return LocalExecutor(devices, cache_folder().absolute(), log, per_device=pack)


def open_programs(devices: Slots) -> Executor[Any]:
    """Return an executor that runs one program a device."""
    from audiocls.execution.executors.subprocesses import SubprocessExecutor

    return SubprocessExecutor(devices)


def cache_folder() -> Path:
    """Return where decoded audio and features are kept.

    That is `AUDIOCLS_CACHE`, or else the user's cache folder.
    """
    if chosen := os.environ.get("AUDIOCLS_CACHE"):
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("audiocls")


def numbers(text: str | None, option: str) -> list[int]:
    """Return `0..4` and `0,2,5`, or mixtures, as numbers.

    >>> numbers("0..2,7", "--seeds")
    [0, 1, 2, 7]
    """
    chosen: list[int] = []
    for item in (text or "").split(",") if text else []:
        match = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", item)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"{option}: got {text!r}; allowed: such as 0..4 or 0,2,5")
        added = range(int(match[1]), int(match[2] or match[1]) + 1)
        if len(chosen) + len(added) > MAX_BLOCKS:
            raise UsageError(f"{option}: got {text!r}; allowed: at most {MAX_BLOCKS:,} numbers")
        chosen += added
    return chosen


def names(text: str | None, known: list[str]) -> list[str]:
    """Return arms separated by commas or semicolons; an arm's own commas are kept where known.

    >>> names("a=1,b=2,a=2", ["a=1,b=2", "a=2"])
    ['a=1,b=2', 'a=2']
    """
    if not text:
        return []
    if ";" in text:
        return [item.strip() for item in text.split(";") if item.strip()]
    chosen: list[str] = []
    rest = text.strip()
    while rest:
        fits = [name for name in known if rest == name or rest.startswith(name + ",")]
        arm = max(fits, key=len, default=rest.split(",")[0].strip())
        chosen.append(arm)
        rest = rest[len(arm) :].lstrip(", ")
    return chosen
