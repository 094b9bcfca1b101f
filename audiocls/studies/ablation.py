"""Ablations and single trials: from a request to a study that can be launched."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from audiocls import library
from audiocls.analysis.interim import first_look
from audiocls.audio.clips import fingerprint
from audiocls.config import not_taken_over, resolve, trial_id
from audiocls.design import BASELINE
from audiocls.errors import UsageError
from audiocls.execution.content import data_notes, require_encoders
from audiocls.execution.job import AnyJob
from audiocls.execution.probe import require_sound
from audiocls.execution.provenance import is_as_now
from audiocls.formatting import assignment, command_line
from audiocls.parts import OWN_FILES, Origin
from audiocls.parts.names import advice
from audiocls.store import Cell, Provenance, Request, Study, StudyFolder
from audiocls.store.data_roots import remember_roots
from audiocls.store.reuse import paired_study
from audiocls.studies.growth import next_look_fn, with_first_look
from audiocls.studies.launch import Outcome, Prepared, launch
from audiocls.studies.options import (
    Display,
    LaunchOptions,
    OpenExecutor,
    cache_folder,
)
from audiocls.studies.program_ablation import ProgramStudy, program_study
from audiocls.studies.request import (
    AblationRequest,
    ablation_request,
    check_without_effect,
    launch_options_of,
)
from audiocls.studies.resolve import (
    Resolved,
    few_clips_of,
    identified_config,
    identities_of,
    job_of,
    study_of,
    tried_of,
)
from audiocls.studies.sources import StudySource
from audiocls.studies.sources.fixed import FixedSource
from audiocls.studies.sources.sequential import Looks, SequentialSource

CELL = ("arm", "seed", "fold")


def resolved(request: AblationRequest) -> Resolved | ProgramStudy:
    """Return the study that is asked for, its data read and its ids computed.

    A study that grows until it is decided has all cells that its budget allows.
    """
    chosen, configs = request.plan()
    whole, overrides = request.whole_plan(chosen), request.overrides
    name, stored = request.study_name, request.stored()
    study: Resolved | ProgramStudy
    if request.ablation.is_program:
        study = program_study(whole, overrides, name, stored, request.timeout_s)
    else:
        study = study_of(whole, configs, overrides, cache_folder(), name, stored)
    if not request.is_until_decided:
        return study
    return with_first_look(study, len(chosen.blocks), request.effect)


def prepare_ablation(
    resolved: Resolved | ProgramStudy, options: LaunchOptions, display: Display
) -> Prepared:
    """Return what launches the study; raises `UsageError` for options that it cannot have."""
    options.check_runs_here()
    study, tracking = resolved.study, options.tracking()
    program = resolved if isinstance(resolved, ProgramStudy) else None
    if program:
        _check_program_options(options)
    if isinstance(resolved, Resolved):
        _require_trainable(resolved, options)
    folder = StudyFolder((options.runs / study.name).absolute())
    lender = lender_for(study, folder, set(options.slots(program is None)) == {"cpu"}, display)

    def job(cell: Cell) -> AnyJob:
        if isinstance(resolved, ProgramStudy):
            return resolved.job_of(cell, folder, tracking)
        return job_of(cell, resolved, folder, tracking)

    def open_source(kept: Study) -> StudySource:
        if isinstance(resolved, Resolved):
            remember_roots(folder.path, resolved.data_roots)
        if study.looks:
            grow = next_look_fn(folder, study)
            return SequentialSource(Looks(folder, kept, job, grow, lender))
        is_repeated = bool(options.run_id)
        return FixedSource(folder, kept, job, study.cells, lender, is_repeated)

    return Prepared(
        folder,
        first_look(study) if study.looks else study,
        open_source,
        _opener(options, folder, resolved, display),
        options.limits(is_foreign=program is not None),
        is_native=program is None,
        is_single=options.is_single,
        is_outdated=program.code.is_changed if program else lambda: False,
    )


def _require_trainable(resolved: Resolved, options: LaunchOptions) -> None:
    """Raise `ConfigError` or `UsageError` for arms that cannot be trained as the options say."""
    configs = (*resolved.configs.values(), *resolved.tuned.values())
    options.require_trainable(configs)
    require_encoders(configs)
    tried, is_here = tried_of(configs, cache_folder()), options.executor == "inline"
    require_sound(resolved.study.name, tried, cache_folder(), is_here=is_here)


def _opener(
    options: LaunchOptions,
    folder: StudyFolder,
    resolved: Resolved | ProgramStudy,
    display: Display,
) -> OpenExecutor:
    if isinstance(resolved, ProgramStudy):
        return options.open_programs(folder.path, resolved.code, display.note)
    for text in options.idle_accelerators():
        display.note(text)
    meanwhile = partial(resolved.decode_ahead, cache_folder().absolute())
    return options.open_workers(folder.path / "workers.log", display.note, meanwhile)


def _check_program_options(options: LaunchOptions) -> None:
    given = {
        "--executor inline": True if options.executor == "inline" else None,
        "--tensorboard": options.has_tensorboard or None,
        "--log-model": options.has_model or None,
    }
    check_without_effect(given, "a program is started for each trial, and logs what it likes")


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
    if all(_is_as_now(study, record.provenance, is_on_cpu) for record in records.values()):
        return other if records else None
    display.note(f"{other.name} was trained by other code or elsewhere: its trials are not reused")
    return None


def _is_as_now(study: Study, made: Provenance, is_on_cpu: bool) -> bool:
    """Whether a trial of the study could be paired with one made so; a program's id tells code."""
    if study.program:
        return (made.device == "cpu") == is_on_cpu
    return is_as_now(made, is_on_cpu)


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
    origin: Origin = OWN_FILES,
) -> Resolved | ProgramStudy:
    """Return the trial that such words of `audiocls train` name, as a study of one cell.

    `origin` says who chose the words: of a server, only trusted modules are read.
    """
    if sum(name is not None for name in (recipe, ablation, config)) != 1:
        raise UsageError("give one of --recipe NAME, --ablation NAME and --config FILE")
    overrides = library.overrides(given)
    if ablation is not None:
        return _one_cell(ablation, given, overrides, origin)
    source = config if recipe is None else recipe
    assert source is not None
    content = library.recipe(source, origin.is_trusted)
    return _recipe_trial(source, content, overrides, cache_folder(), origin)


