"""A study by its name, its folder, or the file that it was launched from."""

from pathlib import Path

from audiocls.errors import UsageError
from audiocls.store import StudyFolder
from audiocls.store.study import open_study

ENDINGS = (".yaml", ".yml")


def find_study(name: str, runs: Path) -> StudyFolder:
    """Return a study that is there, or the one of that name that is not.

    `sweep.yaml`, or `sweep`, is the study that was launched from that file, whatever its `name:`
    called it. Raises `UsageError` where several were.
    """
    folder = open_study(name, runs)
    if folder.exists() or Path(name).suffix not in (*ENDINGS, ""):
        return folder
    matches = [each for each in _studies(runs) if _launched_from(each) == Path(name).stem]
    if len(matches) > 1:
        names = ", ".join(each.name for each in matches)
        raise UsageError(f"{name}: several studies were launched from it: {names}; name one")
    return matches[0] if matches else folder


def _studies(runs: Path) -> list[StudyFolder]:
    return [StudyFolder(file.parent) for file in sorted(runs.glob("*/study.yaml"))]


def _launched_from(folder: StudyFolder) -> str:
    """Return the name of a study's file without its ending; empty where it has none."""
    if folder.kind() not in ("ablation", "search"):
        return ""
    request = folder.study().request
    return Path(request.name).stem if request else ""
