"""An evaluation as a document: metrics, classes and the most confused pairs; and as CSV."""

import csv
import io
from typing import TYPE_CHECKING, Any

from audiocls.formatting import NONE
from audiocls.render.document import Block, Document, Facts, Section
from audiocls.render.table import Column, Table

if TYPE_CHECKING:
    from audiocls.training.evaluate import Evaluation

NUM_CONFUSED = 10
"""Pairs of classes shown as the most confused."""
CLASS_COLUMNS = (
    Column("class", "name"),
    Column("clips"),
    *(Column(name, drop=4 - i) for i, name in enumerate(("recall", "precision", "F1", "AP"))),
)
CONFUSION_COLUMNS = (Column("true", "name"), Column("predicted", "name"), Column("clips"))
CSV_COLUMNS = ("clip", "source", "label", "predicted", "probability")


def scores(evaluation: "Evaluation", clips: str) -> Document:
    """Return the document of an evaluation on clips that are described as `clips`."""
    rows = tuple(_class(row) for row in evaluation.per_class())
    pairs = evaluation.most_confused(NUM_CONFUSED)
    confused = tuple((truth, predicted, str(count)) for truth, predicted, count in pairs)
    blocks: tuple[Block, ...] = (
        Facts(tuple(_facts(evaluation, clips).items())),
        Section("Classes", (Table(CLASS_COLUMNS, rows, label="classes"),)),
        *(
            (Section("Most confused", (Table(CONFUSION_COLUMNS, confused, label="confused"),)),)
            if confused
            else ()
        ),
    )
    return Document(clips, blocks, lambda: {"clips": clips, **to_json(evaluation)})


def _facts(evaluation: "Evaluation", clips: str) -> dict[str, str]:
    num_sources = len(set(evaluation.sources))
    items = {"clips": f"{clips}: {len(evaluation.clips)} from {num_sources} recordings"}
    if evaluation.skipped:
        names = ", ".join(f"{label} ({count})" for label, count in evaluation.skipped.items())
        items["skipped"] = f"labels unknown to the checkpoint: {names}"
    items |= {metric: f"{value:.4f}" for metric, value in evaluation.metrics().items()}
    interval = evaluation.accuracy_interval()
    if interval is not None:
        low, high = interval
        items["accuracy"] += f"  [{low:.4f}, {high:.4f}], 95 % over recordings"
    return items


def to_json(evaluation: "Evaluation") -> dict[str, Any]:
    """Return everything, the whole confusion matrix included: rows are true, columns predicted."""
    return {
        "num_clips": len(evaluation.clips),
        "num_sources": len(set(evaluation.sources)),
        "left_out": evaluation.skipped,
        "metrics": evaluation.metrics(),
        "accuracy_interval": evaluation.accuracy_interval(),
        "classes": evaluation.per_class(),
        "labels": list(evaluation.labels),
        "confusion": evaluation.confusion(),
    }


def to_csv(evaluation: "Evaluation") -> str:
    """Return a row of `CSV_COLUMNS` per clip."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    rows.writerows((*names, f"{probability:.6f}") for *names, probability in evaluation.rows())
    return text.getvalue()


def _class(row: dict[str, Any]) -> tuple[str, ...]:
    shares = (row["recall"], row["precision"], row["f1"], row["average_precision"])
    numbers = (NONE if value is None else f"{value:.3f}" for value in shares)
    return row["label"], str(row["support"]), *numbers
