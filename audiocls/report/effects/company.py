"""Add-one against leave-one-out: what a change does alone, and with all the others."""

from audiocls.report.effects.contrast import Contrast, Found, difference
from audiocls.report.effects.layout import Layout


def in_company(layout: Layout) -> Found:
    """For each change its effect with all the others − its effect alone: 0 if effects add up."""
    arms = {tuple(row): arm for arm, row in zip(layout.arms, layout.levels.tolist(), strict=True)}
    none, every = (0,) * len(layout.factors), (1,) * len(layout.factors)
    found, lacking = [], []
    for index, factor in enumerate(layout.factors):
        corners = (_put(none, index, 1), none, every, _put(every, index, 0))
        if not all(corner in arms for corner in corners):
            lacking.append(f"{factor.named(1)} × the rest: an arm that it needs is not planned")
            continue
        alone, baseline, whole, without = (arms[corner] for corner in corners)
        parts = (
            (f"{factor.named(1)} alone", {alone: 1.0, baseline: -1.0}),
            (f"{factor.named(1)} with the rest", {whole: 1.0, without: -1.0}),
        )
        weights = difference(parts[1][1], parts[0][1])
        name = f"{factor.named(1)} × the rest"
        found.append(Contrast(name, "", "interaction", weights, parts=parts))
    return Found(tuple(found), tuple(lacking))


def _put(levels: tuple[int, ...], index: int, level: int) -> tuple[int, ...]:
    return (*levels[:index], level, *levels[index + 1 :])
