"""`push`: a study's sweep on a server, created once, remembered in `runs/<study>/wandb.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiocls.store import StudyFolder
from audiocls.store.atomic import write_text
from audiocls.track.sweep_server import Gone, ServerSweep, SweepPath, Sweeps


@dataclass(frozen=True)
class Pushed:
    """Where a study's sweep is."""

    sweep: ServerSweep
    is_new: bool
    replaced: SweepPath | None = None
    """What the study was registered as before, if that was something else."""


def remembered(folder: StudyFolder) -> SweepPath | None:
    """The sweep that the study is registered as."""
    file = folder.path / "wandb.json"
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    return SweepPath(found["entity"], found["project"], found["sweep"])


def remember(folder: StudyFolder, path: SweepPath) -> None:
    """Keep it for later pushes, agents and syncs."""
    content = {"entity": path.entity, "project": path.project, "sweep": path.id}
    write_text(folder.path / "wandb.json", json.dumps(content, indent=1) + "\n")


def push(
    server: Sweeps,
    folder: StudyFolder,
    config: Mapping[str, Any],
    project: str,
    entity: str | None = None,
) -> Pushed:
    """The study's sweep, created unless the server has it already with this configuration."""
    before = remembered(folder)
    if before is not None and before.project == project and entity in (None, before.entity):
        known = _known(server, before)
        if known is not None and _is_same(known.config, config):
            return Pushed(known, is_new=False)
    path = server.create(config, project, entity)
    remember(folder, path)
    return Pushed(server.sweep(path), is_new=True, replaced=before)


def _known(server: Sweeps, path: SweepPath) -> ServerSweep | None:
    try:
        return server.sweep(path)
    except Gone:
        return None


def _is_same(registered: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that is wanted is there; a server may add defaults."""
    return all(key in registered and registered[key] == wanted[key] for key in wanted)
