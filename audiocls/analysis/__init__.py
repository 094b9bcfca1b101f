"""Analyses: from a study's records to estimates and verdicts.

    pairing        an arm's trials beside those of its reference, by seed and fold
    comparability  what forbids comparing an arm (compute, tuning, inert arms, missing pairs)
    compare        pairs ─▶ statistics (measured) ─▶ verdicts ─▶ `Comparison`
    effects        main effects and interactions of factorial designs
    interim        looks at a growing study
    clips, cross_study, ranking, noise, power   the other questions one asks of records

Values in, values out: numbers come from the store's values alone, and nothing here draws or prints.
"""

from audiocls.analysis.compare import compare
from audiocls.analysis.results import ArmResult, Comparison, Verdict
from audiocls.analysis.study_report import StudyReport, load_report

__all__ = ["ArmResult", "Comparison", "StudyReport", "Verdict", "compare", "load_report"]
