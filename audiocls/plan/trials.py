"""`Plan`: the arms, the blocks and their product, before any configuration is resolved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from audiocls.errors import UsageError, nearest
from audiocls.plan.ablation import Ablation
from audiocls.plan.design import Arms, arms_of

Block = tuple[int, int]
"""A seed and a test fold."""


@dataclass(frozen=True)
class Plan:
    """All trials of an ablation: every arm on every block."""

    ablation: Ablation
    arms: Arms
    seeds: tuple[int, ...]
    folds: tuple[int, ...]
    notes: tuple[str, ...] = ()
    """What was left out, and why."""

    @property
    def blocks(self) -> list[Block]:
        return [(seed, fold) for seed in self.seeds for fold in self.folds]

    @property
    def baseline(self) -> str:
        return next(iter(self.arms))

    @property
    def num_comparisons(self) -> int:
        return len(self.arms) - 1

    @property
    def num_trials(self) -> int:
        return len(self.arms) * len(self.blocks)

    def changes(self, arm: str) -> dict[str, Any]:
        return {**self.ablation.base(), **self.arms[arm]}


def plan(
    ablation: Ablation,
    seeds: Sequence[int] = (),
    folds: Sequence[int] = (),
    arms: Sequence[str] = (),
) -> Plan:
    """The ablation's trials; `seeds`, `folds` and `arms` narrow or extend what its file says.

    Raises `UsageError` for an arm that the ablation does not have.
    """
    every = arms_of(ablation)
    for name in arms:
        if name not in every:
            raise UsageError(
                f"{ablation.name} has no arm {name!r}; its arms: {', '.join(every)}."
                + nearest(name, every)
            )
    chosen = {name: changes for name, changes in every.items() if not arms or name in arms}
    return Plan(
        ablation=ablation,
        arms=chosen,
        seeds=tuple(dict.fromkeys(seeds or ablation.blocks.seed)),
        folds=tuple(dict.fromkeys(folds or ablation.blocks.fold)),
    )


def within_folds(plan: Plan, available: Sequence[int], data: str, is_asked: bool) -> Plan:
    """`plan` on the folds that the data set has.

    The file's blocks speak of the file's data set: on data with fewer folds the others are left
    out, with a note. Folds that the command line asked for (`is_asked`) are refused instead.
    """
    absent = [fold for fold in plan.folds if fold not in available]
    if not absent:
        return plan
    has = f"{data} has test fold{'s' * (len(available) > 1)} {', '.join(map(str, available))}"
    kept = tuple(fold for fold in plan.folds if fold in available)
    if is_asked or not kept:
        raise UsageError(f"{has}; got {', '.join(map(str, absent))}. Narrow with --folds.")
    left_out = f"left out: {', '.join(map(str, absent))}"
    return replace(plan, folds=kept, notes=(*plan.notes, f"{has}; {left_out}."))
