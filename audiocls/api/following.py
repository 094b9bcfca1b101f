"""A study that others work on: its progress and its logs, as they come."""

from collections.abc import Iterator

from audiocls.api.arguments import Folder, known_options
from audiocls.api.display import Progress, display_of
from audiocls.api.status import Status, status_on
from audiocls.api.study import Named, folder_of
from audiocls.studies.logs import log_lines
from audiocls.studies.watching import watch as watch_study


@known_options
def watch(study: Named, *, runs: Folder | None = None, progress: Progress = True) -> Status:
    """Show the progress of a study that is launched elsewhere; return how it stands at its end.

    Nothing is asked of the launches: whoever watches may stop doing so.

    >>> import audiocls
    >>> audiocls.watch("dropout").counts  # doctest: +SKIP
    {'done': 40, 'failed': 0, 'running': 0, 'pending': 0}
    """
    folder = folder_of(study, runs)
    with display_of(progress).watching() as show:
        watch_study(folder, show)
    return status_on(folder)


@known_options
def logs(
    study: Named, trial: str | None = None, *, follow: bool = False, runs: Folder | None = None
) -> Iterator[str]:
    """Yield what a trial printed; without a trial, the last lines of all that run or have failed.

    `trial` is the beginning of its id. With `follow` new lines are yielded until the study's
    launches have ended.

    >>> import audiocls
    >>> print(*audiocls.logs("dropout", "6ec6"), sep="\\n")  # doctest: +SKIP
    """
    return log_lines(folder_of(study, runs), trial, follow)
