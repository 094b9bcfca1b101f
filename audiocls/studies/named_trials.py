"""A finished trial by its name: `study:best`, `study:6ec6`, a short id alone, or its path."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from audiocls.errors import UsageError, did_you_mean
from audiocls.formatting import command_line, format_value, join_names, plural
from audiocls.search import without_blocks
from audiocls.store import Cell, Proposal, Record, Study, StudyFolder
from audiocls.studies.labels import labels_of, names_of
from audiocls.studies.named_studies import find_study
from audiocls.studies.status import status_of, sweep_of

BEST = "best"
SHORT_ID = re.compile(r"[0-9a-f]{4,12}")
"""What can be the beginning of a trial's id without its study."""
WANTED = "a trial is named STUDY:best, STUDY:ARM, STUDY:ID, by an id alone, or by its folder"
MOST_NAMED = 5


@dataclass(frozen=True)
class NamedTrial:
    """Where a trial lies, and what its name did not say."""

    path: Path
    notes: tuple[str, ...] = ()


def find_trial(given: str | Path, runs: Path) -> NamedTrial:
    """Return the trial that is meant; what looks like a path is taken as one.

    Raises `UsageError` with the nearest names for what is unknown or ambiguous.
    """
    text = str(given)
    study, colon, which = text.rpartition(":")
    if _is_place(Path(text)):
        return NamedTrial(Path(text))
    if colon and study:
        return _of_study(find_study(study, runs), which)
    if (folder := find_study(text, runs)).exists():
        raise UsageError(f"{text} is a study; name one of its trials: {_examples(folder)}")
    if SHORT_ID.fullmatch(text):
        return _of_any(text, runs)
    if Path(text).exists() or "/" in text or Path(text).suffix:
        return NamedTrial(Path(text))
    known = [folder.name for folder in _studies(runs)]
    near = did_you_mean(text, known)
    raise UsageError(
        f"no trial and no study is called {text!r} in {runs}; studies there: "
        f"{join_names(known, 30) or 'none'}.{near} {WANTED[0].upper()}{WANTED[1:]}"
    )


def _is_place(path: Path) -> bool:
    """Whether a file, or a folder of a trial, has this path."""
    return path.is_file() or (path / "checkpoint.safetensors").exists()


def _studies(runs: Path) -> list[StudyFolder]:
    return [StudyFolder(file.parent) for file in sorted(runs.glob("*/study.yaml"))]


def _finished(folder: StudyFolder) -> list[str]:
    return sorted(file.parent.name for file in folder.path.glob("trials/*/record.json"))


def _examples(folder: StudyFolder) -> str:
    ids = [f"{folder.name}:{each}" for each in _finished(folder)]
    return join_names([f"{folder.name}:{BEST}", *ids], 3) if ids else "none has finished yet"


def _of_study(folder: StudyFolder, which: str) -> NamedTrial:
    """Return a study's best trial, the best of an arm, or the trial whose id begins so."""
    study = folder.study()  # says which studies there are, if this is none
    if which == BEST:
        return best_trial(folder)
    if (arm := names_of(labels_of(study)).get(which, which)) in study.arms:
        return best_trial(folder, arm)
    ids = _finished(folder)
    is_unfinished = which and not any(each.startswith(which) for each in ids)
    if is_unfinished and any(folder.path.glob(f"trials/{which}*")):
        look = command_line("sweep", "status", folder.name, runs=folder.path.parent)
        raise UsageError(f"{folder.name}:{which}: that trial has not finished; see {look}")
    return NamedTrial(folder.trial(match_id(folder, which, ids, "finished trial")).path)


def match_id(folder: StudyFolder, which: str, ids: Sequence[str], what: str) -> str:
    """Return the one id that begins so; raise `UsageError` with the nearest, or the several."""
    matches = [trial_id for trial_id in ids if which and trial_id.startswith(which)]
    if len(matches) == 1 or which in matches:
        return which if which in matches else matches[0]
    if matches:
        raise _ambiguous(which, folder.name, matches)
    near = did_you_mean(which, [BEST, *folder.study().arms, *ids])
    raise UsageError(
        f"study {folder.name!r} has no {what} {which!r}; it has "
        f"{join_names(ids, MOST_NAMED) or 'none yet'}.{near}"
    )


def _of_any(which: str, runs: Path) -> NamedTrial:
    """Return the one trial of all studies whose id begins so; studies may share a trial."""
    matches = {
        trial_id: folder.trial(trial_id).path
        for folder in _studies(runs)
        for trial_id in _finished(folder)
        if trial_id.startswith(which)
    }
    if len(matches) == 1:
        return NamedTrial(next(iter(matches.values())))
    if matches:
        raise _ambiguous(which, str(runs), list(matches))
    raise UsageError(f"no finished trial in {runs} has an id that begins with {which!r}; {WANTED}")


