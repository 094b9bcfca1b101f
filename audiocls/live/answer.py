"""What a study answers so far: its verdicts where they are due, else effects without any.

Computed behind the page. Comparisons are those of `report`: of the whole study, of its looks so
far, or of the pairs that are in, of which no verdict is shown.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from audiocls.analysis import compare
from audiocls.analysis.unfinished import due_part, of_pairs_so_far
from audiocls.errors import AudioclsError
from audiocls.live.curves import Curve, curves_of
from audiocls.live.results import Results
from audiocls.render.build.clips import ClipsRequest
from audiocls.render.build.stored import stored_ablation, stored_ranking
from audiocls.render.build.unfinished import unfinished_blocks
from audiocls.render.document import Block, Document, Note, Section, Title
from audiocls.render.formats import visible
from audiocls.render.table import Depth
from audiocls.store import Failure, Record, State, Study, StudyFolder
from audiocls.studies.labels import labelled
from audiocls.studies.reports import StudyReport

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
        curves, note = curves_of(labelled(study, study.labels), states, results)
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
    unfinished = {trial_id for trial_id, state in states.items() if state not in ("done", "failed")}
    due = due_part(study, unfinished)
    is_final = due is not None and not unfinished
    blocks: list[Block] = []
    if due is not None:
        blocks += [*_looked_at(due, study), *_verdicts(folder, due, results)]
    if not is_final:
        blocks += _so_far(study, results, due)
    return tuple(blocks), is_final


def _looked_at(due: Study, study: Study) -> Iterator[Block]:
    if len(due.looks) < len(study.looks):
        yield Note(f"As decided by look {len(due.looks)}; look {len(due.looks) + 1} is under way.")


def _verdicts(folder: StudyFolder, due: Study, results: Results) -> Sequence[Block]:
    """Return what `report` shows on a screen."""
    causes = {id_: f"failed: {failure.cause}" for id_, failure in results.failures.items()}
    records = {
        cell.id: results.records[cell.id] for cell in due.cells if cell.id in results.records
    }
    shown = labelled(due, due.labels)
    comparison = compare(shown, records, causes, results.influences(shown))
    failed = {
        cell.id: results.failures[cell.id] for cell in due.cells if cell.id in results.failures
    }
    report = StudyReport(folder, shown, records, failed, comparison, due)
    return _of(stored_ablation(report, "terminal", ClipsRequest()).document)


def _of(document: Document) -> tuple[Block, ...]:
    """Return what a screen shows below the title, which the page has already."""
    blocks = visible(document, Depth.SCREEN)
    return tuple(block for block in blocks if not isinstance(block, Title))


def _so_far(study: Study, results: Results, due: Study | None) -> Iterator[Block]:
    planned = Counter(cell.arm for cell in labelled(study, study.labels).cells)
    shown = labelled(of_pairs_so_far(study), study.labels)
    comparison = compare(shown, results.records, influences=results.influences(shown))
    is_growing = bool(study.looks) and due is not study
    next_look = study.looks[len(due.looks) if due else 0] if is_growing else 0
    yield from unfinished_blocks(comparison, planned, next_look)
