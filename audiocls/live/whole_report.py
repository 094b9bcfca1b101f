"""The whole report of a study, as `report --format html` writes it, once its verdicts are due."""

import threading
from dataclasses import dataclass, field

from audiocls.errors import AudioclsError
from audiocls.live.behind import Behind
from audiocls.live.watched import View
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.build.stored import stored_ablation, stored_ranking
from audiocls.render.document import Document, Note, Title
from audiocls.render.formats.html import to_html
from audiocls.store import StudyFolder
from audiocls.studies.reports import load_report

WAIT_S = 5.0
DRAWING = threading.Lock()
"""Matplotlib's style is one for all threads."""
WITHHELD = "Verdicts are not due yet: the study runs, and its page shows effects and precision."


@dataclass
class WholeReports:
    """The latest report of each study."""

    _behind: dict[str, Behind[str]] = field(default_factory=dict)

    def of(self, view: View) -> str | None:
        """Return the report as a page of its own; `None` until it is written."""
        if view.answer is None:
            return None
        if not view.answer.is_final:
            return to_html(Document(view.name, (Title(view.name), Note(WITHHELD))))
        behind = self._behind.setdefault(view.name, Behind())
        return behind.get(hash(frozenset(view.answer.records)), lambda: _written(view), WAIT_S)


def _written(view: View) -> str:
    folder = view.status.folder
    try:
        with DRAWING:
            return _html(folder, view)
    except AudioclsError as error:
        return to_html(Document(view.name, (Title(view.name), Note(str(error)))))


def _html(folder: StudyFolder, view: View) -> str:
    if view.study.kind == "search":
        return to_html(stored_ranking(folder, "html").document)
    return to_html(stored_ablation(load_report(folder), "html", ClipsRequest()).document)
