"""What a planned study can promise to see: in points where the noise is known, else in sds."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audiocls import console
from audiocls.cli import noise
from audiocls.cli.options import cache_folder
from audiocls.config import Config, digest, resolve
from audiocls.errors import ConfigError
from audiocls.plan import Plan
from audiocls.report import read_answer
from audiocls.report.notation import places, plain, plural
from audiocls.report.stats import (
    MAX_PAIRS,
    Allocation,
    Spread,
    cheapest,
    detectable_effect,
    limit_of_seeds,
    pooled,
    promised_effect,
)
from audiocls.run.resolve import folds_of, test_train_ratio
from audiocls.store import StudyFolder

POWER = 0.8
MARGINS = 2
"""The effect that a study should see, where nobody says: twice the one that counts as none."""


@dataclass(frozen=True)
class Evidence:
    """How much paired differences vary, and how that is known."""

    spread: Spread
    source: str
    mean: float
    """Of the baseline, in units of the metric."""


@dataclass(frozen=True)
class Option:
    """The cheapest way to see the effect that is wanted."""

    is_over_folds: bool
    allocation: Allocation | None
    """None where no number of seeds is enough, or more than 100 pairs would be needed."""


@dataclass(frozen=True)
class Promise:
    """What the planned pairs show at 80 % power; effects without evidence are in sds."""

    effect_sd: float | None
    """`None` where no arm can win."""
    ratio: float
    """Test clips to training clips, of the variance that the verdict will use."""
    evidence: Evidence | None
    note: str
    """Why there is no evidence, although there is some."""
    wanted: float
    """An effect, in units of the metric."""
    limit_sd: float
    """The effect over folds below which seeds are of no help."""
    options: tuple[Option, ...]

    def in_units(self, effect_sd: float | None) -> float | None:
        """An effect in units of the metric, where the noise is known."""
        if effect_sd is None or self.evidence is None:
            return None
        return effect_sd * self.evidence.spread.sd

    def interval(self) -> tuple[float, float] | None:
        """The promised effect at both ends of what the noise may be."""
        if self.effect_sd is None or self.evidence is None:
            return None
        return self.effect_sd * self.evidence.spread.low, self.effect_sd * self.evidence.spread.high

    def to_mapping(self) -> dict[str, Any]:
        return {
            "power": POWER,
            "test_train_ratio": self.ratio,
            "effect_sd": self.effect_sd,
            "effect": self.in_units(self.effect_sd),
            "effect_interval": self.interval(),
            "noise": asdict(self.evidence) if self.evidence else None,
            "note": self.note,
            "wanted": self.wanted,
            "limit_over_folds": self.in_units(self.limit_sd),
            "cheapest": [asdict(option) for option in self.options],
        }


def promise_of(chosen: Plan, config: Config, runs: Path, wanted: float | None) -> Promise:
    """`config` is the baseline's; `wanted` is in units of the metric."""
    stats = chosen.ablation.stats
    num_folds = len(folds_of(config, cache_folder()))
    ratio = test_train_ratio(num_folds)
    evidence, note = evidence_of(chosen, config, runs)
    family = max(1, chosen.num_comparisons)
    own_ratio = ratio if len(chosen.folds) > 1 else 0.0
    effect = MARGINS * stats.margin if wanted is None else wanted

    return Promise(
        effect_sd=promised_effect(len(chosen.blocks), own_ratio, family, POWER, stats.alpha),
        ratio=own_ratio,
        evidence=evidence,
        note=note,
        wanted=effect,
        limit_sd=limit_of_seeds(ratio, family, POWER, stats.alpha),
        options=() if evidence is None else _options(chosen, num_folds, ratio, effect, evidence),
    )


def _options(
    chosen: Plan, num_folds: int, ratio: float, effect: float, evidence: Evidence
) -> tuple[Option, ...]:
    """Over folds, where the data set has several, and on one of them."""
    in_sds = effect / evidence.spread.sd if evidence.spread.sd else math.inf
    family, alpha = max(1, chosen.num_comparisons), chosen.ablation.stats.alpha
    counts = {True: range(2, num_folds + 1), False: range(1, 2)}
    return tuple(
        Option(is_over_folds, cheapest(in_sds, several, ratio, family, POWER, alpha))
        for is_over_folds, several in counts.items()
        if several
    )


