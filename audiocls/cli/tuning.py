"""The trials before an ablation's own: each arm chooses its values for `tune`."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls import console
from audiocls.cli.options import cache_folder
from audiocls.cli.studies import AblationRequest, LaunchOptions, planned, run_study
from audiocls.design import Ablation
from audiocls.errors import UsageError
from audiocls.store import Choice, StudyFolder, tuning_path
from audiocls.studies.launch import Outcome
from audiocls.studies.resolve import Resolved
from audiocls.studies.tuning import (
    choices_of,
    load_choices,
    pending_trials,
    tuned,
    tuning_plan,
    tuning_study,
    with_candidates,
)


@dataclass(frozen=True)
class TunedStudy:
    """A study whose arms have chosen, as far as they could, and what that took."""

    found: Resolved
    means: LaunchOptions
    """With the time that is left."""
    outcome: Outcome | None = None
    """Of the tuning trials; none where all was chosen before."""
    choices: tuple[Choice, ...] = ()

    @property
    def is_stopped(self) -> bool:
        """Whether the tuning trials go on at the next launch."""
        return self.outcome is not None and self.outcome.stopped_by is not None

    @property
    def blocked(self) -> list[Choice]:
        """Arms and folds that could not choose, and so have no trials; who was stopped yet may."""
        return [c for c in self.choices if c.values is None and not self.is_stopped]

    @property
    def is_over(self) -> bool:
        """Whether nothing of the study itself can be trained now."""
        return self.is_stopped or not self.found.study.cells

    @property
    def exit_code(self) -> int:
        """As of a launch; a candidate that diverged is a choice less, not a failure."""
        if self.outcome is not None and self.is_stopped:
            return self.outcome.exit_code
        return 3 if self.blocked else 0


def refuse_tuning(ablation: Ablation, name: str, who: str) -> None:
    """Raises `UsageError` where single cells are asked for, which cannot choose."""
    if ablation.tune:
        raise UsageError(
            f"{ablation.name} says `tune`: its arms choose values before any of its trials is "
            f"known, and {who} would not let them. Run it with: audiocls sweep launch {name}; or "
            "fix values in `arms`, and remove `tune`"
        )


def ready(asked: AblationRequest, found: Resolved, means: LaunchOptions) -> TunedStudy:
    """Run the tuning trials that are missing; without `tune` there are none."""
    chosen, _ = planned(asked)
    before = tuning_plan(chosen, asked.recipe, asked.overrides)
    if before is None:
        return TunedStudy(found, means)
    started, cache = time.monotonic(), cache_folder()
    found = with_candidates(found, before)
    every = tuning_study(before, asked.overrides, cache, of=found)
    known = load_choices(StudyFolder(means.runs / found.study.name), found.study)
    missing = pending_trials(every, known)
    outcome = _see_through(missing, means)
    folder = StudyFolder(means.runs / every.study.name)
    choices = (*known, *choices_of(missing.study, folder, before.candidates))
    left = _with_time_left(means, time.monotonic() - started)
    return TunedStudy(tuned(found, before, choices, cache), left, outcome, choices)


def _see_through(missing: Resolved, means: LaunchOptions) -> Outcome | None:
    num_trials = len(missing.study.cells)
    if not num_trials:
        return None
    console.note(f"{num_trials} tuning trials come first: {missing.study.question}")
    return run_study(missing, means)


def _with_time_left(means: LaunchOptions, gone_s: float) -> LaunchOptions:
    if means.max_hours is None:
        return means
    return replace(means, max_hours=max(0.0, means.max_hours - gone_s / 3600))


def show_blocked(choices: Sequence[Choice], study: str) -> None:
    """Which arms have no trials, and what to do."""
    for choice in choices:
        console.note(f"{choice.arm}, fold {choice.fold}: no trials, for {choice.reason}")
    if choices:
        again = shlex.quote(tuning_path(Path(study)).name)
        console.note(f"once mended: audiocls sweep retry {again}, and launch again")
