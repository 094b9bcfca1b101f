"""Reports of studies: verdicts of an ablation, the ranking of a sweep, several studies together."""

from collections.abc import Sequence

from audiocls import library
from audiocls.api.arguments import Assignments, assignments_of
from audiocls.api.report import Report
from audiocls.errors import UsageError
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.build.stored import (
    check_no_clips,
    check_together,
    stored_ablation,
    stored_ranking,
    stored_studies,
)
from audiocls.store import StudyFolder
from audiocls.studies.reports import load_report

ROOT = "data.root"
"""The key that `set` may change in a report."""


def report_on(
    folders: Sequence[StudyFolder], *, clips: bool = False, set: Assignments | None = None
) -> Report:
    """Return the report of a study, or of several compared with one another."""
    request, first = clips_request(clips, set), folders[0]
    if len(folders) > 1:
        check_together(folders, request)
        return Report(lambda _: stored_studies(folders))
    if first.study().kind == "search":
        check_no_clips(request, f"the sweep {first.name}")
        return Report(lambda format_: stored_ranking(first, format_))
    return Report(lambda format_: stored_ablation(load_report(first), format_, request))


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
