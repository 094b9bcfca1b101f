"""Finished trials that an ablation and the noise study of its baseline share are trained once."""

import shutil
from collections.abc import Sequence

from audiocls.atomic import beside_of
from audiocls.store.record import Cell, Study
from audiocls.store.request import NOISE_ENDING
from audiocls.store.study import StudyFolder


def noise_study(ablation: str) -> str:
    """Return the name of the study in which the noise of an ablation's baseline is measured.

    It is one of its own: seeds and folds that only the baseline has must not enter the ablation's
    plan, where the other arms would count as missing there.
    """
    return ablation + NOISE_ENDING


def paired_study(study: Study, folder: StudyFolder) -> StudyFolder | None:
    """Return the study beside `folder` that may have trained some of the same trials.

    An ablation is paired with the noise study of its baseline, if one was launched, and that with
    the ablation.
    """
    if study.kind == "noise":
        other, kind = StudyFolder(folder.path.with_name(study.of)), "ablation"
    else:
        other, kind = StudyFolder(folder.path.with_name(noise_study(folder.name))), "noise"
    return other if other.kind() == kind else None


def copy_finished(cells: Sequence[Cell], lender: StudyFolder, folder: StudyFolder) -> int:
    """Copy into `folder` those of its trials that `lender` has finished; return how many.

    A copy and no link: either study may be deleted or sent elsewhere. A trial that was begun here
    is left alone.
    """
    num = 0
    for cell in cells if lender.path.exists() else ():
        here, there = folder.trial(cell.id), lender.trial(cell.id)
        if here.path.exists() or there.state() != "done":
            continue
        beside = beside_of(here.path)
        try:
            shutil.copytree(there.path, beside, ignore=shutil.ignore_patterns(".*"))
            beside.replace(here.path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        num += 1
    return num
