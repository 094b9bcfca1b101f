"""`Tuning`: what each arm of a study chose for itself on validation clips, and in how many trials.

The trials themselves are a study beside it, `runs/<study>.tuning/`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from audiocls.store.request import TUNING_ENDING


def tuning_path(study: Path) -> Path:
    """Return where the tuning trials of the study in that folder lie, if it has any.

    No ablation's own name holds a dot.
    """
    return study.with_name(f"{study.name}{TUNING_ENDING}")


@dataclass(frozen=True)
class Choice:
    """What one arm chose for one test fold, or why it could not."""

    arm: str
    fold: int
    num_finished: int
    """Candidates that were trained to their end, or that diverged, which is an answer too."""
    number: int | None = None
    """Of the chosen candidate, from 1; none where nothing could be chosen."""
    values: dict[str, Any] | None = None
    """Dotted key → what was chosen."""
    score: float | None = None
    """The chosen candidate's, on validation clips."""
    reason: str = ""
    """Why nothing could be chosen."""


@dataclass(frozen=True)
class Tuning:
    """The rule by which all arms chose, and what came of it."""

    num_trials: int
    """For each arm and fold."""
    metric: str
    """Such as `val/accuracy`."""
    seed: int
    choices: tuple[Choice, ...] = ()

    def of(self, arm: str) -> dict[int, Choice]:
        """Return fold → what the arm chose."""
        return {choice.fold: choice for choice in self.choices if choice.arm == arm}

    def with_before(self, before: "Tuning | None") -> "Tuning":
        """Return these choices with earlier ones, of arms and folds outside this launch."""
        known = {(choice.arm, choice.fold): choice for choice in before.choices} if before else {}
        now = {(choice.arm, choice.fold): choice for choice in self.choices}
        return replace(self, choices=tuple({**known, **now}.values()))

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self) | {"choices": [asdict(choice) for choice in self.choices]}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Tuning":
        return cls(**{**mapping, "choices": tuple(Choice(**each) for each in mapping["choices"])})
