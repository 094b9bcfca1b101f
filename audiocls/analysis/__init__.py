"""Analyses: from a study's records to estimates and verdicts.

    pairing        `RecordGrid`: records by arm and block; an arm's trials beside its reference's
    comparability  what forbids comparing an arm (compute, tuning, inert arms, missing pairs)
    caveats        notes beside the numbers
    family         `Rule`: differences ─▶ numbers ─▶ corrected over the family ─▶ a word
    contrasts      what is compared: arms, effects of factors, arms across studies
    compare        all of it for one study, in a `Comparison` (`results`)
    interim        looks at a growing study
    clips          classes and recordings instead of trainings
    noise, evidence, power   how much differences vary, and what a plan can detect
    next_step      what would decide what a comparison leaves open
    pareto, ranking          the other questions one asks of records

Values in, values out: numbers come from the store's values alone; nothing here reads a folder,
draws or prints, and whatever decides while trials run may call it.
"""

from audiocls.analysis.compare import compare
from audiocls.analysis.family import Estimate, Verdict
from audiocls.analysis.results import ArmResult, Comparison, Effect

__all__ = ["ArmResult", "Comparison", "Effect", "Estimate", "Verdict", "compare"]