def _recipe_trial(
    recipe: str,
    content: Mapping[str, Any],
    overrides: Mapping[str, Any],
    cache: Path,
    origin: Origin,
) -> Resolved:
    """Return one trial as a study named after the recipe, its arm after the overrides."""
    config = resolve([content, overrides], recipe, origin)
    data = config.data.table(cache)
    if config.fold not in data.folds:
        raise UsageError(f"fold: got {config.fold}; {config.data.name} has {list(data.folds)}")
    changes = {k: v for k, v in overrides.items() if k not in ("seed", "fold", "data.root")}
    arm = ",".join(assignment(*change) for change in changes.items()) or BASELINE
    known = fingerprint(data, cache)
    identified = identified_config(config, data, cache)
    notes = data_notes(config, data, known, (config.fold,), cache)
    notes += (*advice(content, overrides), *not_taken_over(content, overrides, config))
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
    tables = few_clips_of({config.data: data})
    return Resolved(study, {arm: config}, {arm: known}, notes, tables=tables)


def _one_cell(
    ablation: str, given: list[str], overrides: dict[str, Any], origin: Origin
) -> Resolved | ProgramStudy:
    """Return one cell of an ablation; keys beside its place are overrides of every arm."""
    missing = [key for key in CELL if key not in overrides]
    if missing:
        raise UsageError(f"--ablation {ablation} needs {', '.join(f'{k}=…' for k in missing)}")
    arm, seed, fold = (str(overrides[key]) for key in CELL)
    others = [item for item in given if item.partition("=")[0] not in CELL]
    blocks = {"seeds": seed, "folds": fold, "arms": arm}
    request = ablation_request(ablation, None, others, **blocks, origin=origin)
    check_untuned(request, "training one cell")
    return resolved(request).only(arm)


def run_trial(trial: Resolved | ProgramStudy, options: LaunchOptions, display: Display) -> Outcome:
    """Launch a study of one cell; a trial that failed before is tried once more."""
    for text in trial.notes:
        display.note(text)
    folder = StudyFolder(options.runs / trial.study.name)
    folder.trial(trial.study.cells[0].id).reset_failure()
    assert trial.study.request is not None, "it is of one"
    request = replace(trial.study.request, launch_options=launch_options_of(options))
    launched = replace(trial, study=replace(trial.study, request=request))
    return launch(prepare_ablation(launched, options, display), display)
