"""Add-one against leave-one-out: the effect of a change alone, and with all the others."""

from audiocls.analysis.contrasts.layout import Contrasts, Layout, interaction

Levels = tuple[int, ...]


def context_dependence(layout: Layout) -> Contrasts:
    """Return for each change its effect with all the others − its effect alone.

    It is 0 where effects add up. Alone is with as few others as there are: a change that is varied
    only under a condition has that.
    """
    arms = {tuple(row): arm for arm, row in zip(layout.arms, layout.levels.tolist(), strict=True)}
    contrasts, not_estimated = [], []
    for index, factor in enumerate(layout.factors):
        name = f"{factor.named(1)} × the rest"
        having = sorted(_pairs(arms, index), key=sum)
        if len(having) < 2 or not all(having[-1]):
            not_estimated.append(f"{name}: no arms differ in this alone, and in all")
            continue
        parts = tuple(
            (
                f"{factor.named(1)} {others}",
                {arms[levels]: 1.0, arms[_without(levels, index)]: -1.0},
            )
            for others, levels in (("alone", having[0]), ("with the rest", having[-1]))
        )
        contrasts.append(interaction(name, parts))
    return Contrasts(tuple(contrasts), tuple(not_estimated))


def _pairs(arms: dict[Levels, str], index: int) -> list[Levels]:
    """Return the levels of the arms that have this change and of which another lacks it alone."""
    return [levels for levels in arms if levels[index] and _without(levels, index) in arms]


def _without(levels: Levels, index: int) -> Levels:
    return (*levels[:index], 0, *levels[index + 1 :])
