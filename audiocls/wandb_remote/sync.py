"""`sync`: upload a study's W&B runs from this disk, and put them under the study's sweep.

A sync that is stopped resumes when it is repeated; when all is uploaded it does nothing.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from audiocls.design.register import PROJECT
from audiocls.errors import UsageError
from audiocls.store import StudyFolder
from audiocls.store.lease import Lease, held, named_holder_of
from audiocls.tracking import trial_of
from audiocls.tracking.project import ProjectRef
from audiocls.tracking.sweep_server import ServerUnavailable, SweepPath
from audiocls.tracking.wandb.log import WandbLog
from audiocls.tracking.wandb.rewrite import leave_offline_sweep
from audiocls.tracking.wandb.sync import RunFolder, newest, run_folders
from audiocls.wandb_remote.attach import Attached, Server, UnattachedRun, attach
from audiocls.wandb_remote.push import registered_sweep

BATCH = 20
"""Runs per call of the client."""
SETTLE_S, POLL_S = 2.0, 0.05
"""How long to wait for the end of a log that was just written, and how often to read it."""

Upload = Callable[[Sequence[RunFolder], str, str, Callable[[], None], Event], str]
"""Runs, entity, project, callback after each upload, stop flag → the client's error message."""
Watch = Callable[[int, int], None]
"""Called with the number of uploaded runs, and of all."""


@dataclass(frozen=True)
class Synced:
    """The result of a sync."""

    place: ProjectRef
    uploaded: tuple[str, ...]
    """Run ids."""
    num_there: int
    """Runs that the server had before."""
    left: tuple[UnattachedRun, ...]
    sweep: SweepPath | None
    num_attached: int
    is_new_sweep: bool
    is_stopped: bool
    url: str = ""
    """Of the sweep, for people; empty where it was not asked for."""

    @property
    def exit_code(self) -> int:
        """0 if all runs are on the server, 3 if some are not, 75 if stopped."""
        return 75 if self.is_stopped else 3 if self.left else 0


@dataclass(frozen=True)
class RunsByState:
    """The runs of a study: on the server, to be uploaded, or not to be uploaded now."""

    there: tuple[RunFolder, ...]
    due: tuple[RunFolder, ...]
    left: tuple[UnattachedRun, ...]


def sync(
    folder: StudyFolder,
    server: Server,
    upload: Upload,
    target: tuple[str | None, str | None],
    sweep_config: Mapping[str, Any] | None,
    watch: Watch,
    stop: Event,
) -> Synced:
    """Upload the study's runs, then put those of its finished trials under its sweep.

    `target` is entity and project, where the user gave them. Without `sweep_config` no sweep is
    created. Raises `UsageError` if there are no runs or they were synced elsewhere before, and
    `ServerUnavailable` or `PermissionDenied` before anything is uploaded.
    """
    with _locked(folder):
        runs = _runs(folder)
        if not runs:
            raise UsageError(
                f"study {folder.name} has no W&B runs in {folder.path / 'wandb'}: nothing to sync. "
                "Launch it with --wandb offline or online to have some"
            )
        place = _place(folder, server, sweep_config or {}, runs[-1], *target)
        by_state = _by_state(folder, runs, server, place)
        watch(0, len(by_state.due))
        left = [*by_state.left, *_upload_all(by_state.due, place, upload, watch, stop)]
        there = [*by_state.there, *(run for run in by_state.due if run.is_marked)]
        attached = Attached(registered_sweep(folder))
        if sweep_config and not stop.is_set():
            attached = attach(folder, server, place, sweep_config, there)
        return Synced(
            place=place,
            uploaded=tuple(run.run_id for run in by_state.due if run.is_marked),
            num_there=len(by_state.there),
            left=(*left, *attached.left),
            sweep=attached.sweep,
            num_attached=attached.num,
            is_new_sweep=attached.is_new,
            is_stopped=stop.is_set(),
        )


@contextmanager
def _locked(folder: StudyFolder) -> Iterator[None]:
    folder.cells()  # raises, naming the studies there are, if this one does not exist
    file = folder.path / ".sync.lease"
    with held(Lease(file), timeout_s=1) as is_mine:
        if not is_mine:
            raise UsageError(f"study {folder.name} is being synced by {named_holder_of(file)}")
        yield


