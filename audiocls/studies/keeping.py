"""What becomes of a study's folder: it is renamed, deleted, or put into an archive."""

import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls.atomic import write_text
from audiocls.errors import UsageError
from audiocls.formatting import command_line, join_names, plural
from audiocls.machine import writing
from audiocls.store import Study, StudyFolder, folder_name, tuning_path
from audiocls.store.study import TRACKED_AS
from audiocls.store.trial import LEASE
from audiocls.studies.status import at_work

ENDING = ".tar.gz"
STAYS = ("launches", "tmp", ".stop", ".plan.lease", LEASE)
"""Of processes that work on a study, which belong to their place."""


@dataclass(frozen=True)
class Kept:
    """What was done to a study, and what a person must know of it."""

    study: str
    path: Path
    """Where it lies now: a folder, an archive, or where its folder was."""
    num_bytes: int
    notes: tuple[str, ...] = ()


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; links are not followed."""
    files = (Path(top, name) for top, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_size for file in files)


def rename_study(folder: StudyFolder, name: str) -> Kept:
    """Give a study another name, its tuning trials and its noise study included.

    Trials keep their ids, and runs that W&B has keep the name under which they were tracked: trials
    that follow join them there. Raises `UsageError` where that cannot be.
    """
    study = folder.study()
    _require_renamable(folder, study, name)
    family = [folder, *_dependents(folder)]
    moves = [(each, folder.path.with_name(name + each.name[len(folder.name) :])) for each in family]
    for each, target in moves:
        _require_idle(each, "rename")
        if target.exists():
            raise UsageError(f"{target} already exists; choose another name, or move it away")
    for each, target in moves:
        _move(each, target, folder.name, name)
    tracked = StudyFolder(folder.path.with_name(name)).tracked_name
    notes = (f"runs at W&B stay in the group {tracked!r}; those that follow join them there",)
    moved = [f"{each.name} is {target.name} now" for each, target in moves[1:]]
    return Kept(name, folder.path.with_name(name), size_of(folder.path), (*moved, *notes))


def _require_renamable(folder: StudyFolder, study: Study, name: str) -> None:
    if not name or folder_name(name) != name:
        hint = f", such as {folder_name(name)!r}" if folder_name(name) else ""
        raise UsageError(f"rename: got {name!r}; wanted: the name of one folder{hint}")
    if study.kind in ("noise", "tuning"):
        raise UsageError(
            f"{folder.name} belongs to the study {study.of!r} and is renamed with it: "
            f"{command_line('study', 'rename', study.of, 'NAME', runs=folder.path.parent)}"
        )
    if study.request is None or study.request.command in ("train", "noise"):
        raise UsageError(
            f"{folder.name}: `{study.command}` has no --study, so that it could not go on under "
            "another name; copy the folder, or leave the name"
        )


def _dependents(folder: StudyFolder) -> list[StudyFolder]:
    """Return the studies beside it that are a part of this one: its noise, and its tuning trials"""
    beside = (StudyFolder(file.parent) for file in folder.path.parent.glob("*/study.yaml"))
    dependents = (each for each in beside if each.kind() in ("noise", "tuning"))
    prefix = folder.name
    return [
        each for each in dependents if each.study().of == prefix and each.name.startswith(prefix)
    ]


def _move(folder: StudyFolder, target: Path, before: str, name: str) -> None:
    """Move one folder; its plan is written anew there, under the new name."""
    study = folder.study()
    write_text(folder.path / TRACKED_AS, folder.tracked_name)
    request = study.request
    if request is not None and study.kind not in ("noise", "tuning"):
        request = replace(request, study=name)
    command = request.line() if request is not None and request != study.request else study.command
    of = name if study.of == before else study.of
    renamed = replace(study, name=target.name, request=request, command=command, of=of)
    with writing(target):
        folder.path.rename(target)
    StudyFolder(target).write_study(renamed)


def delete_study(folder: StudyFolder) -> Kept:
    """Delete a study and its tuning trials from this disk; runs that W&B has stay there."""
    family = _with_tuning(folder)
    for each in family:
        _require_idle(each, "delete")
    num_bytes = sum(size_of(each.path) for each in family)
    for each in family:
        aside = each.path.with_name(f".{each.name}.deleted")  # so that nobody meets half a study
        with writing(each.path):
            each.path.rename(aside)
            shutil.rmtree(aside)
    notes = ("runs that W&B has stay there; caches of decoded audio are shared, and stay too",)
    return Kept(folder.name, folder.path, num_bytes, notes)


def archive_study(folder: StudyFolder, out: Path | None = None, is_kept: bool = False) -> Kept:
    """Put a study and its tuning trials into one compressed file, and remove the folders.

    The file is read back before anything is removed. With `is_kept` the folders stay.
    """
    family = _with_tuning(folder)
    for each in family:
        _require_idle(each, "archive")
    file = out or folder.path.with_name(folder.name + ENDING)
    if file.exists():
        raise UsageError(f"{file} already exists; name another with --out")
    beside = file.with_name(f".{file.name}.tmp")
    try:
        with writing(beside):
            _pack(beside, family)
            _require_whole(beside, family)
            beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    for each in () if is_kept else family:
        shutil.rmtree(each.path)
    runs = folder.path.parent
    notes = (f"back: tar -xzf {file} -C {runs}",)
    return Kept(folder.name, file, file.stat().st_size, notes)


def _pack(file: Path, family: Sequence[StudyFolder]) -> None:
    with tarfile.open(file, "w:gz", compresslevel=6) as archive:
        for each in family:
            for path in _files(each):
                archive.add(path, path.relative_to(each.path.parent), recursive=False)


def _files(folder: StudyFolder) -> Iterator[Path]:
    """Yield what an archive holds of a study: all but what processes that work on it have there."""
    for top, inside, names in os.walk(folder.path):
        inside[:] = sorted(name for name in inside if name not in STAYS)
        links = (name for name in inside if Path(top, name).is_symlink())
        yield from (Path(top, name) for name in sorted([*names, *links]) if name not in STAYS)


def _require_whole(file: Path, family: Sequence[StudyFolder]) -> None:
    """Raise `UsageError` unless every file is in the archive with all its bytes."""
    wanted = {
        str(path.relative_to(each.path.parent)): 0 if path.is_symlink() else path.stat().st_size
        for each in family
        for path in _files(each)
    }
    with tarfile.open(file) as archive:
        sizes = {member.name: member.size for member in archive}
    if sizes != wanted:
        changed = sorted(name for name, _ in sizes.items() ^ wanted.items())
        raise UsageError(f"files changed while they were archived: {join_names(changed)}")


def _with_tuning(folder: StudyFolder) -> list[StudyFolder]:
    tuning = StudyFolder(tuning_path(folder.path))
    return [folder, *([tuning] if tuning.exists() and tuning.kind() == "tuning" else [])]


def _require_idle(folder: StudyFolder, verb: str) -> None:
    """Raise `UsageError` while a launch works on the study, or a process on one of its trials."""
    who = [at.launch.who for at in at_work(folder)]
    leases = folder.path.glob(f"trials/*/{LEASE}")
    held = [file for file in leases if folder.trial(file.parent.name).holder() is not None]
    if who or held:
        stop = command_line("sweep", "stop", folder.name, runs=folder.path.parent)
        doing = join_names(who) if who else f"{plural(len(held), 'trial')} is held"
        raise UsageError(f"{verb}: study {folder.name!r} is being run ({doing}); stop it: {stop}")
