"""What may be said of a study that is not through: effects and their precision, no verdict.

Whoever watches verdicts come and go stops at the one that pleases, and its errors are no longer
those that were promised; the correction, too, is over all arms. So verdicts are due when all
planned pairs are in, or at a look that the study's level pays for (`interim`). One rule for
`report`, `report --watch` and the live page (`studies/reports.py: judged`).
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace

from audiocls.analysis.family import AnyEstimate
from audiocls.analysis.interim import study_at_look
from audiocls.analysis.results import Comparison
from audiocls.store.record import Study


@dataclass(frozen=True)
class SoFar:
    """What may be shown of trials whose verdicts are not due."""

    comparison: Comparison
    """Of the pairs so far, withheld."""
    planned: Mapping[str, int]
    """Arm → its pairs when all are in."""
    next_look: int = 0
    """Pairs at the look that is awaited, of a study that grows; else 0."""


def due_part(study: Study, unfinished: Set[str]) -> Study | None:
    """Return the part of a study whose verdicts are due, or `None` where none are.

    `unfinished` are the ids of trials that wait or run. Of a study that grows until it is decided,
    the part ends with the last look that is complete.
    """
    if not study.looks:
        return study if unfinished.isdisjoint(cell.id for cell in study.cells) else None
    for number in range(len(study.looks), 0, -1):
        part = study_at_look(study, number)
        if not any(cell.id in unfinished for cell in part.cells):
            return part
    return None


def of_pairs_so_far(study: Study) -> Study:
    """Return the study as it is compared before its pairs are in: those missing are left out.

    Only differences and their intervals may be shown of that comparison. The intervals of a growing
    study hold at any time, and count as those of one look at all that there is.
    """
    looks = (len(study.blocks),) if study.looks else ()
    return replace(
        study, max_missing=len(study.cells), looks=looks, secondary=(), factors={}, notes=()
    )


def withheld(comparison: Comparison) -> Comparison:
    """Return the comparison of the pairs so far without its verdicts, and all that tells them."""
    return replace(comparison, arms=tuple(map(_withheld, comparison.arms)))


def _withheld(estimate: AnyEstimate) -> AnyEstimate:
    if estimate.verdict in ("baseline", "not_comparable"):
        return estimate
    return replace(
        estimate,
        verdict="not_due",
        reason="",
        p_units=None,
        p_replicates=None,
        p_holm=None,
        p_equivalence=None,
        simultaneous_low=None,
        simultaneous_high=None,
    )
