"""`push`: a study's sweep on a server, created once, remembered in `runs/<study>/wandb.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.atomic import write_text
from audiocls.store import StudyFolder
from audiocls.tracking.project import ProjectRef
from audiocls.tracking.sweep_server import ServerSweep, SweepNotFound, SweepPath, Sweeps


@dataclass(frozen=True)
class Pushed:
    """Where a study's sweep is."""

    sweep: ServerSweep
    is_new: bool
    replaced: SweepPath | None = None
    """What the study was registered as before, if that was something else."""


def registered_sweep(folder: StudyFolder) -> SweepPath | None:
    """The sweep that the study is registered as."""
    found = _read(folder)
    return SweepPath(**found, id=sweep) if (sweep := found.pop("sweep", None)) else None


def place_of(folder: StudyFolder) -> ProjectRef | None:
    """The project that the study's runs are in, or its sweep is."""
    found = _read(folder)
    return ProjectRef(found["entity"], found["project"]) if found else None


def save_registered_sweep(folder: StudyFolder, path: SweepPath) -> None:
    """Keep it for later pushes, agents and syncs."""
    remember_place(folder, ProjectRef(path.entity, path.project), path.id)


def remember_place(folder: StudyFolder, place: ProjectRef, sweep: str | None = None) -> None:
    """Keep where the study's runs are, be they under a sweep or not."""
    content = {"entity": place.entity, "project": place.project}
    content |= {"sweep": sweep} if sweep else {}
    write_text(_file(folder), json.dumps(content, indent=1) + "\n")


def _read(folder: StudyFolder) -> dict[str, str]:
    file = _file(folder)
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}


def _file(folder: StudyFolder) -> Path:
    return folder.path / "wandb.json"


def push(
    server: Sweeps,
    folder: StudyFolder,
    config: Mapping[str, Any],
    project: str,
    entity: str | None = None,
) -> Pushed:
    """The study's sweep, created unless the server has it already with this configuration."""
    before = registered_sweep(folder)
    if before is not None and before.project == project and entity in (None, before.entity):
        known = _known(server, before)
        if known is not None and _is_same(known.config, config):
            return Pushed(known, is_new=False)
    path = server.create(config, project, entity)
    save_registered_sweep(folder, path)
    return Pushed(server.sweep(path), is_new=True, replaced=before)


def _known(server: Sweeps, path: SweepPath) -> ServerSweep | None:
    try:
        return server.sweep(path)
    except SweepNotFound:
        return None


def _is_same(registered: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that is wanted is there; a server may add defaults."""
    return all(key in registered and registered[key] == wanted[key] for key in wanted)
