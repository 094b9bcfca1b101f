"""What a planned study can detect, in points; what more seeds would, and what they cost."""

from collections.abc import Iterator
from dataclasses import dataclass

from audiocls.analysis.power import PowerAnalysis, Size
from audiocls.design import Plan
from audiocls.formatting import format_elapsed, format_fixed, num_decimals, plural, scale_of
from audiocls.render.table import Column, Table
from audiocls.stats import MAX_SEEDS


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


def unit_of(goal: str, metric: str, mean: float | None) -> Unit:
    """Return the unit of a metric whose mean is known, or which is a share."""
    scale = scale_of(goal, [] if mean is None else [mean])
    return Unit(scale, "points" if scale == 100 else f"of {metric}")


def power_facts(
    power: PowerAnalysis, chosen: Plan, trial_core_s: float | None, measuring: str
) -> dict[str, str]:
    """Return lines of a plan; `measuring` is the command that would measure the noise."""
    known = power.evidence
    if known is None or power.planned is None:
        why = (
            power.note or f"{chosen.ablation.metric.recorded} is no share, and nothing is measured"
        )
        return {
            "detectable": f"unknown: {why}. Measure how much trainings vary: {measuring}",
            **_scope_facts(power, None),
        }
    unit = _unit(power, chosen)
    better = f". Measure it: {measuring}" if known.is_assumed else ""
    note = f" ({power.note})" if power.note else ""
    return {
        "detectable": _detectable(power.planned, unit, chosen.num_comparisons),
        **_scope_facts(power, unit),
        "noise": f"{known.source}{note}{better}",
        f"to see {unit.amount(power.wanted)}": _fewest(power, unit, trial_core_s),
    }


def size_table(power: PowerAnalysis, chosen: Plan, trial_core_s: float | None) -> Table | None:
    """Return what some numbers of seeds over all folds detect; `None` without evidence."""
    if power.evidence is None:
        return None
    unit = _unit(power, chosen)
    folds = plural(power.num_all_folds, "fold")
    rows = tuple(
        (
            str(size.num_seeds),
            str(size.num_trials),
            *([format_elapsed(trial_core_s * size.num_trials)] if trial_core_s else []),
            "–" if size.effect is None else unit.number(size.effect),
        )
        for size in power.sizes
    )
    return Table(
        label=f"{chosen.ablation.name}-seeds",
        columns=(
            Column(f"seeds × {folds}"),
            Column("trials"),
            *([Column("time of a core")] if trial_core_s else []),
            Column("detectable effect", unit=unit.name),
        ),
        rows=rows,
        caption=(
            f"{chosen.ablation.name}: the smallest effect that becomes a claim, at 80 % power "
            f"after correction for {plural(chosen.num_comparisons, 'comparison')}.",
            f"Noise: {power.evidence.source}.",
        ),
    )


def _unit(power: PowerAnalysis, chosen: Plan) -> Unit:
    metric = chosen.ablation.metric
    return unit_of(metric.goal, metric.recorded, power.evidence.mean if power.evidence else None)


def grid_of(size: Size) -> str:
    """Return `2 seeds × 5 folds`."""
    return f"{plural(size.num_seeds, 'seed')} × {plural(size.num_folds, 'fold')}"


def _detectable(planned: Size, unit: Unit, num_comparisons: int) -> str:
    if planned.effect is None:
        return f"nothing: {grid_of(planned)} tell too little of how much trainings vary"
    family = plural(num_comparisons, "comparison")
    return (
        f"with {grid_of(planned)} you can see {unit.amount(planned.effect)} or more (80 % power, "
        f"after correction for {family})"
    )


def _scope_facts(power: PowerAnalysis, unit: Unit | None) -> dict[str, str]:
    """Return what the plan applies to, unless it is all of the data, and what all folds cost."""
    if power.scope == "data":
        return {}
    what = {
        "folds": f"{_some_folds(power)}: the fewer they are, the larger an effect must be",
        "split": "this split alone: other training clips might give another result",
        "clips": "these test clips alone, since their recordings are not counted",
    }[power.scope]
    return {"applies to": "; ".join([what, *_all_folds(power, unit)])}


def _some_folds(power: PowerAnalysis) -> str:
    num = f"{power.planned.num_folds} of " if power.planned else "some of "
    return f"{num}{power.num_all_folds} folds"


def _all_folds(power: PowerAnalysis, unit: Unit | None) -> Iterator[str]:
    """Yield what the planned seeds over all folds would show, where there are more folds."""
    if power.num_all_folds == 1:
        return
    whole = power.whole
    if whole is None or whole.effect is None or unit is None:
        yield f"all {power.num_all_folds} folds would apply to the data"
        return
    yield (
        f"all {whole.num_folds} folds would apply to the data: {whole.num_trials} trials, "
        f"{unit.amount(whole.effect)} or more"
    )


def _fewest(power: PowerAnalysis, unit: Unit, trial_core_s: float | None) -> str:
    """Return how many seeds over all folds detect the wanted effect, and what they cost."""
    if (size := power.fewest) is None:
        if power.limit is not None and power.wanted <= power.limit:
            limit = f"{unit.amount(power.limit)} is the limit of so few test recordings"
            is_guess = power.evidence is not None and power.evidence.is_assumed
            return f"no number of seeds{' by this assumption' * is_guess}: {limit}"
        return f"more than {MAX_SEEDS} seeds × {plural(power.num_all_folds, 'fold')}"
    parts = [grid_of(size), plural(size.num_trials, "trial")]
    if trial_core_s:
        parts.append(f"about {format_elapsed(trial_core_s * size.num_trials)} of a core")
    return ", ".join(parts)
