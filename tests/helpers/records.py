"""Studies and records made by hand: no trial is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiocls.analysis import compare
from audiocls.analysis.influences import Influences
from audiocls.store import SearchPlan, StudyFolder
from audiocls.store.record import Cell, Cost, Provenance, Record, Study

COST = Cost(120_000, 34_000_000, 10, 100, 3200, 100, 12.5, 12.0, 300.0)
PROVENANCE = Provenance(
    "c0de", "0.1.0", "3.11.2", "2.11.0", "cpu", "d47a", "box", "08:00", "09:00", "train.select=last"
)

Records = dict[str, Record]


def finished_study(
    values: Mapping[str, Sequence[float]],
    seeds: Sequence[int] = (0, 1, 2),
    folds: Sequence[int] = (1, 2, 3, 4, 5),
    **options: Any,
) -> tuple[Study, Records]:
    """Return a study of arm → test accuracy in each block, and the records of its trials.

    The first arm is the baseline; blocks are ordered by seed, then fold; a trial's id is
    `arm-seed-fold`. `options` are fields of the study.
    """
    blocks = [(seed, fold) for seed in seeds for fold in folds]
    cells, records = [], {}
    for arm, metrics in values.items():
        for (seed, fold), value in zip(blocks, metrics, strict=True):
            cell = Cell(f"{arm}-{seed}-{fold}", arm, seed, fold)
            cells.append(cell)
            metric = {"test/accuracy": float(value)}
            records[cell.id] = Record(
                cell.id, seed, fold, 1, metric, COST, PROVENANCE, 1200, 400, 400, test_clips="c115"
            )
    study = Study(
        name="dropout",
        question="Does it help?",
        recipe="tiny",
        design="ofat",
        metric="test/accuracy",
        baseline=next(iter(values)),
        arms={arm: {} if i == 0 else {"model.dropout": arm} for i, arm in enumerate(values)},
        cells=tuple(cells),
        **{"goal": "maximize", "command": "audiocls sweep launch dropout", **options},
    )
    return study, records


def paired_values(*effects: float, spread: float = 0.004, seed: int = 0) -> dict[str, Any]:
    """Return values of a baseline and of an arm for each effect, in 15 blocks.

    All arms share the noise of their block; `spread` is the sd of an arm's own.
    """
    rng = np.random.default_rng(seed)
    common = 0.8 + 0.03 * rng.normal(size=15)
    arms = {f"arm{i}": common + e + spread * rng.normal(size=15) for i, e in enumerate(effects)}
    return {"base": common, **arms}


Influenced = dict[str, dict[str, Influences | str]]


def recorded_study(
    *effects: float,
    seeds: Sequence[int] = (0, 1, 2),
    folds: Sequence[int] = (1, 2, 3, 4, 5),
    num_recordings: int = 40,
    lasting: float = 0.1,
    noise: float = 0.1,
    draw: int = 0,
    **options: Any,
) -> tuple[Study, Records, Influenced]:
    """Return a study with a score for each recording of each trial, and what they add to it.

    `lasting` is the sd of what an arm gains on a recording with every seed, `noise` that of a
    single training there. Scores are those of a share, so effects are too.
    """
    rng = np.random.default_rng(draw)
    shape = (len(effects) + 1, 1, len(folds), num_recordings)
    scores = 0.8 + lasting * rng.normal(size=shape) / 2**0.5
    scores = scores + noise * rng.normal(size=(shape[0], len(seeds), *shape[2:])) / 2**0.5
    scores += np.array([0.0, *effects])[:, None, None, None]
    names = ["base", *(f"arm{index}" for index in range(len(effects)))]
    values = {name: own.mean(axis=-1).ravel() for name, own in zip(names, scores, strict=True)}
    study, records = finished_study(values, seeds, folds, **options)
    influences: dict[str, Influences | str] = {}
    for name, own in zip(names, scores, strict=True):
        for (seed, fold), each in zip(
            [(seed, fold) for seed in seeds for fold in folds],
            own.reshape(-1, num_recordings),
            strict=True,
        ):
            recordings = np.array([f"{fold}-{number:03d}" for number in range(num_recordings)])
            own_influences = (each - each.mean()) / num_recordings
            influences[f"{name}-{seed}-{fold}"] = Influences(recordings, own_influences)
    return study, records, {"test/accuracy": influences}


def verdicts(study: Study, records: Records) -> list[str]:
    """Return the verdict of each arm that is compared with the baseline."""
    return [result.verdict for result in compare(study, records).compared]


def drop_records(records: Records, *ids: str) -> Records:
    """Return the records but those of these trials."""
    return {key: record for key, record in records.items() if key not in ids}


def write_study(path: Path, study: Study, records: Records) -> StudyFolder:
    """Write the study and its records to a folder, as a launch leaves them."""
    folder = StudyFolder(path)
    folder.write_study(study)
    for trial_id, record in records.items():
        folder.trial(trial_id).finish(record)
    return folder


def search_record(
    trial_id: str, value: float, early_stopped: bool = False, metric: str = "val/loss"
) -> Record:
    """Return the record of a search's trial, of which only the metric that decides is known."""
    unknown = Provenance("", "", "", "", "", "", "", "", "")
    cost = Cost(None, None, None, None, None, None, 1.0, None, None)
    metrics = {metric: value}
    return Record(trial_id, 0, 0, 1, metrics, cost, unknown, None, None, None, early_stopped)


def search_study(name: str, sweep: dict[str, Any], runs: str, folder: str, command: str) -> Study:
    """Return the study of a search whose trials run `runs` in `folder`."""
    return Study(name, kind="search", search=SearchPlan(sweep, runs, folder), command=command)
