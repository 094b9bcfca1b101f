"""Finished trials that an ablation and the noise study of its baseline share are trained once."""

import os
import shutil
from collections.abc import Sequence

from audiocls.store.record import Cell
from audiocls.store.study import StudyFolder

NOISE = "-noise"


def noise_study(ablation: str) -> str:
    """The study in which the noise of an ablation's baseline is measured.

    It is one of its own, for seeds and folds that only the baseline has must not enter the
    ablation's plan: its other arms would count as missing there.
    """
    return ablation + NOISE


def paired_study_name(study: str) -> str:
    """The study that may have trained some of the same trials.

    >>> paired_study_name("dropout"), paired_study_name("dropout-noise")
    ('dropout-noise', 'dropout')
    """
    return study.removesuffix(NOISE) if study.endswith(NOISE) else noise_study(study)


def copy_finished(cells: Sequence[Cell], lender: StudyFolder, folder: StudyFolder) -> int:
    """Copy into `folder` those of its trials that `lender` has finished; how many they were.

    A copy and no link: either study may be deleted or sent elsewhere. A trial that was begun here
    is left alone.
    """
    num = 0
    for cell in cells if lender.path.exists() else ():
        here, there = folder.trial(cell.id), lender.trial(cell.id)
        if here.path.exists() or there.state() != "done":
            continue
        beside = here.path.with_name(f".{cell.id}.{os.getpid()}.tmp")
        try:
            shutil.copytree(there.path, beside, ignore=shutil.ignore_patterns(".*"))
            beside.replace(here.path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        num += 1
    return num
