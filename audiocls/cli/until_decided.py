"""`--until-decided`: a study that grows look by look, and what may become of one that did not."""

from collections.abc import Callable
from dataclasses import replace

from audiocls.analysis import compare
from audiocls.analysis.interim import with_next_look
from audiocls.errors import UsageError
from audiocls.store import Study, StudyFolder, extended, is_same_question
from audiocls.studies.resolve import Resolved

ANSWERS = ("better", "worse", "equivalent", "no_evidence")
"""Verdicts that only enough pairs can have."""


def growing(found: Resolved, num_own: int) -> Resolved:
    """`found` as all that may be trained, its first look at the first blocks of it."""
    study = replace(found.study, looks=(num_own,), max_pairs=len(found.study.blocks))
    return replace(found, study=study)


def next_look_fn(folder: StudyFolder, whole: Study) -> Callable[[Study], Study | None]:
    """From a study to the same with its next look, by what the folder has recorded."""
    return lambda study: with_next_look(study, compare(study, folder.records(study.cells)), whole)


def checked(found: Resolved, folder: StudyFolder) -> Resolved:
    """`found`, with a note if it grows after an answer could be read.

    Raises `UsageError` if it is to be decided look by look although it was answered at full level:
    every further look would be a second chance.
    """
    if not folder.exists() or folder.is_sweep():
        return found
    before, now = folder.study(), found.study
    num_before, num_after = (len(study.blocks) for study in (before, extended(before, now)))
    is_more = num_after > num_before or now.looks
    if before.looks or not is_more or not is_same_question(before, now):
        return found
    if not _has_answer(before, folder):
        return found
    if now.looks:
        raise UsageError(
            f"study {folder.name!r} was answered with {num_before} pairs at its full level "
            f"(α = {before.alpha:g}): to look on now would be a second chance. Ask anew on seeds "
            f"that it has not seen, such as: --study {folder.name}-2 --seeds {_fresh(before)} "
            "--until-decided"
        )
    note = (
        f"Grown from {num_before} to {num_after} pairs after an answer could be read: the p values "
        "do not account for that (--until-decided would)."
    )
    study = replace(now, notes=(*now.notes, note))
    return replace(found, study=study, notes=(*found.notes, note))


def _has_answer(study: Study, folder: StudyFolder) -> bool:
    records = folder.records(study.cells)
    return bool(records) and any(a.verdict in ANSWERS for a in compare(study, records).compared)


def _fresh(study: Study) -> str:
    """As many seeds as the study has, after the last of them."""
    last = max(study.seeds)
    return f"{last + 1}..{last + len(study.seeds)}"
