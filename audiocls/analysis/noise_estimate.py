"""`evidence_of`: what is known of the noise of a study that is planned, from what was trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.analysis.noise import read_noise
from audiocls.analysis.study_report import load_report
from audiocls.config import Config, digest, resolve
from audiocls.design import Plan
from audiocls.errors import ConfigError
from audiocls.stats import StdEstimate, pooled
from audiocls.store import StudyFolder


@dataclass(frozen=True)
class NoiseEstimate:
    """How much paired differences vary, and how that is known."""

    spread: StdEstimate
    source: str
    mean: float
    """Of the baseline, in units of the metric."""


def evidence_of(chosen: Plan, baseline: Config, runs: Path) -> tuple[NoiseEstimate | None, str]:
    """The ablation's own finished pairs, or else its noise study; what is stale is told."""
    name, metric = chosen.ablation.name, chosen.ablation.metric.name
    own = _own_pairs(StudyFolder(runs / name), baseline, metric)
    if own is not None:
        return own, ""
    measured = read_noise(runs, name)
    if measured is None:
        return None, ""
    if (measured.baseline, measured.metric) != (digest(baseline), metric):
        other = "metric" if measured.baseline == digest(baseline) else "baseline"
        return None, f"{measured.study} is stale: measured of another {other}, so not used"
    what = "the baseline, untuned" if chosen.ablation.tune else "the baseline"
    source = f"{measured.study}, {measured.grid} of {what}"
    return NoiseEstimate(measured.pair, source, measured.mean), ""


def _own_pairs(folder: StudyFolder, baseline: Config, metric: str) -> NoiseEstimate | None:
    """What arms really did: their spread around their own means, pooled."""
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
    """Empty for a configuration of another version, which is no more one of ours."""
    try:
        return digest(resolve([trial], "trial"))
    except ConfigError:
        return ""
