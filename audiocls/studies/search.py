"""Searches: from a W&B sweep to a study that can be launched."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from audiocls import library
from audiocls.execution.external.code import program_code
from audiocls.execution.job import TrackingConfig
from audiocls.search import fixed_keys
from audiocls.store import Study, StudyFolder
from audiocls.studies.command_trials import CommandTrials
from audiocls.studies.launch import Prepared, check_same_trials
from audiocls.studies.native_trials import NativeTrials
from audiocls.studies.options import Display, LaunchOptions, cache_folder
from audiocls.studies.program_notes import program_notes
from audiocls.studies.sources.search import SearchSource
from audiocls.studies.sweep_request import SweepRequest


def prepare_search(request: SweepRequest, options: LaunchOptions, display: Display) -> Prepared:
    """Return what launches the search.

    Raises `ConfigError` for what no trial could have, and `UsageError` where the study's folder
    holds another sweep.
    """
    folder = StudyFolder((options.runs / request.study_name).absolute())
    tracking, sweep = options.tracking(), request.sweep
    options.slots(request.native is not None)  # which raises for devices that are not there
    project = sweep.project or tracking.project
    trials = trials_of(request, folder, replace(tracking, project=project, entity=sweep.entity))
    if isinstance(trials, NativeTrials):
        return _prepare_native(request, trials, options, display)
    study = _counted(request, request.to_study(code=trials.code.digest), folder)
    _check_folder(folder, study)
    for text in program_notes(request, folder, study, trials):
        display.note(text)
    return Prepared(
        folder,
        study,
        _opener(request, trials),
        options.open_programs(folder.path, trials.code, display.note),
        options.limits(is_foreign=True),
        is_native=False,
        is_outdated=trials.is_outdated,
    )


def _prepare_native(
    request: SweepRequest, trials: NativeTrials, options: LaunchOptions, display: Display
) -> Prepared:
    """Return what launches a search over a recipe, whose data is examined first."""
    if (config := trials.first(request.sweep)) is not None:
        options.require_trainable([config])
    notes = tuple(trials.examine(request.sweep))
    for text in (*notes, *options.idle_accelerators()):
        display.note(text)
    folder = trials.folder
    study = _counted(request, replace(request.to_study(), notes=notes), folder)
    workers = options.open_workers(folder.path / "workers.log", display.note)
    _check_folder(folder, study)
    return Prepared(folder, study, _opener(request, trials), workers, options.limits())


def _counted(request: SweepRequest, study: Study, folder: StudyFolder) -> Study:
    """Return the study with the trials that it will have had once this launch has ended."""
    if request.max_new is None or study.request is None or study.search is None:
        return study
    known = sum(each.code == study.search.code for each in folder.all_proposals())
    return replace(study, request=replace(study.request, most_trials=known + request.max_new))


def _check_folder(folder: StudyFolder, study: Study) -> None:
    if folder.exists():
        check_same_trials(folder.study(), study, folder.path.parent)


def _opener(
    request: SweepRequest, trials: NativeTrials | CommandTrials
) -> Callable[[Study], SearchSource]:
    return lambda kept: SearchSource(request.sweep, trials.folder, trials, request.max_new)


def trials_of(
    request: SweepRequest, folder: StudyFolder, tracking: TrackingConfig
) -> NativeTrials | CommandTrials:
    """Return what the sweep's parameters mean.

    Raises `ConfigError` for parameters that no trial could have.
    """
    if request.native is None:
        code = program_code(request.sweep, Path.cwd())
        return CommandTrials(folder, request.sweep, code, tracking, request.timeout_s)
    trials = NativeTrials(
        folder,
        cache_folder().absolute(),
        tracking,
        request.recipe_name,
        library.recipe(request.recipe_name, request.origin.is_trusted),
        request.overrides,
        fixed_keys(request.sweep.parameters),
        origin=request.origin,
    )
    trials.check(request.sweep)
    return trials


def check_search(request: SweepRequest) -> None:
    """Raise what a launch would for a sweep, as far as no recording has to be read."""
    trials = trials_of(
        request, StudyFolder(Path(request.study_name)), TrackingConfig("disabled", "")
    )
    if isinstance(trials, NativeTrials):
        trials.require_trainable(request.sweep)
