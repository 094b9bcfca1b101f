"""What a study answers so far: its verdicts where they are due, else effects without any.

Computed behind the page, and what `report` shows on a screen at that moment.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from audiocls.errors import AudioclsError
from audiocls.live.curves import Curve, curves_of
from audiocls.live.results import ENDED, Results
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.build.stored import stored_ablation, stored_ranking
from audiocls.render.document import Block, Document, Note, Section, Title
from audiocls.render.formats import visible
from audiocls.render.table import Depth
from audiocls.store import Failure, Record, State, Study, StudyFolder
from audiocls.studies.labels import labelled, labels_of
from audiocls.studies.reports import Known, awaited, judged

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """All that is computed behind a study's page."""

    records: Mapping[str, Record] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    """Verdicts, effects so far, or a ranking, as blocks of a document."""
    curves: tuple[Curve, ...] = ()
    curves_note: str = ""
    is_final: bool = False
    """Whether the verdicts are those of the whole study."""


def answer(
    folder: StudyFolder, study: Study, states: Mapping[str, State], results: Results
) -> Answer:
    """Return what follows from the results; a fault of the stored files becomes a sentence."""
    records, failures = dict(results.records), dict(results.failures)
    try:
        blocks, is_final = _blocks(folder, study, states, results)
        curves, note = curves_of(labelled(study, labels_of(study)), states, results)
    except AudioclsError as error:
        return Answer(records, failures, (_problem(str(error)),))
    except Exception as error:  # of one study: the page shows the others
        log.exception("%s: no answer can be computed", folder.path)
        return Answer(records, failures, (_problem(f"{type(error).__name__}: {error}"),))
    return Answer(records, failures, blocks, curves, note, is_final)


def _problem(text: str) -> Section:
    return Section("No answer can be shown", (Note(text),))


def _blocks(
    folder: StudyFolder, study: Study, states: Mapping[str, State], results: Results
) -> tuple[tuple[Block, ...], bool]:
    if study.kind == "search":
        return (_of(stored_ranking(folder, "terminal").document) if results.records else ()), True
    if len(study.arms) < 2 or study.kind == "tuning":
        return (), True
    known = Known(results.records, results.failures, results.influences)
    unfinished = awaited(study, {id_ for id_, state in states.items() if state in ENDED})
    report = judged(folder, study, known, unfinished, labels_of(study))
    blocks = _of(stored_ablation(report, "terminal", ClipsRequest()).document)
    return blocks, report.so_far is None


def _of(document: Document) -> tuple[Block, ...]:
    """Return what a screen shows below the title, which the page has already."""
    blocks = visible(document, Depth.SCREEN)
    return tuple(block for block in blocks if not isinstance(block, Title))
