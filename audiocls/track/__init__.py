"""Tracking: what a trial tells the outside while it trains, and who listens.

A tracker may be slow, full or dead; the trial must not notice. The record is ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

WandbMode = Literal["online", "offline", "disabled"]

LONGEST_NAME = 80
"""Characters of a run's name in its folder's: file systems take 255 bytes."""


@dataclass(frozen=True)
class RunInfo:
    """Whose run it is, in W&B's terms: group = study, job type = arm."""

    id: str
    project: str
    group: str
    job_type: str
    name: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    folder: Path
    """Where an offline run is kept."""
    notes: str = ""
    history: tuple[Mapping[str, Any], ...] = field(default=())
    """Epochs of an earlier attempt, told again so that each run is whole."""


class Tracker(Protocol):
    """Told of each epoch, and of the end."""

    def log(self, row: Mapping[str, Any]) -> None:
        """One epoch's metrics."""

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> str | None:
        """The last word; answers why tracking stopped early, if it did."""


class Silent:
    """Tells nobody."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Nothing to do."""

    def finish(self, summary: Mapping[str, Any], exit_code: int) -> str | None:
        return None


def start(mode: WandbMode, info: RunInfo, has_tensorboard: bool = False) -> Tracker:
    """A tracker for one trial; what is not asked for is not imported."""
    openers: dict[str, Callable[[], Tracker]] = {}
    if mode != "disabled":
        openers["wandb"] = lambda: _wandb(mode, info)
    if has_tensorboard:
        openers["tensorboard"] = lambda: _tensorboard(info)
    if not openers:
        return Silent()
    from audiocls.track.guarded import Guarded
    from audiocls.track.several import Several

    return Several(openers) if len(openers) > 1 else Guarded(next(iter(openers.values())))


def _wandb(mode: WandbMode, info: RunInfo) -> Tracker:
    from audiocls.track.wandb_run import WandbRun

    return WandbRun(mode, info)


def _tensorboard(info: RunInfo) -> Tracker:
    """A folder a trial, by the beginning of its run's name and by its trial's id."""
    from audiocls.track.tensorboard_run import TensorboardRun

    trial, _, _ = info.id.rpartition("-")
    name = f"{info.name[:LONGEST_NAME].replace('/', '-')} {trial}"
    return TensorboardRun(info.folder / "tensorboard" / name, info)