def _runs(folder: StudyFolder) -> list[RunFolder]:
    """Return the newest folder of each run, or all folders of runs that other programs logged.

    A native trial that resumes logs its whole history again; another program continues its run.
    """
    folders, plan = run_folders(folder.path), folder.study().search
    is_command = plan is not None and bool(plan.folder)
    return folders if is_command else list(newest(folders).values())


def _place(
    folder: StudyFolder,
    server: Server,
    config: Mapping[str, Any],
    last: RunFolder,
    entity: str | None,
    project: str | None,
) -> ProjectRef:
    """Return the project of an earlier sync, or else the target, or that of its sweep or runs."""
    before = registered_sweep(folder)
    if before is None:
        entity = entity or config.get("entity") or server.entity
        chosen = config.get("project") if folder.is_sweep() else None
        return ProjectRef(entity, project or chosen or at_rest(last.log).run.project or PROJECT)
    if entity not in (None, before.entity) or project not in (None, before.project):
        raise UsageError(
            f"study {folder.name} belongs to sweep {before}, got entity {entity or before.entity}, "
            f"project {project or before.project}. To upload it elsewhere as well, remove "
            f"{folder.path / 'wandb.json'} and the files *.synced below {folder.path / 'wandb'}"
        )
    return ProjectRef(before.entity, before.project)


def _by_state(
    folder: StudyFolder, runs: Sequence[RunFolder], server: Server, place: ProjectRef
) -> RunsByState:
    unmarked = [run for run in runs if not run.is_marked]
    online = server.standings(place, {run.run_id for run in unmarked if run.is_online})
    there = {run for run in runs if run.is_marked}
    there |= {run for run in unmarked if run.run_id in online and online[run.run_id].is_whole}
    reasons = {run: _obstacle(folder, run, runs) for run in unmarked if run not in there}
    return RunsByState(
        there=tuple(run for run in runs if run in there),
        due=tuple(run for run, why in reasons.items() if not why),
        left=tuple(UnattachedRun(str(run.path), why) for run, why in reasons.items() if why),
    )


def _obstacle(folder: StudyFolder, run: RunFolder, runs: Sequence[RunFolder]) -> str:
    """Return why a run is not to be uploaded now, or an empty text.

    A run that its trial resumes later would be on the server twice: its beginning as it is now,
    and all of it later.
    """
    logged = at_rest(run.log).run
    trial = folder.trial(logged.config.get("trial") or trial_of(run.run_id) or run.run_id)
    is_last = all(trial_of(r.run_id) != trial.id or r.opened <= run.opened for r in runs)
    if is_last and trial.path.exists():
        state = trial.state()
        if state == "running":
            return "its trial is running; sync again when it has ended"
        if state == "pending" and trial.resume() is not None:
            return "its trial is not finished and is resumed at the next launch; sync after it"
    return "" if logged.id else "its log is empty: the process was killed before it wrote anything"


def at_rest(log: Path) -> WandbLog:
    """Return a log as read; wait for its end, which may reach the disk a moment late."""
    read, deadline = WandbLog(log), time.monotonic() + SETTLE_S
    read.read()
    is_fresh = time.time() - log.stat().st_mtime < SETTLE_S
    while is_fresh and read.run.exit_code is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
        read.read()
    return read


def _upload_all(
    runs: Sequence[RunFolder], place: ProjectRef, upload: Upload, watch: Watch, stop: Event
) -> list[UnattachedRun]:
    """Upload in batches; return the runs that are not on the server after that.

    One log that the client cannot read ends its whole call, so the rest of a batch is tried singly.
    """

    def report() -> None:
        watch(sum(run.is_marked for run in runs), len(runs))

    for run in runs:
        leave_offline_sweep(run.log)
    why: dict[RunFolder, str] = {}
    try:
        for start in range(0, len(runs), BATCH):
            if stop.is_set():
                break
            batch = runs[start : start + BATCH]
            message = upload(batch, place.entity, place.project, report, stop)
            for run in [run for run in batch if not run.is_marked]:
                if len(batch) > 1 and not stop.is_set():
                    message = upload([run], place.entity, place.project, report, stop)
                why[run] = message
            report()
    except ServerUnavailable as error:
        why = {run: str(error) for run in runs} | why
    default = "interrupted" if stop.is_set() else "the client did not say why"
    return [
        UnattachedRun(str(run.path), why.get(run) or default) for run in runs if not run.is_marked
    ]
