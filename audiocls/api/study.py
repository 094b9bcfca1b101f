"""`Study`: a launched or an imported study, whose trials, verdicts and reports are values."""

import atexit
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls.api.arguments import (
    Assignments,
    Folder,
    Names,
    existing_runs_folder,
    known_options,
    names_text,
)
from audiocls.api.comparison import Comparison
from audiocls.api.frames import Rows, frame_of
from audiocls.api.noise import Noise, noise_in
from audiocls.api.report import Report, report_on
from audiocls.api.rows import history_rows, prediction_rows
from audiocls.api.status import Status, status_on
from audiocls.errors import UsageError
from audiocls.render.build.clips import ClipSection, ClipsRequest, section_of
from audiocls.render.build.stored import stored_ablation
from audiocls.store import StudyFolder
from audiocls.store.study import open_study
from audiocls.studies.launch import Outcome
from audiocls.studies.launch_summary import summary_of
from audiocls.studies.named_studies import find_study
from audiocls.studies.options import cache_folder
from audiocls.studies.reports import load_report
from audiocls.studies.status import Retried, Stopped, retry_failed, stop_launches
from audiocls.studies.trials import trial_rows

if TYPE_CHECKING:
    from audiocls.importing.study import Imported


class Study:
    """A study by its name in `runs`, its folder, or where its results are.

    Without `runs`, that folder is looked for here and in the folders above. A table
    (`results.csv`), a project of W&B (`wandb:me/birds`), an Optuna storage or an MLflow store is
    imported into a temporary folder; its `options` are those of `import_results`: arm, baseline,
    seed, fold, metric …

    >>> import audiocls, tempfile, pathlib
    >>> table = pathlib.Path(tempfile.mkdtemp(), "results.csv")
    >>> lines = [f"{net},{seed},{0.8 + 0.05 * (net == 'ast') + seed / 1000}"
    ...          for net in ("cnn", "ast") for seed in range(8)]
    >>> _ = table.write_text("net,seed,acc\\n" + "\\n".join(lines))
    >>> study = audiocls.Study(table, arm="net", baseline="cnn", seed="seed", metric="acc",
    ...                        goal="maximize")
    >>> study.compare().verdicts, len(study.rows())
    ({'ast': 'better'}, 16)
    """

    folder: StudyFolder
    """Its files."""
    outcome: Outcome | None
    """How the launch ended that returned this study."""
    imported: "Imported | None"
    """What the import did that returned this study."""

    def __init__(self, study: Folder, runs: Folder | None = None, **options: Any):
        self.folder = _opened(str(study), runs, options)
        self.outcome, self.imported = None, None

    @property
    def name(self) -> str:
        """The name of the study's folder."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """The study's folder."""
        return self.folder.path

    def status(self) -> Status:
        """Return how many trials are done, failed, running and pending."""
        return status_on(self.folder)

    def summary(self) -> list[str]:
        """Return how the launch ended that returned this study, as sentences."""
        return summary_of(self.outcome, self.path.parent) if self.outcome else []

    def compare(self) -> Comparison:
        """Return the verdict on each arm; `not_due` while planned trials have yet to end."""
        loaded = load_report(self.folder)
        whole = Report(lambda format_: stored_ablation(loaded, format_, ClipsRequest()))
        study, folder, verdicts = loaded.study, loaded.folder, loaded.comparison
        return Comparison(verdicts, whole, study, lambda: folder.histories(study.cells))

    def clips(self, data_root: Folder | None = None) -> ClipSection:
        """Return the clips that changed sides, with their sounds where `data_root` has them.

        `data_root` is where the recordings lie now, if not where they were trained on.
        """
        loaded, root = load_report(self.folder), None if data_root is None else str(data_root)
        cells = self.folder, loaded.study, loaded.records
        return section_of(*cells, cache_folder(), root, is_requested=True)

    def noise(self) -> Noise:
        """Return how much the baseline varies over the study's seeds and folds."""
        return noise_in(self.folder)

    @known_options
    def report(self, *, clips: bool = False, set: Assignments | None = None) -> Report:
        """Return the study's report: verdicts, or the ranking of a sweep; see `audiocls.report`."""
        return report_on([self.folder], clips=clips, set=set)

    def rows(self) -> Rows:
        """Return a dict a trial: its place, state, parameters, metrics, cost."""
        return list(trial_rows(self.folder))

    def trials(self, backend: str | None = None) -> Any:
        """Return a frame with a row a trial: its place, state, parameters, metrics, cost."""
        return frame_of(self.rows(), backend)

    def history(self, backend: str | None = None) -> Any:
        """Return a frame with a row an epoch of each trial."""
        return frame_of(list(history_rows(self.folder)), backend)

    def predictions(self, backend: str | None = None) -> Any:
        """Return a frame with a row a test clip of each trial that kept its predictions."""
        return frame_of(list(prediction_rows(self.folder)), backend)

    @known_options
    def retry(self, *, arms: Names | None = None) -> Retried:
        """Make failed and damaged trials pending again; the next launch trains them."""
        return retry_failed(self.folder, names_text(arms))

    def stop(self) -> Stopped:
        """Stop all launches of this study, on this machine or another."""
        return stop_launches(self.folder)

    def __repr__(self) -> str:
        submitted = self.outcome and self.outcome.submitted
        if submitted and not submitted.job:  # nothing was launched, and nothing is stored
            return submitted.script
        return repr(self._answer())

    def _repr_html_(self) -> str | None:
        submitted = self.outcome and self.outcome.submitted
        return None if submitted and not submitted.job else self._answer()._repr_html_()

    def _answer(self) -> Report | Status:
        """Return the study's report, or how it stands as long as nothing is finished."""
        status = self.status()
        return self.report() if status.counts["done"] else status


