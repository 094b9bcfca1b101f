"""Clip by clip: what an arm's trained models hear that its reference's do not, and the reverse.

Needs the saved predictions alone, and so says something of one seed, too. It speaks of these
models on these clips; verdicts, which are about trainings, rest on pairs of trials.
"""

from audiocls.report.clips.compare import compare_clips
from audiocls.report.clips.read import MOST_TRIALS, read_clips
from audiocls.report.clips.results import (
    ArmClips,
    ChangedClip,
    ClassChange,
    ClipComparison,
    ClipSection,
    Excerpt,
    Heard,
    Sounds,
)
from audiocls.report.clips.scored import Scored, scored
from audiocls.report.clips.section import MOST_SHOWN, section_of, told

__all__ = [
    "MOST_SHOWN",
    "MOST_TRIALS",
    "ArmClips",
    "ChangedClip",
    "ClassChange",
    "ClipComparison",
    "ClipSection",
    "Excerpt",
    "Heard",
    "Scored",
    "Sounds",
    "compare_clips",
    "read_clips",
    "scored",
    "section_of",
    "told",
]
