"""Clip by clip: what an arm's trained models hear that its reference's do not, and the reverse.

Needs the saved predictions alone, and so says something of one seed, too. It speaks of these
models on these clips; verdicts, which are about trainings, rest on pairs of trials.
"""

from audiocls.analysis.clips.compare import compare_clips
from audiocls.analysis.clips.read import MOST_TRIALS, read_clips
from audiocls.analysis.clips.results import (
    ArmClips,
    AudioSnippets,
    ChangedClip,
    ClassChange,
    ClipComparison,
    ClipSection,
    Excerpt,
    MeanPrediction,
)
from audiocls.analysis.clips.scored import Scored, scored

__all__ = [
    "MOST_TRIALS",
    "ArmClips",
    "AudioSnippets",
    "ChangedClip",
    "ClassChange",
    "ClipComparison",
    "ClipSection",
    "Excerpt",
    "MeanPrediction",
    "Scored",
    "compare_clips",
    "read_clips",
    "scored",
]
