"""The values of a comparison clip by clip."""

from dataclasses import dataclass

from audiocls.store.record import Cell


@dataclass(frozen=True)
class MeanPrediction:
    """An arm's predicted class of a clip: the likeliest by the mean over its seeds."""

    label: str
    probability: float
    num_right: int
    """Of `ChangedClip.num_heard` seeds."""


@dataclass(frozen=True)
class ChangedClip:
    """A clip that more, or fewer, of an arm's trials get right than of its reference's."""

    clip: str
    source: str
    truth: str
    num_heard: int
    """Seeds with a prediction of it, on either side."""
    before: MeanPrediction
    """By the reference."""
    after: MeanPrediction
    """By the arm."""

    @property
    def gain(self) -> int:
        """Seeds right with the arm − seeds right without."""
        return self.after.num_right - self.before.num_right


@dataclass(frozen=True)
class ClassChange:
    """One class's recall under an arm − under its reference, over clips and seeds."""

    label: str
    num_clips: int
    recall_before: float
    recall_after: float
    p: float
    """By recordings."""
    p_holm: float = 1.0
    """Corrected over every class of every arm of the study."""


@dataclass(frozen=True)
class ArmClips:
    """An arm against its reference, on the test clips of both."""

    arm: str
    against: str
    reason: str = ""
    """Why there is nothing to compare, or which blocks were left out."""
    num_clips: int = 0
    num_sources: int = 0
    num_blocks: int = 0
    delta: float | None = None
    """Difference in accuracy over all clips and seeds."""
    ci_low: float | None = None
    ci_high: float | None = None
    p_clips: float | None = None
    """McNemar's exact test, as if clips were independent."""
    p_recordings: float | None = None
    """The same test of whole recordings."""
    p_holm: float | None = None
    """The latter, corrected over the arms of the study."""
    classes: tuple[ClassChange, ...] = ()
    gained: tuple[ChangedClip, ...] = ()
    """The most decided first."""
    lost: tuple[ChangedClip, ...] = ()


@dataclass(frozen=True)
class ClipComparison:
    """A study's comparison clip by clip; it decides no verdict."""

    study: str
    alpha: float
    arms: tuple[ArmClips, ...]
    unread: tuple[tuple[Cell, str], ...] = ()
    """Finished trials whose predictions cannot be used, and why."""

    def different_classes(self, arm: ArmClips) -> list[ClassChange]:
        """Return the classes whose recall differs after correction."""
        return [change for change in arm.classes if change.p_holm <= self.alpha]
