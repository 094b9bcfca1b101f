"""Studies by name: their report and state, and what is done about them."""

from audiocls.api.arguments import (
    Assignments,
    Folder,
    Names,
    existing_runs_folder,
    known_options,
    names_text,
)
from audiocls.api.live import watch_report
from audiocls.api.report import Report, report_on
from audiocls.api.status import Status, status_on
from audiocls.api.study import Named, Study, folder_of
from audiocls.errors import UsageError
from audiocls.store import StudyFolder
from audiocls.studies.status import (
    Retried,
    Stopped,
    open_begun,
    retry_failed,
    stop_launches,
)


@known_options
def report(
    study: Named,
    *others: Named,
    clips: bool = False,
    set: Assignments | None = None,
    watch: bool = False,
    out: Folder | None = None,
    runs: Folder | None = None,
) -> Report:
    """Return the report of a study or a sweep, or of several studies compared with one another.

    `clips` adds the comparison clip by clip; `set={"data.root": …}` says where the recordings lie
    that an HTML page plays, if they were moved. `watch` rewrites an HTML page in `out`, by default
    the study's `report.html`, until the study has ended, and then returns: effects and their
    precision while it runs, and no verdict.

    >>> import audiocls
    >>> audiocls.report("dropout").save("dropout.html")  # doctest: +SKIP
    PosixPath('dropout.html')
    """
    folders = [folder_of(each, runs) for each in (study, *others)]
    if watch:
        watch_report(folders, out)
    elif out is not None:
        raise UsageError("out: has an effect with watch alone; write the report with save()")
    return report_on(folders, clips=clips, set=set)


@known_options
def status(study: Named, *, runs: Folder | None = None) -> Status:
    """Return how many trials of a study are done, failed, running and pending.

    >>> import audiocls
    >>> audiocls.status("dropout").counts  # doctest: +SKIP
    {'done': 38, 'failed': 1, 'running': 0, 'pending': 1}
    """
    return status_on(_begun(study, runs))


@known_options
def retry(study: Named, *, arms: Names | None = None, runs: Folder | None = None) -> Retried:
    """Make a study's failed and damaged trials pending again; the next launch trains them.

    >>> import audiocls
    >>> audiocls.retry("dropout").num_failed  # doctest: +SKIP
    1
    """
    return retry_failed(_begun(study, runs), names_text(arms))


@known_options
def stop(study: Named, *, runs: Folder | None = None) -> Stopped:
    """Stop all launches of a study, on this machine or another, as Ctrl-C there would.

    >>> import audiocls
    >>> audiocls.stop("dropout").command  # doctest: +SKIP
    'audiocls sweep launch dropout'
    """
    return stop_launches(_begun(study, runs))


def _begun(study: Named, runs: Folder | None) -> StudyFolder:
    """Return a study or, as long as nothing else of it exists, its tuning trials."""
    if isinstance(study, Study):
        return study.folder
    return open_begun(str(study), existing_runs_folder(runs))