def _ambiguous(which: str, where: str, ids: Sequence[str]) -> UsageError:
    return UsageError(
        f"{which!r}: {plural(len(ids), 'trial')} in {where} begin so: "
        f"{join_names(ids, MOST_NAMED)}; give more of the id"
    )


def best_trial(folder: StudyFolder, arm: str = "") -> NamedTrial:
    """Return the best finished trial by the study's metric on validation clips, never on test.

    Of an `arm` alone where one is given.

    Where arms, or settings, were tried on several seeds and folds, means count: over the seeds and
    folds that all arms have, for folds differ. Of the best arm it is the best trial.
    """
    study, asked = folder.study(), f"{folder.name}:{arm or BEST}"
    cells = [each for each in folder.cells() if not arm or _is_of(each, arm)]
    records = {
        key: record
        for key, record in folder.records(cells).items()
        if folder.trial(key).checkpoint.exists()
    }
    if not records:
        raise UsageError(f"{asked}: no finished trial of it keeps a checkpoint")
    metric, goal = _validation_metric(folder, study, records)
    sign = 1 if goal == "maximize" else -1
    values = {key: record.metrics.get(metric, math.nan) for key, record in records.items()}
    scores = {key: sign * value for key, value in values.items() if math.isfinite(value)}
    if not scores:
        raise UsageError(f"{asked}: no finished trial has a number for {metric}")
    groups = _groups(folder, study, [cell for cell in cells if cell.id in scores])
    best = _winner(groups, scores)
    name, value = status_of(folder).name_of(best), format_value(values[best.id])
    block = f", seed {best.seed}, fold {best.fold}" if isinstance(best, Cell) else ""
    among = (
        "the arm with the best mean"
        if not arm and len(groups) < len(scores)
        else plural(len(scores), "trial")
    )
    note = (
        f"{asked} is {best.id} ({name}{block}), the best of {among} by {metric} "
        f"({value}); no test score was looked at"
    )
    return NamedTrial(folder.trial(best.id).path, (note,))


def _is_of(cell: Cell | Proposal, arm: str) -> bool:
    return isinstance(cell, Cell) and cell.arm == arm


def _winner(
    groups: Sequence[Sequence[Cell | Proposal]], scores: Mapping[str, float]
) -> Cell | Proposal:
    """Return the best trial of the group with the best mean, the first of equals."""
    blocks = [{cell.block for cell in group if isinstance(cell, Cell)} for group in groups]
    shared = set.intersection(*blocks)
    fewest = max(map(len, groups)) if not shared else 0

    def mean(group: Sequence[Cell | Proposal]) -> float:
        counted = [c for c in group if not shared or (isinstance(c, Cell) and c.block in shared)]
        return statistics.fmean(scores[cell.id] for cell in counted)

    means = [mean(group) if len(group) >= fewest else -math.inf for group in groups]
    return max(groups[means.index(max(means))], key=lambda cell: scores[cell.id])


def _groups(
    folder: StudyFolder, study: Study, cells: Sequence[Cell | Proposal]
) -> list[list[Cell | Proposal]]:
    """Return the trials that differ in seed and fold alone."""
    sweep = sweep_of(folder, study) if study.kind == "search" else None
    groups: dict[str, list[Cell | Proposal]] = {}
    for cell in cells:
        if isinstance(cell, Cell):
            key = cell.arm
        else:
            setting = without_blocks(sweep, cell.parameters) if sweep else cell.parameters
            key = repr(sorted(setting.items()))
        groups.setdefault(key, []).append(cell)
    return list(groups.values())


def _validation_metric(
    folder: StudyFolder, study: Study, records: Mapping[str, Record]
) -> tuple[str, str]:
    """Return the study's metric as it is on validation clips, and its goal.

    Where that is not recorded, what chose the epoch is taken (`train.select`).
    """
    metric, goal = study.metric, study.goal
    if study.kind == "search" and (known := sweep_of(folder, study).metric) is not None:
        metric, goal = known.name, known.goal
    wanted = f"val/{metric.removeprefix('best/').rpartition('/')[2]}"
    recorded = set.intersection(*(set(record.metrics) for record in records.values()))
    if wanted in recorded:
        return wanted, goal
    select = str(folder.trial(next(iter(records))).config().get("train", {}).get("select", ""))
    if select in recorded:
        return select, "minimize" if select == "val/loss" else "maximize"
    have = sorted(name for name in recorded if name.startswith("val/"))
    raise UsageError(
        f"{folder.name}:{BEST}: {wanted} is not recorded, and test clips choose no trial; recorded "
        f"on validation clips: {join_names(have, 10) or 'nothing'}. {_examples_of(records)}"
    )


def _examples_of(records: Mapping[str, Record]) -> str:
    return f"Name a trial by its id: {join_names(records, MOST_NAMED)}"
