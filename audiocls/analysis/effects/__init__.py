"""Effects of factors: each averaged over the others, and whether they add up.

A comparison asks what one arm does against another; an effect asks it of a factor, by a contrast
of several arms on each block. Its numbers are tested as paired differences are.
"""

from collections.abc import Mapping

from audiocls.analysis.effects.context import context_dependence
from audiocls.analysis.effects.contrast import deduplicated
from audiocls.analysis.effects.factorial import factorial
from audiocls.analysis.effects.layout import layout_of
from audiocls.analysis.effects.means import two_way
from audiocls.analysis.effects.measure import outcomes
from audiocls.analysis.effects.result import Effect, Effects, EffectVerdict, SimpleEffect, TwoWay
from audiocls.analysis.effects.verdict import Rule
from audiocls.analysis.measured import step_of
from audiocls.store.record import Record, Study

__all__ = ["Effect", "EffectVerdict", "Effects", "SimpleEffect", "TwoWay", "effects_of"]


def effects_of(
    study: Study, records: Mapping[str, Record], ratio: float, refused: Mapping[str, str]
) -> Effects:
    """What the study's arms say of its factors; nothing where that is in its comparisons already.

    `records` by trial id are those with a finite metric, `ratio` is that of the corrected
    variance, and `refused` are the arms that may not be compared, with the reason.
    """
    layout = layout_of(study)
    if len(layout.factors) < 2:
        return Effects()
    compared = {arm: study.reference_of(arm) for arm in study.arms if arm != study.baseline}
    is_company = study.design == "both"
    found = deduplicated(context_dependence(layout) if is_company else factorial(layout), compared)
    if not found.contrasts:
        return Effects()
    table = outcomes(study, records)
    rule = Rule(study, ratio, step_of(study.metric, records.values()))
    is_whole = not refused and len(table.missing(layout.arms)) <= study.max_missing
    return Effects(
        estimates=rule.judged(found.contrasts, table, refused),
        tables=two_way(layout, table) if is_whole and not is_company else (),
        not_estimated=found.not_estimated,
        compared=found.compared,
    )
