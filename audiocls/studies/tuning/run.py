"""`tune`: run the tuning trials of an ablation, and let each arm choose its values."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls.formatting import command_line
from audiocls.store import Choice, StudyFolder, tuning_path
from audiocls.studies.ablation import prepare_ablation
from audiocls.studies.launch import Outcome, launch
from audiocls.studies.launch_summary import summary_of
from audiocls.studies.options import Display, LaunchOptions, cache_folder
from audiocls.studies.program_ablation import ProgramStudy
from audiocls.studies.request import AblationRequest
from audiocls.studies.resolve import Resolved
from audiocls.studies.tuning.choosing import choices_of, load_choices
from audiocls.studies.tuning.study import (
    TuningPlan,
    pending_trials,
    tuned,
    tuning_plan,
    tuning_study,
    with_candidates,
)


@dataclass(frozen=True)
class TunedStudy:
    """A study whose arms have chosen, as far as they could, and what that took."""

    resolved: Resolved | ProgramStudy
    options: LaunchOptions
    """With the time that is left."""
    outcome: Outcome | None = None
    """Of the tuning trials; none where all was chosen before."""
    blocked: tuple[Choice, ...] = ()
    """Arms and folds that could not choose, and so have no trials."""

    @property
    def ending(self) -> Outcome | None:
        """The outcome of the whole launch, where nothing of the study itself can be trained now."""
        if self.outcome is None or self.outcome.stopped_by is not None:
            return self.outcome
        return None if self.resolved.study.cells else replace(self.outcome, blocked=self.blocked)


def tune(
    request: AblationRequest,
    study: Resolved | ProgramStudy,
    options: LaunchOptions,
    display: Display,
) -> TunedStudy:
    """Run the tuning trials that are missing, of an ablation with `tune`."""
    started, cache = time.monotonic(), cache_folder()
    before, comparison, known, missing = _missing(request, study, options.runs)
    outcome = _run(missing, options, display) if missing.study.cells else None
    folder = StudyFolder(options.runs / missing.study.name)
    choices = (*known, *choices_of(missing.study, folder, before.candidates))
    is_stopped = outcome is not None and outcome.stopped_by is not None
    # An arm that has not chosen yet because the launch was stopped may still choose.
    blocked = () if is_stopped else tuple(c for c in choices if c.values is None)
    if outcome is not None and outcome.stopped_by != "signal":  # else `LaunchStopped` says it
        for text in summary_of(outcome, options.runs):
            display.note(text)
        for text in _blocked_notes(blocked, comparison.study.name, options.runs):
            display.note(text)
    left = _with_time_left(options, time.monotonic() - started)
    return TunedStudy(tuned(comparison, before, choices, cache), left, outcome, blocked)


def next_study(
    request: AblationRequest, study: Resolved | ProgramStudy, runs: Path
) -> Resolved | ProgramStudy:
    """Return what a launch would run first: the tuning trials that are missing, or the study."""
    before, comparison, known, missing = _missing(request, study, runs)
    return missing if missing.study.cells else tuned(comparison, before, known, cache_folder())


def _missing(
    request: AblationRequest, study: Resolved | ProgramStudy, runs: Path
) -> tuple[TuningPlan, Resolved | ProgramStudy, Sequence[Choice], Resolved | ProgramStudy]:
    """Return the tuning, the study with its candidates, what is chosen, and the missing trials."""
    chosen, _ = request.plan()
    before = tuning_plan(chosen, request.recipe, request.overrides)
    comparison = with_candidates(study, before)
    every = tuning_study(before, request.overrides, cache_folder(), of=comparison)
    known = load_choices(StudyFolder(runs / comparison.study.name), comparison.study)
    return before, comparison, known, pending_trials(every, known)


def _run(missing: Resolved | ProgramStudy, options: LaunchOptions, display: Display) -> Outcome:
    num_trials, question = len(missing.study.cells), missing.study.question
    display.note(f"{num_trials} tuning trials come first: {question}")
    return launch(prepare_ablation(missing, options, display), display)


def _with_time_left(options: LaunchOptions, gone_s: float) -> LaunchOptions:
    if options.max_hours is None:
        return options
    return replace(options, max_hours=max(0.0, options.max_hours - gone_s / 3600))


def _blocked_notes(choices: Sequence[Choice], study: str, runs: Path) -> Iterator[str]:
    """Yield which arms have no trials, and what to do."""
    for choice in choices:
        yield f"{choice.arm}, fold {choice.fold}: no trials, for {choice.reason}"
    if choices:
        again = command_line("sweep", "retry", tuning_path(Path(study)).name, runs=runs)
        yield f"once mended, launch again after: {again}"
