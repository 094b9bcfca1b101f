"""An evaluation as facts and tables, as JSON and as CSV."""

import csv
import io
from typing import TYPE_CHECKING, Any

from audiocls.formatting import NONE

if TYPE_CHECKING:
    from audiocls.training.evaluate import Evaluation

NUM_CONFUSED = 10
CLASS_COLUMNS = ("class", "clips", "recall", "precision", "F1", "AP")
CONFUSION_COLUMNS = ("true", "predicted", "clips")
CSV_COLUMNS = ("clip", "source", "label", "predicted", "probability")


def facts(evaluation: "Evaluation", name: str) -> dict[str, str]:
    """Return the metrics of the clips that are called `name`, with their number and interval."""
    num_sources = len(set(evaluation.sources))
    items = {"clips": f"{name}: {len(evaluation.clips)} from {num_sources} recordings"}
    if evaluation.skipped:
        names = ", ".join(f"{label} ({count})" for label, count in evaluation.skipped.items())
        items["skipped"] = f"labels unknown to the checkpoint: {names}"
    items |= {metric: f"{value:.4f}" for metric, value in evaluation.metrics().items()}
    interval = evaluation.accuracy_interval()
    if interval is not None:
        low, high = interval
        items["accuracy"] += f"  [{low:.4f}, {high:.4f}], 95 % over recordings"
    return items


def class_rows(evaluation: "Evaluation") -> list[tuple[str, ...]]:
    """Return a row of `CLASS_COLUMNS` per class with clips."""
    return [_class(row) for row in evaluation.per_class()]


def confusion_rows(evaluation: "Evaluation") -> list[tuple[str, str, str]]:
    """Return a row of `CONFUSION_COLUMNS` per confused pair, the most frequent first."""
    pairs = evaluation.most_confused(NUM_CONFUSED)
    return [(truth, predicted, str(count)) for truth, predicted, count in pairs]


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
