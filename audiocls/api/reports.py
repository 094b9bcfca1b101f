"""Reports of studies: verdicts of an ablation, the ranking of a sweep, several studies together."""

from collections.abc import Sequence

from audiocls import library
from audiocls.api.arguments import Assignments, assignments_of
from audiocls.api.report import Report
from audiocls.errors import UsageError
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.build.stored import check_reported, stored_report
from audiocls.store import StudyFolder

ROOT = "data.root"
"""The key that `set` may change in a report."""


def report_on(
    folders: Sequence[StudyFolder], *, clips: bool = False, set: Assignments | None = None
) -> Report:
    """Return the report of a study, or of several compared with one another."""
    request = clips_request(clips, set)
    check_reported(folders, request)
    return Report(lambda format_: stored_report(folders, format_, request))


def clips_request(is_requested: bool, set: Assignments | None) -> ClipsRequest:
    """Return which clips are read for a report; raises `UsageError` for keys without effect."""
    assignments = assignments_of(set)
    if not assignments:
        return ClipsRequest(is_requested)
    given = library.overrides(assignments)
    unknown = [key for key in given if key != ROOT]
    if unknown:
        raise UsageError(f"--set: got {', '.join(unknown)}; allowed in a report: {ROOT}=DIR")
    return ClipsRequest(is_requested, str(given[ROOT]))
