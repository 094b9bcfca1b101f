"""Tracking: what a trial logs while it trains, and to which services.

`tracker` says what a tracker is, `wrappers` keep its failures from the trial, `tensorboard` and
`wandb` are the services. `start` opens what one trial asks for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from audiocls.tracking.tracker import (
    Ending,
    FinishReport,
    NullTracker,
    RunInfo,
    Tracker,
    WandbMode,
    run_id_of,
    trial_of,
)
from audiocls.tracking.wrappers import (
    BackgroundTracker,
    ReconnectingTracker,
    ServerAvailability,
    TrackerGroup,
)

__all__ = [
    "Ending",
    "FinishReport",
    "NullTracker",
    "RunInfo",
    "ServerAvailability",
    "Tracker",
    "WandbMode",
    "ignore",
    "run_id_of",
    "start",
    "trial_of",
]

MAX_NAME_CHARACTERS = 80
"""Of a run's name, in the name of its folder: file systems take 255 bytes."""


def ignore() -> None:
    """Do nothing, where a run has no stop button."""


def start(
    mode: WandbMode,
    info: RunInfo,
    has_tensorboard: bool = False,
    reach: ServerAvailability | None = None,
    on_stop: Callable[[], None] = ignore,
) -> Tracker:
    """Return the tracker of one trial, without importing services that are not asked for.

    Trials of one process share a `reach`, so that an absent server is waited for once. `on_stop` is
    called on another thread, within 15 s after the stop button of an online run was pressed.
    """
    openers: dict[str, Callable[[], Tracker]] = {}
    if mode != "disabled":
        openers["wandb"] = lambda: _wandb(mode, info, reach or ServerAvailability(), on_stop)
    if has_tensorboard:
        openers["tensorboard"] = lambda: _tensorboard(info)
    if not openers:
        return NullTracker()
    if len(openers) == 1:
        (opener,) = openers.values()
        return BackgroundTracker(opener)
    return TrackerGroup(openers)


def _wandb(
    mode: WandbMode, info: RunInfo, reach: ServerAvailability, on_stop: Callable[[], None]
) -> Tracker:
    from audiocls.tracking.wandb.run import WandbRun, restart

    def open_run(rows: Sequence[Mapping[str, Any]]) -> Tracker:
        return WandbRun(mode, replace(info, history=tuple(rows)), reach, on_stop)

    return ReconnectingTracker(open_run, restart, info.history)


def _tensorboard(info: RunInfo) -> Tracker:
    """Open a folder of the trial's own, named by its run's name and its id."""
    from audiocls.tracking.tensorboard import TensorboardRun

    name = f"{info.name[:MAX_NAME_CHARACTERS].replace('/', '-')} {trial_of(info.id) or info.id}"
    return TensorboardRun(info.folder / "tensorboard" / name, info)
