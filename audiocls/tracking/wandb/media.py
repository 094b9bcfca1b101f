"""Breakdowns and models as W&B shows them: tables, a chart, sounds, an artifact."""

from pathlib import Path
from typing import Any

import wandb

from audiocls.tracking.breakdown import ClassScore, MisclassifiedClip, ScoreBreakdown

CHART = "wandb/confusion_matrix/v1"
"""W&B's own, drawn from the three columns below."""
CONFUSED = ("Actual", "Predicted", "nPredictions")


def media_of(evidence: ScoreBreakdown) -> dict[str, Any]:
    """Return the breakdown as one row of a run's history.

    Sounds are a list and not a column: each table is an artifact, which costs a dozen requests.
    """
    media: dict[str, Any] = {
        "test/classes": wandb.Table(
            ["class", "precision", "recall", "f1", "support"], [*map(_class_row, evidence.classes)]
        )
    }
    if evidence.misclassified:
        media["test/misheard"] = [
            _sound(clip, evidence.sample_rate) for clip in evidence.misclassified
        ]
    if evidence.confusion is not None:
        table = wandb.Table(list(CONFUSED), [list(row) for row in evidence.confused()])
        titles = {"title": "Test clips by true and predicted class"}
        media["test/confusion"] = wandb.plot_table(CHART, table, {k: k for k in CONFUSED}, titles)
    return media


def model_of(checkpoint: Path, run_id: str) -> wandb.Artifact:
    """Return an artifact of the checkpoint's two files, which are not copied."""
    artifact = wandb.Artifact(f"model-{run_id}", "model")
    for file in (checkpoint, checkpoint.with_suffix(".json")):
        artifact.add_file(str(file), policy="immutable", skip_cache=True)
    return artifact


def _class_row(row: ClassScore) -> list[Any]:
    return [row.label, row.precision, row.recall, row.f1, row.support]


def _sound(clip: MisclassifiedClip, sample_rate: int) -> wandb.Audio:
    caption = f"{clip.clip}: {clip.truth} predicted as {clip.predicted} ({clip.probability:.2f})"
    return wandb.Audio(clip.wave, sample_rate=sample_rate, caption=caption)
