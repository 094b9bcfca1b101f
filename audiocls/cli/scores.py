"""An evaluation as one sees it: metrics, classes, confusions; as JSON, and as CSV."""

import csv
import io
from typing import TYPE_CHECKING, Any

from audiocls import console
from audiocls.formatting import NONE

if TYPE_CHECKING:
    from audiocls.training.evaluate import Evaluation

MOST_CONFUSED = 10
COLUMNS = ("class", "clips", "recall", "precision", "F1", "AP")
CSV_COLUMNS = ("clip", "source", "label", "predicted", "probability")


def show(found: "Evaluation", name: str) -> None:
    """Metrics with what they rest on, then a table of classes, then the confusions."""
    num_sources = len(set(found.sources))
    facts = {"clips": f"{name}: {len(found.clips)} from {num_sources} recordings"}
    if found.left_out:
        names = ", ".join(f"{label} ({count})" for label, count in found.left_out.items())
        facts["left out"] = f"labels unknown to the checkpoint: {names}"
    facts |= {metric: f"{value:.4f}" for metric, value in found.metrics().items()}
    interval = found.accuracy_interval()
    if interval is not None:
        low, high = interval
        facts["accuracy"] += f"  [{low:.4f}, {high:.4f}], 95 % over recordings"
    console.show_facts(facts)
    console.show_table(
        "Classes", COLUMNS, [_class(row) for row in found.per_class()], COLUMNS[:1], COLUMNS[:1:-1]
    )
    pairs = found.most_confused(MOST_CONFUSED)
    if pairs:
        rows = [(truth, guess, str(count)) for truth, guess, count in pairs]
        console.show_table("Most confused", ("is", "heard as", "clips"), rows, ("is", "heard as"))


def to_json(found: "Evaluation") -> dict[str, Any]:
    """Everything, the whole confusion matrix included: rows are true, columns predicted."""
    return {
        "num_clips": len(found.clips),
        "num_sources": len(set(found.sources)),
        "left_out": found.left_out,
        "metrics": found.metrics(),
        "accuracy_interval": found.accuracy_interval(),
        "classes": found.per_class(),
        "labels": list(found.labels),
        "confusion": found.confusion(),
    }


def to_csv(found: "Evaluation") -> str:
    """A row a clip."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    rows.writerows((*names, f"{probability:.6f}") for *names, probability in found.rows())
    return text.getvalue()


def _class(row: dict[str, Any]) -> tuple[str, ...]:
    shares = (row["recall"], row["precision"], row["f1"], row["average_precision"])
    numbers = (NONE if value is None else f"{value:.3f}" for value in shares)
    return row["label"], str(row["support"]), *numbers
