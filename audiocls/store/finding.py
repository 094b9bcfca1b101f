"""`open_study`: which folder a person means."""

from pathlib import Path

from audiocls.store.study import StudyFolder


def open_study(name: str, runs: Path) -> StudyFolder:
    """Return a launched study by its name in `runs`, or by the path of its folder."""
    is_path = "/" in name or (not (runs / name).exists() and Path(name, "study.yaml").exists())
    return StudyFolder(Path(name) if is_path else runs / name)
