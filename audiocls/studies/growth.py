"""Studies that grow: which additions keep their error rates, and the next look of one that grows.

`--until-decided` adds seeds by a rule whose errors hold at any time (`analysis/interim.py`); any
other addition after an answer could be read is noted, or refused.
"""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from audiocls.errors import UsageError
from audiocls.store import Study, StudyFolder, extended, is_same_question
from audiocls.studies.program_ablation import ProgramStudy
from audiocls.studies.request import relaunch_line
from audiocls.studies.resolve import Resolved
from audiocls.studies.sources.sequential import NextLook

R = TypeVar("R", bound=Resolved | ProgramStudy)
ANSWERS = ("better", "worse", "equivalent", "no_evidence")
"""Verdicts that only enough pairs can have."""


def with_first_look(resolved: R, num_planned: int, wanted: float | None) -> R:
    """Return all that may be trained, with a first look at its first `num_planned` blocks.

    `wanted` is the effect, in units of the metric, for which an arm is given up once it is out of
    sight.
    """
    study = resolved.study
    most = len(study.blocks)
    growing = replace(study, looks=(num_planned,), max_pairs=most, wanted_effect=wanted)
    return replace(resolved, study=growing)


def next_look_fn(folder: StudyFolder, whole: Study) -> NextLook:
    """Return the rule that adds a study's next look, by what the folder has recorded."""
    from audiocls.analysis.interim import with_next_look
    from audiocls.studies.reports import load_report

    def next_look(study: Study) -> Study | None:
        return with_next_look(study, load_report(folder, study).comparison, whole)

    return next_look


def check_growth(resolved: R, folder: StudyFolder) -> R:
    """Return `resolved`, with a note if it grows after an answer could be read.

    Raises `UsageError` if it is to be decided look by look although it was answered at full level:
    every further look would be optional stopping.
    """
    if not folder.exists() or folder.is_sweep():
        return resolved
    before, now = folder.study(), resolved.study
    num_before, num_after = (len(study.blocks) for study in (before, extended(before, now)))
    is_more = num_after > num_before or now.looks
    if before.looks or not is_more or not is_same_question(before, now):
        return resolved
    if not _has_answer(folder):
        return resolved
    if now.looks:
        raise UsageError(
            f"study {folder.name!r} was answered with {num_before} pairs at its full level "
            f"(α = {before.alpha:g}): to add seeds now would be optional stopping. Start a new "
            f"study on fresh seeds, such as: --study {shlex.quote(folder.name + '-2')} "
            f"--seeds {_fresh(before)} --until-decided"
        )
    note = (
        f"Grown from {num_before} to {num_after} pairs after an answer could be read: the p values "
        "do not account for that (--until-decided would)."
    )
    study = replace(now, notes=(*now.notes, note))
    return replace(resolved, study=study, notes=(*resolved.notes, note))


def check_can_extend(before: Study, now: Study, runs: Path | None = None) -> None:
    """Raise `UsageError` if the new plan does not continue the study's interim analyses."""
    if not is_same_question(before, now):
        return
    resume = relaunch_line(before, runs)
    if before.looks and not now.looks and not _places(now) <= _places(before):
        raise UsageError(
            f"study {before.name!r} grows by itself until it is decided, and by nothing else: "
            f"resume it with `{resume}`, or keep both plans with --study NAME"
        )
    if before.looks and now.looks and _places(now) != _places(before, before.looks[0]):
        raise UsageError(
            f"study {before.name!r} had its first look at other cells (it has "
            f"{before.looks[0]} blocks and {len(before.arms)} arms there): resume it with "
            f"`{resume}`, or start a new study with --study NAME"
        )
    if now.looks and not before.looks and not _places(before) <= _places(now):
        raise UsageError(
            f"study {before.name!r} has cells outside what is requested now: --until-decided takes "
            "all of a study into its first look; ask for them too, or choose another --study NAME"
        )


def _places(study: Study, num_blocks: int | None = None) -> set[tuple[str, int, int]]:
    """Return arm, seed and fold of all cells, or of those on the first blocks."""
    first = set(study.blocks[:num_blocks])
    return {(cell.arm, *cell.block) for cell in study.cells if cell.block in first}


def _has_answer(folder: StudyFolder) -> bool:
    if not folder.records(folder.study().cells):
        return False
    from audiocls.studies.reports import load_report

    return any(arm.verdict in ANSWERS for arm in load_report(folder).comparison.compared)


def _fresh(study: Study) -> str:
    """Return as many seeds as the study has, after the last of them."""
    last = max(study.seeds)
    return f"{last + 1}..{last + len(study.seeds)}"
