"""`push`: a study's sweep on a server, created once, remembered in `runs/<study>/wandb.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.atomic import write_text
from audiocls.design.register import grid_sweep
from audiocls.search import for_wandb
from audiocls.store import Study, StudyFolder
from audiocls.tracking.project import ProjectRef
from audiocls.tracking.sweep_server import ServerSweep, SweepNotFound, SweepPath, Sweeps


@dataclass(frozen=True)
class Pushed:
    """Where a study's sweep is."""

    sweep: ServerSweep
    is_new: bool
    replaced: SweepPath | None = None
    """The sweep that the study was registered as before, if that was another one."""
    own_parts: frozenset[str] = frozenset()
    """That the user's files name, and so the server may, too."""


def sweep_of(folder: StudyFolder) -> dict[str, Any] | None:
    """Return the sweep to register: a search as it was launched, an ablation as its own grid."""
    study = folder.study()
    return for_wandb(study.search.sweep) if study.search is not None else grid_of(study)


def grid_of(study: Study) -> dict[str, Any] | None:
    """Return a launched ablation as a sweep with the study's own arms, seeds and folds.

    `None` for a study that `audiocls train --ablation` could not resume: a single trial, an
    imported one, one with another recipe than its ablation's, one whose arms are tuned first.
    """
    request = study.request
    if request is None or request.command != "sweep launch" or request.recipe is not None:
        return None
    if study.kind != "ablation" or study.tuning is not None or study.program:
        return None
    return grid_sweep(
        name=study.name,
        question=study.question,
        metric={"name": study.metric, "goal": study.goal},
        cells={
            "arm": list(study.arms),
            "seed": study.seeds,
            "fold": study.folds,
        },
        words=["--ablation", request.name, *request.assignments],
    )


def registered_sweep(folder: StudyFolder) -> SweepPath | None:
    """Return the sweep that the study is registered as."""
    fields = _read(folder)
    return SweepPath(**fields, id=sweep) if (sweep := fields.pop("sweep", None)) else None


def place_of(folder: StudyFolder) -> ProjectRef | None:
    """Return the project of the study's runs or of its sweep."""
    fields = _read(folder)
    return ProjectRef(fields["entity"], fields["project"]) if fields else None


def save_registered_sweep(folder: StudyFolder, path: SweepPath) -> None:
    """Remember the sweep for later pushes, agents and syncs."""
    remember_place(folder, ProjectRef(path.entity, path.project), path.id)


def remember_place(folder: StudyFolder, place: ProjectRef, sweep: str | None = None) -> None:
    """Remember the project of the study's runs, and their sweep if they have one."""
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
    """Return the study's sweep; create it unless the server has it with this configuration."""
    before = registered_sweep(folder)
    if before is not None and before.project == project and entity in (None, before.entity):
        existing = _on_server(server, before)
        if existing is not None and _includes(existing.config, config):
            return Pushed(existing, is_new=False)
    path = server.create(config, project, entity)
    save_registered_sweep(folder, path)
    return Pushed(server.sweep(path), is_new=True, replaced=before)


def _on_server(server: Sweeps, path: SweepPath) -> ServerSweep | None:
    try:
        return server.sweep(path)
    except SweepNotFound:
        return None


def _includes(registered: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether the registered configuration has all of `config`; a server may add defaults."""
    return all(key in registered and registered[key] == config[key] for key in config)
