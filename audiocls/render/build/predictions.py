"""Predictions as text, CSV or JSON, file by file."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiocls.errors import UsageError
from audiocls.formatting import NONE

if TYPE_CHECKING:
    from audiocls.training.predict import Prediction, Predictor, Window

THRESHOLD = 0.5
"""Smallest probability of a label that is shown, if a file may have several."""
COLUMNS = ("file", "start_s", "end_s", "rank", "label", "probability")


@dataclass(frozen=True)
class LabelSelection:
    """Which labels of a prediction are shown."""

    most: int
    """Labels per span, 1 or more."""
    least: float
    """Smallest probability, in [0, 1]."""
    by_window: bool
    """Whether a span is a window; else it is the whole file."""

    def spans(self, prediction: "Prediction") -> "Iterable[Window]":
        """Return the spans that are shown of a file."""
        return prediction.windows if self.by_window else (prediction.whole,)

    def labels(self, window: "Window") -> list[tuple[str, float]]:
        """Return the labels and probabilities that are shown of a span, the likeliest first."""
        return window.likeliest(self.most, self.least)


def label_selection(
    predictor: "Predictor", top: int | None, threshold: float | None, by_window: bool
) -> LabelSelection:
    """Return the likeliest label of each span, or all above a threshold if there may be several.

    Args:
        top: labels per span; default: 1, or all if a clip may have several.
        threshold: smallest probability; default: `THRESHOLD` if a clip may have several.

    Raises:
        UsageError: a threshold for a checkpoint that gives every clip one label.
    """
    if predictor.is_multi_label:
        least = THRESHOLD if threshold is None else threshold
        return LabelSelection(top or len(predictor.labels), least, by_window)
    if threshold is not None:
        raise UsageError(
            "--threshold: this checkpoint gives every clip one label, so a threshold has no "
            "effect; for the likeliest few: --top 3"
        )
    return LabelSelection(top or 1, 0.0, by_window)


Render = Callable[[Iterable["Prediction"], LabelSelection], Iterator[str]]
"""Predictions → lines, each as soon as it is known."""


def as_text(predictions: "Iterable[Prediction]", selection: LabelSelection) -> Iterator[str]:
    """Yield `file, [span,] label, probability[, label, probability …]`, separated by tabs."""
    for prediction in predictions:
        for window in selection.spans(prediction):
            cells = [str(prediction.file)]
            if selection.by_window:
                cells.append(f"{window.start_s:.2f}{NONE}{window.end_s:.2f} s")
            for label, probability in selection.labels(window):
                cells += [label, f"{probability:.3f}"]
            yield "\t".join(cells if selection.labels(window) else [*cells, NONE])


def as_csv(predictions: "Iterable[Prediction]", selection: LabelSelection) -> Iterator[str]:
    """Yield a row per label shown; a span without one has a row with an empty label."""
    yield _row(COLUMNS)
    for prediction in predictions:
        for window in selection.spans(prediction):
            span = (str(prediction.file), f"{window.start_s:.6g}", f"{window.end_s:.6g}")
            labels = selection.labels(window)
            for rank, (label, probability) in enumerate(labels, start=1):
                yield _row((*span, str(rank), label, f"{probability:.6f}"))
            if not labels:
                yield _row((*span, "", "", ""))


def as_json(predictions: "Iterable[Prediction]", selection: LabelSelection) -> Iterator[str]:
    """Yield one list, with every label's probability of each file."""
    yield json.dumps([_facts(each, selection) for each in predictions], indent=1, allow_nan=False)


FORMATS: dict[str, Render] = {"text": as_text, "csv": as_csv, "json": as_json}


def _facts(prediction: "Prediction", selection: LabelSelection) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "file": str(prediction.file),
        "label": prediction.label,
        "probability": prediction.probability,
        "labels": _labels(prediction.whole, selection),
        "probabilities": prediction.probabilities,
    }
    if selection.by_window:
        facts["windows"] = [
            {"start_s": w.start_s, "end_s": w.end_s, "labels": _labels(w, selection)}
            for w in prediction.windows
        ]
    return facts


def _labels(window: "Window", selection: LabelSelection) -> list[dict[str, Any]]:
    return [{"label": label, "probability": p} for label, p in selection.labels(window)]


def _row(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
