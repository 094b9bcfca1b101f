"""What a planned study can promise to see: in points where the noise is known, else in sds."""

from collections.abc import Callable
from pathlib import Path

from audiocls import console
from audiocls.cli.options import cache_folder
from audiocls.config import Config
from audiocls.plan import Plan
from audiocls.report.evidence import evidence_of
from audiocls.report.notation import places, plain, plural, scale_of
from audiocls.report.promise import POWER, Option, Promise, promise_of
from audiocls.report.stats import MAX_PAIRS, detectable_effect
from audiocls.run.resolve import folds_of


def promised(chosen: Plan, baseline: Config, runs: Path, wanted: float | None) -> Promise:
    """By what was measured in `runs`; `wanted` is in units of the metric."""
    num_folds = len(folds_of(baseline, cache_folder()))
    return promise_of(chosen, num_folds, wanted, *evidence_of(chosen, baseline, runs))


def told(promise: Promise, chosen: Plan, trial_core_s: float | None) -> dict[str, str]:
    """The promise as lines of a plan."""
    found = promise.evidence
    if found is None:
        known = {"noise": promise.note} if promise.note else {}
        return {"detectable": _in_sds(promise, chosen), **known}
    scale = scale_of(chosen.ablation.metric.goal, [found.mean])
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
