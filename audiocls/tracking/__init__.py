"""Tracking: what a trial logs while it trains, and to which services.

`tracker` says what a tracker is, `wrappers` keep its failures from the trial, `tensorboard` and
`wandb` are the services. `start` opens what one trial asks for.
"""

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
from audiocls.tracking.wrappers import ServerAvailability, ignore, start

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
