"""Jobs of tiny trials, and trials that were trained."""

from pathlib import Path
from typing import Any

from audiocls.audio.clips import ClipTable, fingerprint
from audiocls.config import Config, identity_config, resolve
from audiocls.execution.job import NativeJob, NativeSpec, TrackingConfig, TrialJob
from audiocls.execution.messages import Done, Event
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Cell, TrialFolder
from audiocls.tracking.wandb.log import LoggedRun
from audiocls.training.checkpoint import Checkpoint, load_checkpoint
from audiocls.training.fit import Signal
from helpers.recipes import TINY
from helpers.wandb_runs import read_run

TRIALS: dict[str, dict[str, Any]] = {
    "logmel": {},
    "logmel at another rate": {"data.sample_rate": 8000},
    "raw": {
        "features.name": "raw",
        "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
    },
    "hifigan": {"features.name": "raw", "model": {"name": "hifigan", "width": 8}},
}
"""Changes of `TINY`, for each kind of front end and model that waveforms pass differently."""

BASELINE = Cell("abc", "baseline", 0, 1)
UNTRACKED = TrackingConfig("disabled", "p")
OFFLINE = TrackingConfig("offline", "p")


def dotted(changes: dict[str, Any]) -> dict[str, Any]:
    """Return changes by key, of changes by keyword: `optim__lr` is `optim.lr`."""
    return {key.replace("__", "."): value for key, value in changes.items()}


def make_job(
    study_path: Path,
    cell: Cell = BASELINE,
    config: dict[str, Any] | None = None,
    data_fingerprint: str = "f",
    tracking: TrackingConfig = UNTRACKED,
    **fields: Any,
) -> NativeJob:
    """Return a job, by default without configuration, whose trial is in a folder of its id."""
    given: dict[str, Any] = {"study": "s", "trial": TrialFolder(study_path / cell.id), **fields}
    return TrialJob(
        id=cell.id,
        label=f"{cell.arm} s{cell.seed} f{cell.fold}",
        study_folder=study_path,
        spec=NativeSpec(cell.arm, config or {}, data_fingerprint),
        tracking=tracking,
        seed=cell.seed,
        fold=cell.fold,
        **given,
    )


def trainable_job(config: Config, study_path: Path, cache: Path, **fields: Any) -> NativeJob:
    """Return the job that trains `config`."""
    data = fingerprint(config.data.table(cache), cache)
    given = {"config": identity_config(config), "data_fingerprint": data, **fields}
    return make_job(study_path, **given)


def train(job: NativeJob, cache: Path, signal: Signal = Signal.CONTINUE) -> Event:
    """Train a trial in this process and return the event that it ended with."""
    events: list[Event] = []
    train_trial(job, WorkerCache(cache), events.append, lambda: signal)
    return events[-1]


def train_offline(config: Config, folder: Path, cache: Path) -> LoggedRun:
    """Train a trial of the study `dropout` and return the W&B run that it wrote to `folder`."""
    cell = Cell("abc", "dropout=0.1", 0, 1)
    job = trainable_job(config, folder, cache, study="dropout", cell=cell, tracking=OFFLINE)
    event = train(job, cache)
    assert isinstance(event, Done), event
    return read_run(folder)


class TrainedTrial:
    """A finished trial of `TINY` under dotted changes, on clips of one second at 16 kHz.

    The clips last as long as the files that they come from.
    """

    def __init__(self, changes: dict[str, Any], folder: Path, cache: Path):
        config = resolve([TINY, {"data.duration_s": 1.0, "data.sample_rate": 16000}, changes], "")
        self.table: ClipTable = config.data.table(cache)
        job = trainable_job(config, folder, cache, trial=TrialFolder(folder))
        event = train(job, cache)
        assert event == Done(job.id), event
        self.trial: TrialFolder = job.trial
        self.checkpoint: Checkpoint = load_checkpoint(folder)