def study_in(
    folder: StudyFolder, outcome: Outcome | None = None, imported: "Imported | None" = None
) -> Study:
    """Return the study in a folder, with what brought it there."""
    study = Study.__new__(Study)  # it is there, and its path may look like a name
    study.folder, study.outcome, study.imported = folder, outcome, imported
    return study


def warm_up(path: Path) -> None:
    """Read and encode, on one thread, the clips that a page would show of the trials so far.

    Nothing of it is shown: most sounds, all resamples and the table of clips are kept in memory.
    """
    folder = StudyFolder(path)
    study = folder.study()
    if study.kind not in ("search", "tuning"):  # which have no such page
        section_of(folder, study, folder.records(study.cells), cache_folder(), num_threads=1)


class LaunchStopped(KeyboardInterrupt):
    """A launch that Ctrl-C, a notebook's stop button or another signal has stopped.

    What is finished is kept, and the same call resumes. In a thread other than the main one Python
    lets nobody handle signals; `max_hours` stops a launch there.

    >>> import audiocls
    >>> try:
    ...     study = audiocls.launch("dropout")  # doctest: +SKIP
    ... except audiocls.LaunchStopped as stopped:
    ...     study = stopped.study
    """

    exit_code = 75
    """Of a command that resumes when it is repeated."""

    def __init__(self, study: Study):
        self.study = study
        super().__init__("\n".join(study.summary()))


def raise_if_stopped(study: Study) -> None:
    """Raise `LaunchStopped` if a signal has stopped the launch that returned the study."""
    if study.outcome is not None and study.outcome.stopped_by == "signal":
        raise LaunchStopped(study)


def _opened(study: str, runs: Folder | None, options: Mapping[str, Any]) -> StudyFolder:
    """Return the folder of a study that is there, or of one that is imported now."""
    from audiocls.importing.sources import is_source

    where = existing_runs_folder(runs)
    if is_source(study) and not (where / study).is_dir():
        return _imported(study, options)
    if options:
        raise UsageError(
            f"study {study!r} is read from this disk, and {', '.join(options)} are for results to "
            "import: leave them out, or name a table or wandb:ENTITY/PROJECT"
        )
    return folder_of(study, runs)


def _imported(source: str, options: Mapping[str, Any]) -> StudyFolder:
    """Return the results as a study in a folder of its own, removed when this process ends."""
    from audiocls.api.importing import import_results

    temporary = tempfile.mkdtemp(prefix="audiocls-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return import_results(source, runs=temporary, progress=False, **options).folder


Named = Study | Folder
"""A study, or its name in `runs`, or its path."""


def folder_of(study: Named, runs: Folder | None) -> StudyFolder:
    """Return the folder of a study that is there; raises `UsageError` with those there are."""
    if isinstance(study, Study):
        return study.folder
    name, place = str(study), existing_runs_folder(runs)
    if not (folder := open_study(name, place)).exists():
        folder = find_study(name, place)
    if not folder.exists():
        folder.study()
    return folder
