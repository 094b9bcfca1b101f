"""Clip by clip: which clips an arm's trained models classify correctly and its reference's do not.

Needs the saved predictions alone, and so says something of one seed, too. It describes these
models on these clips; verdicts, which are about trainings, rest on pairs of trials.
"""

from audiocls.analysis.clips.compare import compare_clips
from audiocls.analysis.clips.results import (
    ArmClips,
    ChangedClip,
    ClassChange,
    ClipComparison,
    MeanPrediction,
)
from audiocls.analysis.clips.scored import Scored, scored

__all__ = [
    "ArmClips",
    "ChangedClip",
    "ClassChange",
    "ClipComparison",
    "MeanPrediction",
    "Scored",
    "compare_clips",
    "scored",
]
