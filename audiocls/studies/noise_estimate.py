"""The noise that a plan goes by: of the study itself, of its baseline's noise study, or assumed."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from audiocls.analysis import evidence
from audiocls.analysis.evidence import NoiseEstimate
from audiocls.analysis.noise import Noise, measure
from audiocls.atomic import write_text
from audiocls.config import Config, digest, resolve
from audiocls.design import Plan
from audiocls.errors import ConfigError, DataError
from audiocls.formatting import command_line
from audiocls.parts import KEPT
from audiocls.store import Damaged, Record, Study, StudyFolder
from audiocls.store.reuse import noise_study
from audiocls.store.stored_file import read, sealed, unsealed
from audiocls.studies.predictions import read_influences
from audiocls.studies.reports import load_report


def measured_noise(
    folder: StudyFolder, study: Study, records: Mapping[str, Record], baseline: str
) -> Noise:
    """Return how much a study's baseline varies, by its records and predictions.

    `baseline` is a digest. Raises `NotComparable` where fewer than two of its trials are finished.
    """
    influences = read_influences(folder, study, records)
    return measure(study, records, baseline, influences[study.metric])


def write_noise(folder: StudyFolder, measured: Noise) -> None:
    """Write the noise of a baseline where `read_noise` finds it."""
    write_text(_noise_file(folder), sealed(measured.to_mapping()))


def read_noise(runs: Path, ablation: str) -> Noise | None:
    """Return what was measured last of an ablation's baseline, whatever that was then.

    Raises `Damaged`, for a file of another version as well.
    """
    file = _noise_file(StudyFolder(runs / noise_study(ablation)))
    again = command_line("noise", ablation, runs=runs)
    advice = f"measure it again, which trains nothing twice: {again}"
    return read(file, lambda content: Noise.from_mapping(unsealed(content)), advice)


def _noise_file(folder: StudyFolder) -> Path:
    return folder.path / "noise.json"


def noise_estimate(
    chosen: Plan, baseline: Config, runs: Path, cache: Path
) -> tuple[NoiseEstimate | None, str]:
    """Return the noise of a planned study, by the best that is known of it.

    The text says why something that was measured is not used, or why nothing can be assumed.
    """
    metric = chosen.ablation.metric.recorded
    known, note = _measured(chosen, runs, digest(baseline), partial(_trains, digest(baseline)))
    if known is not None:
        return known, ""
    num_recordings, ratio, why = recordings_of(chosen, baseline, cache)
    guess = evidence.assumed(metric, num_recordings, ratio)
    return guess, note or (why if guess is None else "")


def program_noise(chosen: Plan, baseline: str, runs: Path) -> tuple[NoiseEstimate | None, str]:
    """Return the noise of a planned study of a program, where it was measured.

    `baseline` is the baseline's digest. The text says why there is none.
    """

    def is_same(folder: StudyFolder, study: Study) -> bool:
        return study.identities.get(study.baseline) == baseline

    known, note = _measured(chosen, runs, baseline, is_same)
    return known, note or ("" if known else "nothing is known of a program before it has run")


IsSame = Callable[[StudyFolder, Study], bool]
"""Whether a study that was launched before has the baseline that is planned now."""


def _measured(
    chosen: Plan, runs: Path, baseline: str, is_same: IsSame
) -> tuple[NoiseEstimate | None, str]:
    """Return what the study itself has shown before, or else the noise study of its baseline."""
    folder = StudyFolder(runs / chosen.ablation.name)
    known = _of_own_study(folder, chosen.ablation.metric.name, is_same)
    return (known, "") if known is not None else _of_noise_study(chosen, baseline, runs)


def _trains(baseline: str, folder: StudyFolder, study: Study) -> bool:
    """Whether the study's baseline was trained with the configuration of that digest."""
    first = next(cell for cell in study.cells if cell.arm == study.baseline)
    return _digest_of(folder.trial(first.id).config()) == baseline


def _of_own_study(folder: StudyFolder, metric: str, is_same: IsSame) -> NoiseEstimate | None:
    """Return how much its comparisons varied when it was run before, if all of them finished."""
    if not folder.exists() or folder.is_sweep():
        return None
    study = folder.study()
    first = next(cell for cell in study.cells if cell.arm == study.baseline)
    if study.metric != metric or folder.trial(first.id).state() != "done":
        return None
    if not is_same(folder, study):
        return None
    comparison = load_report(folder).comparison
    return None if comparison.missing else evidence.of_comparison(comparison)


def _digest_of(trial: dict[str, Any]) -> str:
    """Return the digest of a stored configuration; empty for one of another version."""
    try:
        return digest(resolve([trial], "trial", KEPT))
    except ConfigError:
        return ""


def _of_noise_study(chosen: Plan, baseline: str, runs: Path) -> tuple[NoiseEstimate | None, str]:
    """Return what the noise study tells, or why it tells nothing."""
    name, metric = chosen.ablation.name, chosen.ablation.metric.recorded
    try:
        measured = read_noise(runs, name)
    except Damaged as damage:
        return None, str(damage)
    if measured is None:
        return None, ""
    if (measured.baseline, measured.metric) != (baseline, metric):
        other = "metric" if measured.baseline == baseline else "baseline"
        return None, f"{measured.study} is stale: measured of another {other}, so not used"
    known = evidence.of_baseline(measured, is_tuned=bool(chosen.ablation.tune))
    few = f"{measured.study} has one seed, which cannot tell how much trainings vary"
    return known, "" if known else few


def recordings_of(chosen: Plan, baseline: Config, cache: Path) -> tuple[float, float, str]:
    """Return the mean number of recordings of a planned test fold, and n_test/n_train.

    The text says why they are unknown, and the numbers are 0 then. Reads the list of clips.
    """
    try:
        table = baseline.data.table(cache)
        splits = [table.split(fold, baseline.data.validation) for fold in chosen.folds]
    except DataError as error:
        return 0, 0, f"the test recordings cannot be counted: {error}"
    counts = [len({table.clips[at].source for at in split.test}) for split in splits]
    ratios = [len(split.test) / len(split.train) for split in splits]
    few = "all test clips of a fold are of one recording" if min(counts) < 2 else ""
    return sum(counts) / len(counts), sum(ratios) / len(ratios), few
