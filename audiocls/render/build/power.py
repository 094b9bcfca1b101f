"""What a planned study can detect: in points where the noise is known, else in sds."""

from dataclasses import dataclass

from audiocls.analysis.power import POWER, Option, PowerAnalysis
from audiocls.design import Plan
from audiocls.formatting import format_elapsed, format_fixed, num_decimals, plural, scale_of
from audiocls.stats import MAX_PAIRS, detectable_effect


@dataclass(frozen=True)
class Unit:
    """The unit that amounts of a metric are written in: points where it is a share."""

    scale: int
    name: str

    def number(self, value: float) -> str:
        return format_fixed(value * self.scale, num_decimals(value * self.scale))

    def amount(self, value: float) -> str:
        """Return `1.9 points`."""
        return f"{self.number(value)} {self.name}"


def power_facts(
    power: PowerAnalysis, chosen: Plan, trial_core_s: float | None, measuring: str
) -> dict[str, str]:
    """Return lines of a plan; `measuring` is the command that would measure the noise."""
    known = power.evidence
    if known is None:
        note = {"noise": power.note} if power.note else {}
        return {"detectable": _in_sds(power, chosen, measuring), **note}
    scale = scale_of(chosen.ablation.metric.goal, [known.mean])
    unit = Unit(scale, "points" if scale == 100 else f"of {chosen.ablation.metric.name}")
    spread = known.spread
    ways = (
        f"{'over folds' if option.is_over_folds else 'on one fold alone'}: "
        + _way(power, option, unit, len(chosen.arms), trial_core_s)
        for option in power.options
    )
    return {
        "detectable": _in_units(power, chosen, unit),
        "noise": f"paired differences vary by {unit.amount(spread.sd)} (95 % interval "
        f"{unit.number(spread.low)} to {unit.number(spread.high)}), from {known.source}",
        f"to see {unit.amount(power.wanted)}": "; ".join(ways),
    }


def _in_sds(power: PowerAnalysis, chosen: Plan, measuring: str) -> str:
    if power.effect_sd is None:
        return "nothing: no arm can win with so few pairs"
    by_t = detectable_effect(len(chosen.blocks), POWER, chosen.ablation.stats.alpha)
    return (
        f"{power.effect_sd:.2f} standard deviations of the paired differences or more, at 80 % "
        f"power after both tests and Holm (by a plain t test: {by_t:.2f}). In points after: "
        f"{measuring}"
    )


def _in_units(power: PowerAnalysis, chosen: Plan, unit: Unit) -> str:
    effect, interval = power.in_units(power.effect_sd), power.interval()
    if effect is None or interval is None:
        return "nothing: no arm can win with so few pairs"
    grid = f"{plural(len(chosen.seeds), 'seed')} × {plural(len(chosen.folds), 'fold')}"
    low, high = interval
    return (
        f"with {grid} you can see {unit.amount(effect)} or more, at 80 % power; between "
        f"{unit.number(low)} and {unit.number(high)}, as the noise itself is estimated"
    )


def _way(
    power: PowerAnalysis, option: Option, unit: Unit, num_arms: int, trial_core_s: float | None
) -> str:
    """Return how many seeds and folds detect the wanted effect, and what they cost."""
    if (cheapest := option.allocation) is None:
        limit = power.in_units(power.limit_sd)
        if option.is_over_folds and limit is not None and power.wanted <= limit:
            return f"with no number of seeds, {unit.amount(limit)} is the limit"
        return f"not with {MAX_PAIRS} pairs"
    seeds, folds = plural(cheapest.num_seeds, "seed"), plural(cheapest.num_folds, "fold")
    num_trials = cheapest.num_pairs * num_arms
    parts = [f"{seeds} × {folds}" if option.is_over_folds else seeds, f"{num_trials} trials"]
    if trial_core_s:
        parts.append(f"about {format_elapsed(trial_core_s * num_trials)} of a core")
    return ", ".join(parts)
