"""Documents of what lies in folders of studies: the reading that comes before a builder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from audiocls import library
from audiocls.analysis.noise import Noise
from audiocls.errors import NotComparable, UsageError
from audiocls.formatting import with_runs
from audiocls.render import formats
from audiocls.render.build.ablation import ablation
from audiocls.render.build.clips import ClipSection, ClipsRequest, section_of
from audiocls.render.build.cross_study import cross_study
from audiocls.render.build.noise import noise
from audiocls.render.build.plan import plan, search_plan
from audiocls.render.build.ranking import ranking
from audiocls.render.build.runs import search_runs, study_runs
from audiocls.render.build.unfinished import so_far_blocks, unfinished
from audiocls.render.document import Document, Note, Template
from audiocls.render.figures.studies import MAX_STUDIES
from audiocls.render.output import Output
from audiocls.search import fixed_keys
from audiocls.store import StudyFolder
from audiocls.studies.budget import runnable
from audiocls.studies.native_trials import label_of
from audiocls.studies.options import cache_folder
from audiocls.studies.planning import (
    Workplace,
    plan_facts,
    power_of,
    power_of_program,
    search_facts,
)
from audiocls.studies.reports import (
    StudyReport,
    load_ranking,
    load_studies,
    read_clips,
)
from audiocls.studies.request import AblationRequest
from audiocls.studies.runnable import readable_tables
from audiocls.studies.search import check_search
from audiocls.studies.status import failure_lines, launch_command, over_budget_lines
from audiocls.studies.sweep_request import SweepRequest
from audiocls.studies.trials import trial_rows
from audiocls.studies.winner import winner_of
from audiocls.wandb_remote.push import place_of

WITHOUT_CLIPS = "Clips are compared one by one when verdicts are due."
WITH_CURVES = ("html", "wandb", "figures")
"""What learning curves are drawn for: two formats, and files of figures alone."""


@dataclass(frozen=True)
class Stored:
    """A document, and where what belongs to it lies."""

    document: Document
    stem: Path
    """Of the files that a format writes unless another is named."""
    project: tuple[str, str] = ("", "")
    """The W&B entity and project of the study's runs, for the format wandb alone."""

    def write(self, output: Output) -> None:
        """Print or write the document; raise `NotComparable` where nothing in it was compared."""
        formats.write(self.document, output, self.stem, self.project)
        if self.document.incomparable:
            raise NotComparable(self.document.incomparable)


def check_together(folders: Sequence[StudyFolder], clips: ClipsRequest) -> None:
    """Raise `UsageError` for several studies that have no common report."""
    check_no_clips(clips, "several studies")
    paths = [folder.path.absolute() for folder in folders]
    if len(set(paths)) < len(paths):
        names = ", ".join(folder.name for folder in folders)
        raise UsageError(f"a study is named twice: {names}")
    if len(folders) > MAX_STUDIES:
        raise UsageError(f"got {len(folders)} studies; at most {MAX_STUDIES} are compared at once")
    for folder in folders:
        if folder.study().kind == "search":
            raise UsageError(
                f"{folder.name} is a sweep; only studies of ablations are compared with others"
            )


def check_no_clips(clips: ClipsRequest, whose: str) -> None:
    """Raise `UsageError` if clips are requested of an answer that has no arms."""
    if clips != ClipsRequest():
        raise UsageError(f"--clips and --set: are for one ablation; got {whose}")


def _in(document: Document, folder: StudyFolder, format_: str) -> Stored:
    known = place_of(folder) if format_ == "wandb" else None
    project = (known.entity, known.project) if known else ("", "")
    whole = replace(document, trials=partial(trial_rows, folder))
    return Stored(whole, folder.path / "report", project)


def stored_ablation(report: StudyReport, format_: str, clips: ClipsRequest) -> Stored:
    """Return an ablation's document, with as much read for it as its format shows."""
    folder, study = report.folder, report.study
    if not report.is_due:
        return _withheld(report, format_, clips)
    is_page = format_ == "html"
    histories = folder.histories(study.cells) if format_ in WITH_CURVES else {}
    tracked = replace(study, name=folder.tracked_name)
    selection = study_runs(tracked, report.records, histories) if format_ == "wandb" else None
    document = ablation(
        report.comparison,
        study,
        histories,
        report.failures(),
        [record.provenance for record in report.records.values()] if is_page else (),
        _clips(report, clips, is_page),
        selection,
        _template(folder, clips) if format_ == "ipynb" else None,
        report.next_steps(),
    )
    if not report.is_comparable:
        reason = f"{folder.name}: no arm can be compared with the baseline; see reasons"
        document = replace(document, incomparable=reason)
    if report.so_far is not None:
        document = replace(document, blocks=(*document.blocks, *so_far_blocks(report.so_far)))
    return _in(document, folder, format_)


