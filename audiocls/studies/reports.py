"""What is read from a study's folder for its analysis: records, predictions, trials, noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from audiocls.analysis import Comparison, compare
from audiocls.analysis.clips import ClipComparison, Scored, compare_clips, scored
from audiocls.analysis.comparability import incomparability
from audiocls.analysis.contrasts.cross_study import MultiStudyReport, compare_studies
from audiocls.analysis.noise import Noise
from audiocls.analysis.pairing import RecordGrid, usable
from audiocls.analysis.power import NoiseEstimate
from audiocls.analysis.ranking import Ranked, Ranking, in_order
from audiocls.analysis.results import Failed
from audiocls.atomic import write_text
from audiocls.config import Config, digest, resolve
from audiocls.design import Plan
from audiocls.errors import ConfigError
from audiocls.search import Sweep
from audiocls.stats import pooled
from audiocls.store import Damaged, Failure, Proposal, Record, Study, StudyFolder
from audiocls.store.reuse import noise_study
from audiocls.store.stored_file import read, sealed, unsealed
from audiocls.studies.sources.search import tried_of
from audiocls.studies.status import sweep_of

MOST_TRIALS = 1000
"""Trials whose predictions a page reads by default: some seconds."""


@dataclass(frozen=True)
class StudyReport:
    """A study, what is recorded of it, and what follows."""

    folder: StudyFolder
    study: Study
    records: dict[str, Record]
    failed: dict[str, Failure]
    comparison: Comparison

    @property
    def is_comparable(self) -> bool:
        """Whether at least one arm could be compared with the baseline, or there is none."""
        verdicts = [arm.verdict for arm in self.comparison.arms if arm.verdict != "baseline"]
        return not verdicts or any(verdict != "not_comparable" for verdict in verdicts)

    def failures(self) -> list[Failed]:
        """Return the trials whose last attempt failed, and why."""
        failed = self.failed
        cells = (cell for cell in self.study.cells if cell.id in failed)
        return [(cell, failed[cell.id].cause, failed[cell.id].message) for cell in cells]


def load_report(folder: StudyFolder) -> StudyReport:
    """Return everything recorded so far, read once and compared."""
    study = folder.study_with_arms()
    records = folder.records(study.cells)
    failed = folder.failures([cell for cell in study.cells if cell.id not in records])
    causes = {trial_id: f"failed: {failure.cause}" for trial_id, failure in failed.items()}
    return StudyReport(folder, study, records, failed, compare(study, records, causes))


def load_ranking(folder: StudyFolder) -> Ranking:
    """Return the trials of a launched sweep so far, the best first."""
    study = folder.study()
    sweep = sweep_of(folder, study)
    proposals = enumerate(folder.proposals(), start=1)
    trials = [_ranked(folder, sweep, *numbered) for numbered in proposals]
    return in_order(study, sweep, trials)


def _ranked(folder: StudyFolder, sweep: Sweep, number: int, proposal: Proposal) -> Ranked:
    tried, trial = tried_of(sweep, folder, proposal), folder.trial(proposal.id)
    record = trial.record()
    seconds = record.cost.wall_s if record else None
    # A search counts every trial without an end as running, although its launch may be stopped.
    state = trial.state() if tried.state == "running" else tried.state
    return Ranked(proposal, number, state, tried.value, seconds)


def load_studies(folders: Sequence[StudyFolder]) -> MultiStudyReport:
    """Return the first of the studies compared with each other one.

    A study keeps its own name, or has its path for one where another study has the same name.
    """
    names = [folder.name for folder in folders]
    known = []
    for folder in folders:
        study = folder.study()
        name = folder.name if names.count(folder.name) == 1 else str(folder.path)
        known.append((replace(study, name=name), folder.records(study.cells)))
    return compare_studies(known)


def read_clips(folder: StudyFolder, study: Study, records: Mapping[str, Record]) -> ClipComparison:
    """Return the clip comparison of the trials in `records`.

    Trials without usable predictions are named: another program's, or imported ones, may have none.
    What forbids a verdict on an arm forbids this, too.
    """
    finished = usable(study, records)
    named = (folder.trial(trial_id).class_names() for trial_id in finished)
    labels = next((names for names in named if names), ())
    grid = RecordGrid(study, finished)
    reasons = {arm: incomparability(study, pairs) for arm, pairs in grid.pairs.items()}
    refused = {arm: reason for arm, reason in reasons.items() if reason}
    return compare_clips(study, finished, lambda id_: _predictions(folder, id_), labels, refused)


def _predictions(folder: StudyFolder, trial_id: str) -> Scored | str:
    """Return a trial's predictions, or why they cannot be used."""
    try:
        arrays = folder.trial(trial_id).predictions()
        if arrays["labels"].ndim > 1:
            return "clips of several labels are neither right nor wrong"
        return scored(arrays)
    except FileNotFoundError:
        return "no predictions are kept"
    except KeyError as error:
        return f"the predictions lack {error}"
    except (Damaged, ValueError) as error:
        return f"the predictions cannot be read ({error})"


