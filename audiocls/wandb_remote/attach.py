"""`attach`: put uploaded runs under a study's sweep, so that its grid has only the rest to try."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from audiocls.store import StudyFolder
from audiocls.tracking import trial_of
from audiocls.tracking.project import ProjectRef, UploadStatus
from audiocls.tracking.sweep_server import SweepNotFound, SweepPath, Sweeps
from audiocls.tracking.wandb.sync import RunFolder
from audiocls.wandb_remote.push import registered_sweep, save_registered_sweep


class Server(Protocol):
    """The part of a W&B server on which runs are attached to sweeps."""

    @property
    def entity(self) -> str:
        """Return the user's default entity."""

    def standings(self, place: ProjectRef, run_ids: Collection[str]) -> dict[str, UploadStatus]:
        """Return the state of these runs on the server, by their ids."""

    @property
    def sweeps(self) -> Sweeps:
        """Return the server's sweeps."""

    def attach(self, run: UploadStatus, sweep: str) -> None:
        """Put a run under a sweep."""


@dataclass(frozen=True)
class UnattachedRun:
    """A run that is not under its sweep, by its folder, and why."""

    folder: str
    why: str


@dataclass(frozen=True)
class Attached:
    """A study's sweep, and the runs that were put under it."""

    sweep: SweepPath | None
    num: int = 0
    """Runs that were not under it before."""
    is_new: bool = False
    left: tuple[UnattachedRun, ...] = ()


def attach(
    folder: StudyFolder,
    server: Server,
    place: ProjectRef,
    config: Mapping[str, Any],
    uploaded: Sequence[RunFolder],
) -> Attached:
    """Put the runs of finished trials under the study's sweep.

    The sweep is created with them if there is none, or if it was deleted. A grid counts every run
    under it as tried, so failed attempts stay outside.
    """
    runs = _finished(folder, uploaded)
    if not runs:
        return Attached(registered_sweep(folder))
    before = server.standings(place, runs)
    path = _existing(server, registered_sweep(folder) or _only_sweep(place, before.values()))
    is_new = path is None
    if path is None:
        path = server.sweeps.create(config, place.project, place.entity, list(runs))
    save_registered_sweep(folder, path)
    for status in () if is_new else before.values():
        if not status.sweep:
            server.attach(status, path.id)
    after = server.standings(place, runs)
    reasons = {run: _why_unattached(after.get(run_id), path) for run_id, run in runs.items()}
    left = [UnattachedRun(str(run.path), why) for run, why in reasons.items() if why]
    num = sum(status.sweep == path.id for status in after.values())
    num_before = sum(status.sweep == path.id for status in before.values())
    return Attached(path, num - num_before, is_new, tuple(left))


def _finished(folder: StudyFolder, runs: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Return the runs of finished trials by their ids; of several attempts, the last."""
    last = {trial_of(run.run_id): run for run in sorted(runs, key=lambda run: run.opened)}
    cells = folder.cells()
    states = folder.states(cells)
    done = [last[c.id] for c in cells if states[c.id] == "done" and c.id in last]
    return {run.run_id: run for run in done}


def _only_sweep(place: ProjectRef, standings: Collection[UploadStatus]) -> SweepPath | None:
    """Return the sweep that the runs are under, created by a sync that was killed after that."""
    sweeps = {status.sweep for status in standings if status.sweep}
    return SweepPath(place.entity, place.project, sweeps.pop()) if len(sweeps) == 1 else None


def _existing(server: Server, path: SweepPath | None) -> SweepPath | None:
    """Return the sweep, or `None` if it was deleted."""
    if path is None:
        return None
    try:
        return server.sweeps.sweep(path).path
    except SweepNotFound:
        return None


def _why_unattached(status: UploadStatus | None, path: SweepPath) -> str:
    """Return why a run is not under the sweep, or an empty text."""
    if status is None:
        return f"uploaded, but {path.entity}/{path.project} does not show it yet: sync again"
    if status.sweep == path.id:
        return ""
    if status.sweep:
        return f"uploaded, but it belongs to sweep {status.sweep} and not to {path.id}"
    return f"uploaded, but the server did not put it under sweep {path.id}"
