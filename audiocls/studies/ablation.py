"""Ablations and single trials: from a request to a study that can be launched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiocls import library
from audiocls.analysis.interim import first_look
from audiocls.audio.clips import fingerprint
from audiocls.config import resolve, trial_id
from audiocls.design import BASELINE
from audiocls.errors import UsageError
from audiocls.execution.content import data_notes
from audiocls.execution.job import NativeJob
from audiocls.execution.provenance import is_as_now
from audiocls.formatting import command_line
from audiocls.store import Cell, Request, Study, StudyFolder
from audiocls.store.reuse import paired_study
from audiocls.studies.growth import next_look_fn, with_first_look
from audiocls.studies.launch import Outcome, Prepared, launch
from audiocls.studies.options import Display, LaunchOptions, cache_folder
from audiocls.studies.request import AblationRequest, ablation_request
from audiocls.studies.resolve import (
    Resolved,
    assignment,
    identified_config,
    identities_of,
    job_of,
    study_of,
)
from audiocls.studies.sources import StudySource
from audiocls.studies.sources.fixed import FixedSource
from audiocls.studies.sources.sequential import Looks, SequentialSource

CELL = ("arm", "seed", "fold")


def resolved(request: AblationRequest) -> Resolved:
    """Return the study that is asked for, its data read and its ids computed.

    A study that grows until it is decided has all cells that its budget allows.
    """
    chosen, configs = request.plan()
    whole, overrides = request.whole_plan(chosen), request.overrides
    name, stored = request.study_name, request.stored()
    study = study_of(whole, configs, overrides, cache_folder(), name, stored)
    if not request.is_until_decided:
        return study
    return with_first_look(study, len(chosen.blocks), request.effect)


def prepare_ablation(resolved: Resolved, options: LaunchOptions, display: Display) -> Prepared:
    """Return what launches the study; raises `UsageError` for options that it cannot have."""
    options.check_runs_here()
    study, tracking = resolved.study, options.tracking()
    is_on_cpu = set(options.slots()) == {"cpu"}
    folder = StudyFolder((options.runs / study.name).absolute())
    lender = lender_for(study, folder, is_on_cpu, display)

    def job(cell: Cell) -> NativeJob:
        return job_of(cell, resolved, folder, tracking)

    def open_source(kept: Study) -> StudySource:
        if study.looks:
            grow = next_look_fn(folder, study)
            return SequentialSource(Looks(folder, kept, job, grow, lender))
        is_repeated = bool(options.run_id)
        return FixedSource(folder, kept, job, study.cells, lender, is_repeated)

    return Prepared(
        folder,
        first_look(study) if study.looks else study,
        open_source,
        options.open_workers(folder.path / "workers.log"),
        options.limits(),
        is_single=options.is_single,
    )


def lender_for(
    study: Study, folder: StudyFolder, is_on_cpu: bool, display: Display
) -> StudyFolder | None:
    """Return the study that is paired with this one, if its trials can be used here.

    They cannot where one of them could not be compared with what is trained now.
    """
    other = paired_study(study, folder)
    if other is None:
        return None
    new = [cell for cell in study.cells if not folder.trial(cell.id).path.exists()]
    records = other.records(new)
    if all(is_as_now(record.provenance, is_on_cpu) for record in records.values()):
        return other if records else None
    display.note(f"{other.name} was trained by other code or elsewhere: its trials are not reused")
    return None


def check_untuned(request: AblationRequest, who: str) -> None:
    """Raise `UsageError` if single cells of an ablation with `tune` are requested."""
    if request.ablation.tune:
        raise UsageError(
            f"{request.ablation.name} says `tune`: its arms choose values before any of its trials "
            f"is known, and {who} would not let them. Run it with: "
            f"{command_line('sweep', 'launch', request.name)}; or fix values in `arms`, and "
            "remove `tune`"
        )


def one_trial(
    given: list[str],
    recipe: str | None = None,
    ablation: str | None = None,
    config: str | None = None,
) -> Resolved:
    """Return the trial that such words of `audiocls train` name, as a study of one cell."""
    if sum(name is not None for name in (recipe, ablation, config)) != 1:
        raise UsageError("give one of --recipe NAME, --ablation NAME and --config FILE")
    overrides = library.overrides(given)
    if ablation:
        return _one_cell(ablation, given, overrides)
    source = recipe or config
    assert source is not None
    return _recipe_trial(source, library.recipe(source), overrides, cache_folder())


def _recipe_trial(
    recipe: str, content: Mapping[str, Any], overrides: Mapping[str, Any], cache: Path
) -> Resolved:
    """Return one trial as a study named after the recipe, its arm after the overrides."""
    config = resolve([content, overrides], recipe)
    data = config.data.table(cache)
    if config.fold not in data.folds:
        raise UsageError(f"fold: got {config.fold}; {config.data.name} has {list(data.folds)}")
    changes = {k: v for k, v in overrides.items() if k not in ("seed", "fold", "data.root")}
    arm = ",".join(assignment(*change) for change in changes.items()) or BASELINE
    known = fingerprint(data, cache)
    identified = identified_config(config, data, cache)
    notes = data_notes(config, data, known, (config.fold,), cache)
    cell = Cell(trial_id(identified, known), arm, config.seed, config.fold)
    name = Path(recipe).stem
    given = tuple(assignment(*item) for item in overrides.items())
    request = Request("train", recipe=recipe, assignments=given)
    study = Study(
        name=name,
        question=f"What does {name} reach?",
        recipe=recipe,
        design="arms",
        metric="test/map" if config.data.is_multi_label else "test/accuracy",
        goal="maximize",
        baseline=arm,
        arms={arm: dict(changes)},
        cells=(cell,),
        identities=identities_of({arm: identified}, {arm: known}),
        command=request.line(),
        request=request,
        notes=notes,
    )
    return Resolved(study, {arm: config}, {arm: known}, notes)


def _one_cell(ablation: str, given: list[str], overrides: dict[str, Any]) -> Resolved:
    """Return one cell of an ablation; keys beside its place are overrides of every arm."""
    missing = [key for key in CELL if key not in overrides]
    if missing:
        raise UsageError(f"--ablation {ablation} needs {', '.join(f'{k}=…' for k in missing)}")
    arm, seed, fold = (str(overrides[key]) for key in CELL)
    others = [item for item in given if item.partition("=")[0] not in CELL]
    request = ablation_request(ablation, None, others, seeds=seed, folds=fold, arms=arm)
    check_untuned(request, "training one cell")
    return resolved(request).only(arm)


def run_trial(trial: Resolved, options: LaunchOptions, display: Display) -> Outcome:
    """Launch a study of one cell; a trial that failed before is tried once more."""
    for text in trial.notes:
        display.note(text)
    folder = StudyFolder(options.runs / trial.study.name)
    folder.trial(trial.study.cells[0].id).reset_failure()
    return launch(prepare_ablation(trial, options, display), display)
