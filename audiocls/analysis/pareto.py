"""Effect against cost: which arms no other one beats in both."""

from collections.abc import Sequence
from dataclasses import dataclass

from audiocls.analysis.results import ArmResult, Comparison

COSTS = {"parameters": "num_params", "MACs per clip": "macs", "time of a trial": "seconds"}
"""What an arm costs, by the name of the field that says so."""

TOLERANCES = {"seconds": 0.05}
"""Share by which a cost may differ and count as the same: equal work takes as unequal times."""


@dataclass(frozen=True)
class Front:
    """The metric against one cost."""

    cost: str
    arms: tuple[str, ...]
    """On the front, the cheapest first: no other arm is better and no dearer, or cheaper and no
    worse. Arms that are equal in both are on it together."""
    values: dict[str, float]
    """The cost of each arm that can be placed."""
    left_out: tuple[str, ...]
    """Arms that have no value of this cost, or that may not be compared."""
    costs_differ: bool
    """Whether any two arms differ in this cost by more than its tolerance."""


def fronts(comparison: Comparison) -> tuple[Front, ...]:
    """Return a front for each cost; without any arm where it was not recorded.

    Mean against mean: which of two close arms is on the front may be luck.
    """
    return tuple(_front(comparison, name, field) for name, field in COSTS.items())


def _front(comparison: Comparison, name: str, field: str) -> Front:
    values: dict[str, float] = {}
    gains: list[float] = []
    sign = 1.0 if comparison.goal == "maximize" else -1.0
    for result in comparison.arms:
        cost: float | None = getattr(result, field)
        if cost is not None and result.mean is not None and _can_be_compared(result):
            values[result.arm] = float(cost)
            gains.append(sign * result.mean)
    costs = merge_ties(list(values.values()), TOLERANCES.get(field, 0.0))
    rows = sorted(zip(costs, gains, values, strict=True), key=lambda row: row[0])
    kept = is_on_front([(cost, gain) for cost, gain, _ in rows])
    return Front(
        cost=name,
        arms=tuple(arm for (_, _, arm), is_kept in zip(rows, kept, strict=True) if is_kept),
        values=values,
        left_out=tuple(result.arm for result in comparison.arms if result.arm not in values),
        costs_differ=len(set(costs)) > 1,
    )


def merge_ties(costs: Sequence[float], tolerance: float) -> list[float]:
    """Return costs of which those within `tolerance` of the next lower one are the same as it.

    >>> merge_ties([10.0, 10.4, 10.8, 20.0], 0.05)
    [10.0, 10.0, 10.0, 20.0]
    """
    levels: dict[float, float] = {}
    before = level = 0.0
    for cost in sorted(set(costs)):
        level = level if levels and cost <= before * (1 + tolerance) else cost
        levels[cost], before = level, cost
    return [levels[cost] for cost in costs]


def _can_be_compared(result: ArmResult) -> bool:
    return result.verdict != "not_comparable"


def is_on_front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Return of each (cost, gain) whether no other is at least as good in both, better in one.

    >>> is_on_front([(1, 5), (2, 5), (2, 7), (2, 7)])
    [True, False, True, True]
    """
    kept = [False] * len(points)
    best = float("-inf")
    order = sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1]))
    last: tuple[float, float] | None = None
    for index in order:
        kept[index] = points[index][1] > best or points[index] == last
        if kept[index]:
            best, last = points[index][1], points[index]
    return kept


def sentences(comparison: Comparison) -> list[str]:
    """Return which arms are on each front, and which costs do not vary here."""
    if len(comparison.arms) < 2 or all(arm.mean is None for arm in comparison.arms):
        return []
    costs_of: dict[str, list[str]] = {}
    for front in fronts(comparison):
        costs_of.setdefault(_template(front), []).append(front.cost)
    against = f"{comparison.metric} against"
    return [text.format(f"{against} {', '.join(costs)}") for text, costs in costs_of.items()]


def _template(front: Front) -> str:
    """Return a sentence with a place for the metric and its costs."""
    if not front.values:
        return "No front of {}: not recorded for any arm that may be compared."
    arms, unknown = (
        "; ".join(names).replace("{", "{{").replace("}", "}}")
        for names in (front.arms, front.left_out)
    )
    if len(front.values) == 1:
        return f"No front of {{}}: only {arms} can be placed."
    if not front.costs_differ:
        return "No front of {}: the same in all arms."
    rest = f" Not placed: {unknown}." if unknown else ""
    return f"On the Pareto front of {{}}: {arms}.{rest}"
