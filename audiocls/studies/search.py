"""Searches: from a W&B sweep to a study that can be launched."""

from dataclasses import replace
from pathlib import Path

from audiocls import library
from audiocls.execution.job import TrackingConfig
from audiocls.search import fixed_keys
from audiocls.store import Study, StudyFolder
from audiocls.studies.launch import Prepared
from audiocls.studies.native_trials import NativeTrials
from audiocls.studies.options import Display, LaunchOptions, cache_folder, open_programs
from audiocls.studies.request import SweepRequest
from audiocls.studies.sources.search import SearchSource, Trials


def prepare_search(request: SweepRequest, options: LaunchOptions, display: Display) -> Prepared:
    """Return what launches the search; raises `ConfigError` for what no trial could have."""
    folder = StudyFolder((options.runs / request.study_name).absolute())
    tracking, sweep = options.tracking(), request.sweep
    project = sweep.project or tracking.project
    named = replace(tracking, project=project, entity=sweep.entity)
    trials, slots = trials_of(request, folder, named), options.slots()
    notes = tuple(trials.examine(sweep)) if isinstance(trials, NativeTrials) else ()
    for text in notes:
        display.note(text)
    study = replace(request.to_study(), notes=notes)
    _note_other_folder(folder, study, display)
    is_foreign = request.native is None
    workers = options.open_workers(folder.path / "workers.log")
    return Prepared(
        folder,
        study,
        lambda kept: SearchSource(sweep, folder, trials, request.max_new),
        (lambda most, stop: open_programs(slots)) if is_foreign else workers,
        options.limits(is_foreign),
    )


def trials_of(request: SweepRequest, folder: StudyFolder, tracking: TrackingConfig) -> Trials:
    """Return what the sweep's parameters mean.

    Raises `ConfigError` for parameters that no trial could have.
    """
    if request.native is None:
        from audiocls.studies.command_trials import CommandTrials

        return CommandTrials(folder, request.sweep, Path.cwd(), tracking, request.timeout_s)
    trials = NativeTrials(
        folder,
        cache_folder().absolute(),
        tracking,
        request.recipe_name,
        library.recipe(request.recipe_name),
        request.overrides,
        fixed_keys(request.sweep.parameters),
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


def _note_other_folder(folder: StudyFolder, now: Study, display: Display) -> None:
    """Note that a program may do something else where it is started from another folder."""
    before = folder.study().search if folder.exists() else now.search
    assert now.search is not None
    if before is not None and before.folder != now.search.folder:
        here = now.search.folder
        display.note(f"launched before in {before.folder}; its programs are now started in {here}")
