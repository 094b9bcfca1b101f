"""Add-one against leave-one-out: what a change does alone, and with all the others."""

from audiocls.analysis.effects.contrast import Contrast, Contrasts, difference
from audiocls.analysis.effects.layout import Layout

Levels = tuple[int, ...]


def context_dependence(layout: Layout) -> Contrasts:
    """For each change its effect with all the others − its effect alone: 0 if effects add up.

    Alone is with as few others as there are: one that is varied only under a condition has that.
    """
    arms = {tuple(row): arm for arm, row in zip(layout.arms, layout.levels.tolist(), strict=True)}
    found, lacking = [], []
    for index, factor in enumerate(layout.factors):
        pairs = sorted(_pairs(arms, index), key=sum)
        if len(pairs) < 2 or not all(pairs[-1]):
            lacking.append(
                f"{factor.named(1)} × the rest: no arms differ in this alone, and in all"
            )
            continue
        parts = tuple(
            (
                f"{factor.named(1)} {company}",
                {arms[having]: 1.0, arms[_without(having, index)]: -1.0},
            )
            for company, having in (("alone", pairs[0]), ("with the rest", pairs[-1]))
        )
        name = f"{factor.named(1)} × the rest"
        weights = difference(parts[1][1], parts[0][1])
        found.append(Contrast(name, "", "interaction", weights, parts=parts))
    return Contrasts(tuple(found), tuple(lacking))


def _pairs(arms: dict[Levels, str], index: int) -> list[Levels]:
    """The levels of the arms that have this change and of which another one lacks nothing else."""
    return [levels for levels in arms if levels[index] and _without(levels, index) in arms]


def _without(levels: Levels, index: int) -> Levels:
    return (*levels[:index], 0, *levels[index + 1 :])