def _withheld(report: StudyReport, format_: str, clips: ClipsRequest) -> Stored:
    """Return the document of a study whose verdicts are not due."""
    folder, so_far = report.folder, report.so_far
    assert so_far is not None, "it has unfinished trials"
    document = unfinished(so_far, report.failures(), launch_command(folder))
    if clips.is_requested:
        document = replace(document, blocks=(*document.blocks, Note(WITHOUT_CLIPS)))
    reason = f"{folder.name}: no verdict is due yet, for trials have yet to end"
    return _in(replace(document, incomparable=reason), folder, format_)


def _clips(report: StudyReport, clips: ClipsRequest, is_page: bool) -> ClipSection | None:
    """Return a page's clips with sounds, by default; for other formats on request."""
    folder, study, records = report.folder, report.study, report.records
    if is_page:
        root, is_requested = clips.data_root, clips.is_requested
        return section_of(folder, study, records, cache_folder(), root, is_requested=is_requested)
    return ClipSection(read_clips(folder, study, records)) if clips.is_requested else None


def _template(folder: StudyFolder, clips: ClipsRequest) -> Template:
    name = "listen_to_errors" if clips.is_requested else "compare"
    parameters = {"study": folder.name, "runs": str(folder.path.parent)}
    return Template(library.notebook(name), parameters)


def stored_ranking(folder: StudyFolder, format_: str) -> Stored:
    """Return the document of a launched sweep."""
    loaded = load_ranking(folder)
    selection = None
    if format_ == "wandb":
        proposals = folder.proposals()
        records, histories = folder.records(proposals), folder.histories(proposals)
        selection = search_runs(
            folder.tracked_name, loaded.metric, loaded.searched, records, histories, len(proposals)
        )
    failures, runs = tuple(failure_lines(folder)), folder.path.parent
    over_budget = over_budget_lines(folder)
    winner = winner_of(folder, loaded)
    document = ranking(loaded, failures, selection, runs, over_budget, winner)
    return _in(document, folder, format_)


def stored_noise(folder: StudyFolder, measured: Noise, format_: str) -> Stored:
    """Return the document of a measured baseline."""
    study = folder.study()
    selection = None
    if format_ == "wandb":
        records, histories = folder.records(study.cells), folder.histories(study.cells)
        selection = study_runs(replace(study, name=folder.tracked_name), records, histories)
    return _in(noise(measured, study.goal, study.question, selection), folder, format_)


def stored_studies(folders: Sequence[StudyFolder]) -> Stored:
    """Return the document of several studies, each compared with the first."""
    joint = load_studies(folders)
    document = cross_study(joint)
    results = [result for across in joint.across for result in across.results]
    if all(result.verdict == "not_comparable" for result in results):
        reason = "no arm can be compared across these studies; see the reasons"
        document = replace(document, incomparable=reason)
    document = replace(document, trials=lambda: _trials_of(folders))
    stem = folders[0].path.with_name("-and-".join(folder.name for folder in folders))
    return Stored(document, stem)


def _trials_of(folders: Sequence[StudyFolder]) -> Iterator[dict[str, Any]]:
    """Yield the trials of several studies, each with the name of its own."""
    for folder in folders:
        for row in trial_rows(folder):
            yield {"study": folder.name, **row}


def planned(
    request: AblationRequest, runs: Path, effect: float | None, workplace: Workplace
) -> Stored:
    """Return the document of an ablation's plan; nothing is run and no recording is read.

    What was measured of its baseline lies in `runs`; `effect` is to be detected, in units of the
    metric. Raises what a launch would, as far as that is known without reading recordings.
    """
    chosen, configs = request.plan()
    tables = readable_tables(configs, cache_folder())
    chosen, configs = runnable(chosen, configs, tables)
    facts = plan_facts(request, chosen, configs, tables)
    if request.ablation.is_program:
        power = power_of_program(chosen, request.overrides, runs, effect)
    else:
        power = power_of(chosen, configs[chosen.baseline], runs, effect, cache_folder())
    measuring = with_runs(request.noise_command(), runs)
    document = plan(chosen, facts, power, workplace, measuring)
    return Stored(document, Path(document.name))


def planned_search(request: SweepRequest) -> Stored:
    """Return the document of a sweep's plan, its first proposals among it.

    Raises what a launch would, as far as that is known without reading recordings.
    """
    check_search(request)
    facts = search_facts(request)
    fixed = fixed_keys(request.sweep.parameters)
    first = [label_of(parameters, fixed) for parameters in facts["first"]]
    document = search_plan(facts, first, request.sweep.description)
    return Stored(document, Path(document.name))
