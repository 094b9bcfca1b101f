"""`audiocls sweep launch`: what it can be asked for, and the study that is launched for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audiocls.store import Choice, Request, StudyFolder
from audiocls.studies.ablation import prepare_ablation, resolved
from audiocls.studies.growth import check_growth
from audiocls.studies.launch import Outcome, Prepared
from audiocls.studies.options import Display, LaunchOptions
from audiocls.studies.request import (
    AblationRequest,
    ablation_request,
    check_folder_name,
    check_without_effect,
    is_sweep,
)
from audiocls.studies.search import prepare_search
from audiocls.studies.sweep_request import SweepRequest, sweep_request
from audiocls.studies.tuning.run import next_study, tune

SWEEPS_BLOCKS = (
    ", whose seeds and folds are values of its parameters, named in `blocks: {seed: PARAMETER, "
    "fold: PARAMETER}`"
)


@dataclass(frozen=True)
class LaunchRequest:
    """All options of `sweep launch`; those without effect on the study are refused."""

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
    effect: float | None = None
    launch_options: tuple[str, ...] = ()
    """Options that decide no trial, word by word."""

    def read(self) -> AblationRequest | SweepRequest:
        """Return what is named, read; raises `UsageError` for options without effect."""
        check_folder_name(self.study)
        bounds = {"--max-pairs": self.max_pairs, "--effect": self.effect}
        growth = {"--until-decided": self.is_until_decided or None, **bounds}
        if is_sweep(self.name):
            blocks = {"--seeds": self.seeds, "--folds": self.folds, "--arms": self.arms}
            check_without_effect({**blocks, **growth}, f"{self.name} is a sweep{SWEEPS_BLOCKS}")
            return self._read_sweep()
        check_without_effect({"--count": self.count}, f"{self.name} is an ablation")
        if not self.is_until_decided:
            check_without_effect(bounds, "nothing is added without --until-decided")
        return self._read_ablation()

    def words(self) -> list[str]:
        """Return the command line that repeats the request, after `audiocls`."""
        stored = Request(
            "sweep launch",
            self.name,
            self.study,
            self.is_until_decided,
            self.max_pairs,
            self.effect,
            self.recipe,
            tuple(self.assignments or ()),
            self.seeds,
            self.folds,
            self.arms,
            {} if self.trial_hours is None else {"--trial-hours": str(self.trial_hours)},
        )
        return stored.words()[1:]

    @property
    def _timeout_s(self) -> float | None:
        return self.trial_hours and self.trial_hours * 3600

    def _read_sweep(self) -> SweepRequest:
        limits = {"max_new": self.count, "timeout_s": self._timeout_s}
        request = sweep_request(self.name, self.assignments, self.study, self.recipe, **limits)
        request = replace(request, launch_options=self.launch_options)
        if request.native is not None:
            given = {"--trial-hours": self.trial_hours}
            check_without_effect(given, "its trials are our own; set train.epochs")
        return request

    def _read_ablation(self) -> AblationRequest:
        request = ablation_request(
            self.name, self.recipe, self.assignments, self.seeds, self.folds, self.arms
        )
        if not request.ablation.is_program:
            given = {"--trial-hours": self.trial_hours}
            check_without_effect(given, f"{self.name} is an ablation of ours; set train.epochs")
        return replace(
            request,
            timeout_s=self._timeout_s,
            study=self.study,
            is_until_decided=self.is_until_decided,
            max_pairs=self.max_pairs,
            effect=self.effect,
            launch_options=self.launch_options,
        )


def prepare(
    request: AblationRequest | SweepRequest,
    options: LaunchOptions,
    display: Display,
    tunes_here: bool = True,
) -> Prepared | Outcome:
    """Return what launches an ablation, once its tuning trials have ended, or a search.

    An outcome is that of the tuning trials, where nothing of the study itself can be trained now.
    Where they are not run here, the study of those that are missing is returned first.
    """
    if isinstance(request, SweepRequest):
        _note(request.notes, display)
        return prepare_search(request, options, display)
    _note(request.notes, display)
    study = resolved(request)
    blocked: tuple[Choice, ...] = ()
    _note(study.notes, display)
    if request.ablation.tune and not tunes_here:
        study = next_study(request, study, options.runs)
    elif request.ablation.tune:
        tuned = tune(request, study, options, display)
        if (ending := tuned.ending) is not None:
            return ending
        study, options, blocked = tuned.resolved, tuned.options, tuned.blocked
    folder = StudyFolder(options.runs / study.study.name)
    if folder.exists():
        study = check_growth(study, folder)
    return replace(prepare_ablation(study, options, display), blocked=blocked)


def _note(notes: Sequence[str], display: Display) -> None:
    for text in notes:
        display.note(text)
