"""The studies of a folder: which there are, what each found, and what becomes of them."""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from audiocls.api.arguments import Folder, existing_runs_folder, known_options
from audiocls.api.catalogue import Catalogue
from audiocls.api.study import Named, Study
from audiocls.errors import AudioclsError, UsageError
from audiocls.formatting import command_line, format_bytes
from audiocls.render.build.headline import short_answer
from audiocls.render.build.ranking import short_best
from audiocls.store import StudyFolder, count_states, open_study
from audiocls.studies import keeping
from audiocls.studies.keeping import Kept
from audiocls.studies.reports import load_ranking, load_report
from audiocls.studies.status import at_work, status_of

MOST_TRIALS = 500
"""Of a study whose answer a list shows; that of a larger one takes seconds."""


@known_options
def list_studies(*, runs: Folder | None = None) -> Catalogue:
    """Return the studies in `runs`: kind, trials done, what was found, size, last change.

    >>> import audiocls
    >>> audiocls.list_studies(runs="nowhere").names
    ()
    """
    folders = sorted(file.parent for file in existing_runs_folder(runs).glob("*/study.yaml"))
    rows = tuple(_row(StudyFolder(folder)) for folder in folders)
    shown = ("name", "kind", "trials", "answer", "size", "changed")
    return Catalogue("Studies", rows, shown, droppable=("size", "changed", "kind"))


def _row(folder: StudyFolder) -> dict[str, Any]:
    """Return what a list says of a study; one that cannot be read is listed with the reason."""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(_changed(folder)))
    num_bytes = keeping.size_of(folder.path)
    common = {"size": format_bytes(num_bytes), "changed": when, "bytes": num_bytes}
    try:
        known, counts = folder.study(), count_states(status_of(folder).states)
    except AudioclsError as error:
        return {"name": folder.name, "kind": "", "trials": "", "answer": str(error), **common}
    total = sum(counts.values())
    doing = " running" if at_work(folder) else ""
    return {
        "name": folder.name,
        "kind": known.kind,
        "trials": f"{counts['done']}/{total}{doing}",
        "answer": _answer(folder, total),
        **common,
        "question": known.question,
        "total": total,
        **{str(state): number for state, number in counts.items()},
    }


def _answer(folder: StudyFolder, num_trials: int) -> str:
    """Return the verdicts, or the best of a search, in a few words."""
    if num_trials > MOST_TRIALS:
        return command_line("report", folder.name, runs=folder.path.parent)
    with suppress(AudioclsError):
        if folder.is_sweep():
            return short_best(load_ranking(folder))
        return short_answer(load_report(folder).comparison)
    return ""


def _changed(folder: StudyFolder) -> float:
    """Return when a trial last ended or the plan changed, in seconds since 1970."""
    files = (*folder.path.glob("trials/*/record.json"), folder.path / "study.yaml")
    return max(file.stat().st_mtime for file in files)


@known_options
def rename_study(study: Named, name: str, *, runs: Folder | None = None) -> Kept:
    """Give a study another name; its trials keep their ids, and its runs at W&B their group.

    >>> import audiocls
    >>> audiocls.rename_study("dropout", "dropout on ESC-10").path  # doctest: +SKIP
    PosixPath('runs/dropout on ESC-10')
    """
    return keeping.rename_study(_folder(study, runs), name)


@known_options
def delete_study(study: Named, *, yes: bool = False, runs: Folder | None = None) -> Kept:
    """Delete a study from this disk, with its tuning trials; refused without `yes`.

    >>> import audiocls
    >>> audiocls.delete_study("dropout", yes=True).num_bytes  # doctest: +SKIP
    18350080
    """
    folder = _folder(study, runs)
    if not yes:
        raise UsageError(f"{deletion_question(folder)} Say so with yes=True, or --yes")
    return keeping.delete_study(folder)


def deletion_question(folder: StudyFolder) -> str:
    """Return what would be lost, as a question."""
    size = format_bytes(keeping.size_of(folder.path))
    return f"Delete {folder.path} ({len(_finished(folder))} finished trials, {size}) for good?"


def _finished(folder: StudyFolder) -> Sequence[Path]:
    return list(folder.path.glob("trials/*/record.json"))


@known_options
def archive_study(
    study: Named, *, out: Folder | None = None, keep: bool = False, runs: Folder | None = None
) -> Kept:
    """Put a study into `NAME.tar.gz`, read it back, and remove its folder unless `keep`.

    >>> import audiocls
    >>> audiocls.archive_study("dropout").notes  # doctest: +SKIP
    ('back: tar -xzf runs/dropout.tar.gz -C runs',)
    """
    return keeping.archive_study(_folder(study, runs), None if out is None else Path(out), keep)


def _folder(study: Named, runs: Folder | None) -> StudyFolder:
    """Return a study by its own name alone: one that its file means is not given up for it."""
    if isinstance(study, Study):
        return study.folder
    folder = open_study(str(study), existing_runs_folder(runs))
    if not folder.exists():
        folder.study()  # raises, with the studies that there are
    return folder