def evidence_of(chosen: Plan, config: Config, runs: Path) -> tuple[Evidence | None, str]:
    """The ablation's own finished pairs, or else its noise study; what is stale is told."""
    name, metric = chosen.ablation.name, chosen.ablation.metric.name
    own = _own_pairs(StudyFolder(runs / name), config, metric)
    if own is not None:
        return own, ""
    measured = noise.read(runs, name)
    if measured is None:
        return None, ""
    if (measured.baseline, measured.metric) != (digest(config), metric):
        other = "metric" if measured.baseline == digest(config) else "baseline"
        return None, f"{measured.study} is stale: measured of another {other}, so not used"
    source = f"{measured.study}, {measured.grid} of the baseline"
    return Evidence(measured.pair, source, measured.mean), ""


def _own_pairs(folder: StudyFolder, config: Config, metric: str) -> Evidence | None:
    """What arms really did: their spread around their own means, pooled."""
    if not folder.exists() or folder.is_sweep():
        return None
    study = folder.study()
    first = next(cell for cell in study.cells if cell.arm == study.baseline)
    if study.metric != metric or folder.trial(first.id).state() != "done":
        return None
    if _digest_of(folder.trial(first.id).config()) != digest(config):
        return None
    comparison = read_answer(folder).comparison
    arms = [arm for arm in comparison.compared if arm.verdict != "not_comparable"]
    spread = pooled([value for *_, value in arm.differences] for arm in arms)
    mean = comparison.arms[0].mean
    if comparison.missing or spread is None or mean is None:
        return None
    num = sum(len(arm.differences) for arm in arms)
    return Evidence(spread, f"the {num} pairs of {folder.name}, as launched before", mean)


def _digest_of(trial: dict[str, Any]) -> str:
    """Empty for a configuration of another version, which is no more one of ours."""
    try:
        return digest(resolve([trial], "trial"))
    except ConfigError:
        return ""


def told(promise: Promise, chosen: Plan, trial_core_s: float | None) -> dict[str, str]:
    """The promise as lines of a plan."""
    found = promise.evidence
    if found is None:
        known = {"noise": promise.note} if promise.note else {}
        return {"detectable": _in_sds(promise, chosen), **known}
    scale = noise.scale_of(found.mean, chosen.ablation.metric.goal)
    unit = "points" if scale == 100 else f"of {chosen.ablation.metric.name}"

    def amount(value: float) -> str:
        return plain(value * scale, places(value * scale))

    spread = found.spread
    ways = [_way(promise, option, chosen, amount, unit, trial_core_s) for option in promise.options]
    return {
        "detectable": _in_units(promise, chosen, amount, unit),
        "noise": f"paired differences vary by {amount(spread.sd)} {unit} (95 % interval "
        f"{amount(spread.low)} to {amount(spread.high)}), from {found.source}",
        f"to see {amount(promise.wanted)} {unit}": "; ".join(ways),
    }


def _in_sds(promise: Promise, chosen: Plan) -> str:
    if promise.effect_sd is None:
        return "nothing: no arm can win with so few pairs"
    by_t = detectable_effect(len(chosen.blocks), POWER, chosen.ablation.stats.alpha)
    return (
        f"{promise.effect_sd:.2f} standard deviations of the paired differences or more, at 80 % "
        f"power after both tests and Holm (by a plain t test: {by_t:.2f}). In points after: "
        f"audiocls noise {chosen.ablation.name}"
    )


def _in_units(promise: Promise, chosen: Plan, amount: Callable[[float], str], unit: str) -> str:
    effect, interval = promise.in_units(promise.effect_sd), promise.interval()
    if effect is None or interval is None:
        return "nothing: no arm can win with so few pairs"
    grid = f"{plural(len(chosen.seeds), 'seed')} × {plural(len(chosen.folds), 'fold')}"
    low, high = interval
    return (
        f"with {grid} you can see {amount(effect)} {unit} or more, at 80 % power; between "
        f"{amount(low)} and {amount(high)}, as the noise itself is estimated"
    )


def _way(
    promise: Promise,
    option: Option,
    chosen: Plan,
    amount: Callable[[float], str],
    unit: str,
    trial_core_s: float | None,
) -> str:
    where, got = "over folds" if option.is_over_folds else "on one fold alone", option.allocation
    if got is None:
        limit = promise.in_units(promise.limit_sd)
        if option.is_over_folds and limit is not None and promise.wanted <= limit:
            return f"{where}: with no number of seeds, {amount(limit)} {unit} is the limit"
        return f"{where}: not with {MAX_PAIRS} pairs"
    num_trials = got.num_pairs * len(chosen.arms)
    time = (
        f", about {console.duration(trial_core_s * num_trials)} of a core" if trial_core_s else ""
    )
    grid = f"{plural(got.num_seeds, 'seed')} × {plural(got.num_folds, 'fold')}"
    return f"{where}: {grid if option.is_over_folds else plural(got.num_seeds, 'seed')}, " + (
        f"{num_trials} trials{time}"
    )
