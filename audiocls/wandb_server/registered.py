"""A launched study as the sweep that it is, or could be, on a W&B server."""

from typing import Any

from audiocls.design.register import grid_sweep
from audiocls.store import Study, StudyFolder


def sweep_of(folder: StudyFolder) -> dict[str, Any] | None:
    """Return what a study is registered as: a search as launched, an ablation as its own grid."""
    study = folder.study()
    return study.search.sweep if study.search is not None else grid_of(study)


def grid_of(study: Study) -> dict[str, Any] | None:
    """Return a launched ablation as a sweep with the study's own arms, seeds and folds.

    `None` for a study that `audiocls train --ablation` could not go on with: a single trial, an
    imported one, one with another recipe than its ablation's, one whose arms are tuned first.
    """
    asked = study.request
    if asked is None or asked.command != "sweep launch" or asked.recipe is not None:
        return None
    if study.kind != "ablation" or study.tuning is not None:
        return None
    return grid_sweep(
        name=study.name,
        question=study.question,
        metric={"name": study.metric, "goal": study.goal},
        cells={
            "arm": list(study.arms),
            "seed": study.seeds,
            "fold": study.folds,
        },
        words=["--ablation", asked.name, *asked.assignments],
    )
