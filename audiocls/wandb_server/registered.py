"""A launched study as the sweep that it is, or could be, on a W&B server."""

import itertools
import shlex
from typing import Any

from audiocls.design.register import grid_sweep
from audiocls.store import Study, StudyFolder
from audiocls.studies.tuning.study import DESIGN as TUNING


def sweep_of(folder: StudyFolder) -> dict[str, Any] | None:
    """What a study is registered as: a sweep as it was launched, an ablation as its own grid."""
    return folder.sweep_study().sweep if folder.is_sweep() else grid_of(folder.study())


def grid_of(study: Study) -> dict[str, Any] | None:
    """A launched ablation as a sweep with the study's own arms, seeds and folds.

    `None` for a study that `audiocls train --ablation` could not go on with: a single trial, an
    imported one, one with another recipe than its ablation's, one whose arms are tuned first.
    """
    words = shlex.split(study.command)
    is_ours = words[:3] == ["audiocls", "sweep", "launch"] and "--recipe" not in words
    if not is_ours or study.tuning is not None or study.design == TUNING:
        return None
    overrides = [value for flag, value in itertools.pairwise(words) if flag == "--set"]
    return grid_sweep(
        name=study.name,
        question=study.question,
        metric={"name": study.metric, "goal": study.goal},
        cells={
            "arm": list(study.arms),
            "seed": study.seeds,
            "fold": study.folds,
        },
        words=["--ablation", words[3], *overrides],
    )
