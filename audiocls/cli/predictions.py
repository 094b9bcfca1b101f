"""Predictions as text, CSV or JSON."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiocls.formatting import NONE

if TYPE_CHECKING:
    from audiocls.training.predict import Prediction, Window

COLUMNS = ("file", "start_s", "end_s", "rank", "label", "probability")


@dataclass(frozen=True)
class Choice:
    """What to show of a prediction: at most `most` labels of at least `least`, by window or not."""

    most: int
    least: float
    by_window: bool

    def spans(self, prediction: "Prediction") -> "Iterable[Window]":
        return prediction.windows if self.by_window else (prediction.whole,)

    def labels(self, window: "Window") -> list[tuple[str, float]]:
        return window.likeliest(self.most, self.least)


Render = Callable[[Iterable["Prediction"], Choice], Iterator[str]]
"""Predictions → lines, as soon as there is something to say."""


def as_text(predictions: "Iterable[Prediction]", choice: Choice) -> Iterator[str]:
    """`file, [span,] label, probability[, label, probability …]`, separated by tabs."""
    for prediction in predictions:
        for window in choice.spans(prediction):
            cells = [str(prediction.file)]
            if choice.by_window:
                cells.append(f"{window.start_s:.2f}{NONE}{window.end_s:.2f} s")
            for label, probability in choice.labels(window):
                cells += [label, f"{probability:.3f}"]
            yield "\t".join(cells if choice.labels(window) else [*cells, NONE])


def as_csv(predictions: "Iterable[Prediction]", choice: Choice) -> Iterator[str]:
    """A row for each label shown; a span without one has a row with an empty label."""
    yield _row(COLUMNS)
    for prediction in predictions:
        for window in choice.spans(prediction):
            span = (str(prediction.file), f"{window.start_s:.6g}", f"{window.end_s:.6g}")
            labels = choice.labels(window)
            for rank, (label, probability) in enumerate(labels, start=1):
                yield _row((*span, str(rank), label, f"{probability:.6f}"))
            if not labels:
                yield _row((*span, "", "", ""))


def as_json(predictions: "Iterable[Prediction]", choice: Choice) -> Iterator[str]:
    """One list, with every label's probability of each file."""
    yield json.dumps([_facts(each, choice) for each in predictions], indent=1, allow_nan=False)


FORMATS: dict[str, Render] = {"text": as_text, "csv": as_csv, "json": as_json}


def _facts(prediction: "Prediction", choice: Choice) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "file": str(prediction.file),
        "label": prediction.label,
        "probability": prediction.probability,
        "labels": _labels(prediction.whole, choice),
        "probabilities": prediction.probabilities,
    }
    if choice.by_window:
        facts["windows"] = [
            {"start_s": w.start_s, "end_s": w.end_s, "labels": _labels(w, choice)}
            for w in prediction.windows
        ]
    return facts


def _labels(window: "Window", choice: Choice) -> list[dict[str, Any]]:
    return [{"label": label, "probability": p} for label, p in choice.labels(window)]


def _row(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