def write_noise(folder: StudyFolder, measured: Noise) -> None:
    """Write the noise of a baseline where `read_noise` finds it."""
    write_text(_noise_file(folder), sealed(measured.to_mapping()))


def read_noise(runs: Path, ablation: str) -> Noise | None:
    """Return what was measured last of an ablation's baseline, whatever that was then.

    Raises `Damaged`.
    """
    file = _noise_file(StudyFolder(runs / noise_study(ablation)))
    advice = f"measure it again with: audiocls noise {ablation}"
    return read(file, lambda content: Noise.from_mapping(unsealed(content)), advice)


def _noise_file(folder: StudyFolder) -> Path:
    return folder.path / "noise.json"


def noise_estimate(chosen: Plan, baseline: Config, runs: Path) -> tuple[NoiseEstimate | None, str]:
    """Return the noise of a planned study, from its own finished pairs or else its noise study.

    The text says why there is no estimate although something was measured: it is stale, or its
    file is damaged.
    """
    name, metric = chosen.ablation.name, chosen.ablation.metric.name
    try:
        from_pairs = _noise_of_pairs(StudyFolder(runs / name), baseline, metric)
        if from_pairs is not None:
            return from_pairs, ""
        measured = read_noise(runs, name)
    except Damaged as damage:
        return None, str(damage)
    if measured is None:
        return None, ""
    if (measured.baseline, measured.metric) != (digest(baseline), metric):
        other = "metric" if measured.baseline == digest(baseline) else "baseline"
        return None, f"{measured.study} is stale: measured of another {other}, so not used"
    what = "the baseline, untuned" if chosen.ablation.tune else "the baseline"
    source = f"{measured.study}, {measured.grid} of {what}"
    return NoiseEstimate(measured.pair, source, measured.mean), ""


def _noise_of_pairs(folder: StudyFolder, baseline: Config, metric: str) -> NoiseEstimate | None:
    """Return how much arms varied around their own means, pooled."""
    if not folder.exists() or folder.is_sweep():
        return None
    study = folder.study()
    first = next(cell for cell in study.cells if cell.arm == study.baseline)
    if study.metric != metric or folder.trial(first.id).state() != "done":
        return None
    if _digest_of(folder.trial(first.id).config()) != digest(baseline):
        return None
    comparison = load_report(folder).comparison
    arms = [arm for arm in comparison.compared if arm.verdict != "not_comparable"]
    spread = pooled([value for *_, value in arm.differences] for arm in arms)
    mean = comparison.arms[0].mean
    if comparison.missing or spread is None or mean is None:
        return None
    num = sum(len(arm.differences) for arm in arms)
    return NoiseEstimate(spread, f"the {num} pairs of {folder.name}, as launched before", mean)


def _digest_of(trial: dict[str, Any]) -> str:
    """Return the digest of a stored configuration; empty for one of another version."""
    try:
        return digest(resolve([trial], "trial"))
    except ConfigError:
        return ""
