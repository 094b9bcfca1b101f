"""`audiocls sweep launch`: what it can be asked for, and `run`, which does that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audiocls.store import Choice, StudyFolder
from audiocls.studies.ablation import prepare, resolved
from audiocls.studies.growth import check_growth
from audiocls.studies.launch import Outcome, launch
from audiocls.studies.options import Display, LaunchOptions
from audiocls.studies.request import (
    AblationRequest,
    SweepRequest,
    ablation_request,
    check_folder_name,
    check_without_effect,
    is_sweep,
    sweep_request,
)
from audiocls.studies.search import prepare_search
from audiocls.studies.tuning.run import tune


@dataclass(frozen=True)
class LaunchRequest:
    """All that `sweep launch` can be asked for; what has no effect on the study is refused."""

    name: str
    recipe: str | None = None
    assignments: list[str] | None = None
    seeds: str | None = None
    folds: str | None = None
    arms: str | None = None
    study: str | None = None
    count: int | None = None
    trial_hours: float | None = None
    is_until_decided: bool = False
    max_pairs: int | None = None

    def read(self) -> AblationRequest | SweepRequest:
        """Return what is named, read; raises `UsageError` for options without effect."""
        check_folder_name(self.study)
        limits = {"--count": self.count, "--trial-hours": self.trial_hours}
        growth = {"--until-decided": self.is_until_decided or None, "--max-pairs": self.max_pairs}
        if is_sweep(self.name):
            blocks = {"--seeds": self.seeds, "--folds": self.folds, "--arms": self.arms}
            check_without_effect({**blocks, **growth}, f"{self.name} is a sweep")
            return self._read_sweep()
        check_without_effect(limits, f"{self.name} is an ablation")
        if not self.is_until_decided:
            most = {"--max-pairs": self.max_pairs}
            check_without_effect(most, "nothing is added without --until-decided")
        return self._read_ablation()

    def _read_sweep(self) -> SweepRequest:
        timeout_s = self.trial_hours and self.trial_hours * 3600
        limits = {"max_new": self.count, "timeout_s": timeout_s}
        asked = sweep_request(self.name, self.assignments, self.study, self.recipe, **limits)
        if asked.own is not None:
            given = {"--trial-hours": self.trial_hours}
            check_without_effect(given, "its trials are our own; set train.epochs")
        return asked

    def _read_ablation(self) -> AblationRequest:
        asked = ablation_request(
            self.name, self.recipe, self.assignments, self.seeds, self.folds, self.arms
        )
        return replace(
            asked,
            study=self.study,
            is_until_decided=self.is_until_decided,
            max_pairs=self.max_pairs,
        )


def run(
    request: AblationRequest | SweepRequest, options: LaunchOptions, display: Display
) -> Outcome:
    """Launch an ablation, its tuning trials first, or a search.

    The outcome is that of the tuning trials where nothing of the study itself can be trained now.
    """
    blocked: tuple[Choice, ...] = ()
    if isinstance(request, SweepRequest):
        _note(request.notes, display)
        prepared = prepare_search(request, options, display)
    else:
        study = resolved(request)
        _note(study.notes, display)
        tuned = tune(request, study, options, display)
        if (ending := tuned.ending) is not None:
            return ending
        folder = StudyFolder(options.runs / study.study.name)
        checked = check_growth(tuned.resolved, folder)
        prepared, blocked = prepare(checked, tuned.options, display), tuned.blocked
    with display.watching() as watch:
        return replace(launch(prepared, watch), blocked=blocked)


def _note(notes: Sequence[str], display: Display) -> None:
    for text in notes:
        display.note(text)
