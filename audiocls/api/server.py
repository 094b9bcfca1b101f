"""Sweeps on a W&B server: created there, run by agents here, and uploaded afterwards."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from audiocls.api.arguments import (
    Assignments,
    Folder,
    Names,
    Numbers,
    assignments_of,
    known_options,
    names_text,
    numbers_text,
    runs_folder,
)
from audiocls.api.display import Progress, display_of
from audiocls.api.study import Named, folder_of
from audiocls.design.register import PROJECT
from audiocls.studies.options import LaunchOptions
from audiocls.studies.prepare import LaunchRequest
from audiocls.studies.request import check_folder_name
from audiocls.wandb_remote.source import MOST_FAILURES

if TYPE_CHECKING:
    from audiocls.tracking.sweep_server import SweepPath
    from audiocls.wandb_remote.push import Pushed
    from audiocls.wandb_remote.source import Ending
    from audiocls.wandb_remote.sync import Synced


@dataclass(frozen=True)
class Registered:
    """An ablation as a W&B sweep: its file, or where it is on the server.

    >>> import audiocls
    >>> audiocls.register("dropout")[0].file  # doctest: +SKIP
    PosixPath('sweeps/dropout.yaml')
    """

    name: str
    source: str
    """The ablation's built-in name or its path."""
    file: Path | None = None
    pushed: "Pushed | None" = None


@known_options
def register(
    name: str | None = None,
    *,
    all: bool = False,
    out: Folder = "sweeps",
    push: bool = False,
    project: str = PROJECT,
    entity: str | None = None,
    runs: Folder | None = None,
) -> tuple[Registered, ...]:
    """Write an ablation, or all of them, as W&B sweeps into `out`; or create them on the server.

    >>> import audiocls, tempfile
    >>> audiocls.register("dropout", out=tempfile.mkdtemp())[0].file.name
    'dropout.yaml'
    """
    from audiocls.wandb_remote.register import push_registered, registered_sweeps, write_registered

    folder, made = runs_folder(runs), []
    for sweep in registered_sweeps(name, all):
        source = name or sweep["name"]
        if push:
            pushed = push_registered(sweep, project, entity, folder)
            made.append(Registered(sweep["name"], source, pushed=pushed))
        else:
            file = write_registered(sweep, Path(out), source)
            made.append(Registered(sweep["name"], source, file))
    return tuple(made)


@known_options
def push(
    name: str, *, recipe: str | None = None, set: Assignments | None = None,
    seeds: Numbers | None = None, folds: Numbers | None = None, arms: Names | None = None,
    study: str | None = None, runs: Folder | None = None, devices: str = "auto",
    workers: int | None = None, max_hours: float | None = None, retries: int = 0,
    count: int | None = None, trial_hours: float | None = None, until_decided: bool = False,
    max_pairs: int | None = None, effect: float | None = None, wandb: str | None = None,
    tensorboard: bool = False, log_model: bool = False, progress: Progress = True
) -> "Pushed":  # fmt: skip
    """Create what `launch` would run as a sweep on a W&B server, unless it exists already.

    `agent` then runs it. Raises `UsageError` for options that a server cannot follow.

    >>> import audiocls
    >>> audiocls.agent(audiocls.push("dropout"))  # doctest: +SKIP
    """
    from audiocls.wandb_remote.register import pushed_for_launch

    options = LaunchOptions(
        runs_folder(runs), wandb, "wandb", devices, workers, max_hours, retries, tensorboard,
        log_model,
    )  # fmt: skip
    request = LaunchRequest(
        name, recipe, assignments_of(set), numbers_text(seeds, "seeds"),
        numbers_text(folds, "folds"), names_text(arms), study, count, trial_hours, until_decided,
        max_pairs, effect,
    ).read()  # fmt: skip
    return pushed_for_launch(request, options, display_of(progress))


@known_options
def agent(
    sweep: "str | SweepPath | Pushed",
    *,
    runs: Folder | None = None,
    devices: str = "auto",
    workers: int | None = None,
    count: int | None = None,
    max_failures: int = MOST_FAILURES,
    study: str | None = None,
    progress: Progress = True,
) -> "Ending":
    """Run what a W&B sweep orders until it has no more: an agent a device.

    `sweep` is `ENTITY/PROJECT/ID`, or what `push` returned: then the server may name the own parts
    of the files that were pushed.

    >>> import audiocls
    >>> audiocls.agent("me/birds/a1b2c3d4").sentence  # doctest: +SKIP
    '12 trained, 0 failed; …'
    """
    from audiocls.tracking.sweep_server import SweepPath
    from audiocls.wandb_remote.push import Pushed
    from audiocls.wandb_remote.serve import serve

    check_folder_name(study)
    options = LaunchOptions(runs_folder(runs), "online", devices=devices, workers=workers)
    pushed = sweep if isinstance(sweep, Pushed) else None
    known: frozenset[str] = pushed.own_parts if pushed else frozenset()
    path = SweepPath.parse(str(pushed.sweep.path if pushed else sweep))
    display = display_of(progress)
    return serve(path, options, display, count, max_failures, study, known=known)


@known_options
def sync(
    study: Named,
    *,
    project: str | None = None,
    entity: str | None = None,
    runs: Folder | None = None,
) -> "Synced":
    """Upload the W&B runs of a study that was trained offline, and put them under its sweep.

    It can be stopped, and resumes when it is repeated.

    >>> import audiocls
    >>> audiocls.sync("dropout", project="birds").num_attached  # doctest: +SKIP
    40
    """
    from audiocls.console.bar import counting
    from audiocls.stop_signals import stop_on_signal
    from audiocls.tracking.wandb.connection import Connection
    from audiocls.tracking.wandb.project import WandbProject
    from audiocls.tracking.wandb.sync import upload
    from audiocls.wandb_remote.push import sweep_of
    from audiocls.wandb_remote.sync import sync as upload_and_attach

    folder = folder_of(study, runs)
    config, server = sweep_of(folder), WandbProject(Connection())
    with stop_on_signal() as stop, counting("runs") as count:
        synced = upload_and_attach(
            folder,
            server,
            upload,
            (entity, project),
            config,
            lambda done, total: count("upload", done, total),
            stop,
        )
    return replace(synced, url=server.sweeps.url(synced.sweep)) if synced.sweep else synced
