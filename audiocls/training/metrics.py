"""Metrics of scored clips.

One rule for classes without clips: a class without a positive clip takes no part in any mean over
classes (nor, in `auroc`, one without a negative clip), and a metric for which no class remains is
omitted from the result. Nothing warns, nothing is NaN, nothing is counted as 0 instead.

Every per-class metric is of one class against the rest, for exclusive classes and for multi-label
targets alike. The prediction for a clip is its likeliest class, or, in multi-label, every class of
probability above one half.

Legend: N clips, K classes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from audiocls.training.ranking import area_under_roc, average_precision, calibration_error

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassRow:
    """One class against the rest; metrics are in 0 … 1, or None where they are undefined.

    Recall, F1 and average precision are undefined without a positive clip, precision without a
    clip that is predicted as the class.
    """

    label: int
    """Class number."""
    support: int
    """Clips of the class."""
    recall: float | None
    precision: float | None
    f1: float | None
    average_precision: float | None


@dataclass(frozen=True)
class _Scored:
    """Logits (N, K) beside the truth and the predictions, both (N, K) of 0 and 1."""

    logits: Tensor
    targets: Tensor
    is_multi_label: bool

    @cached_property
    def truth(self) -> Tensor:
        """1 for each true class. Shape: (N, K) int64"""
        if self.is_multi_label:
            return (self.targets > 0.5).long()
        return F.one_hot(self.targets, self.logits.shape[1])

    @cached_property
    def predicted(self) -> Tensor:
        """1 for each predicted class. Shape: (N, K) int64"""
        if self.is_multi_label:
            return (self.logits > 0).long()  # probability above one half
        return F.one_hot(self.logits.argmax(1), self.logits.shape[1])

    @cached_property
    def probabilities(self) -> Tensor:
        """Probability of each class. Shape: (N, K) float64"""
        # In double precision: rounding to 1 would tie clips whose logits differ.
        logits = self.logits.double()
        return logits.sigmoid() if self.is_multi_label else logits.softmax(1)

    @cached_property
    def support(self) -> Tensor:
        """Clips of each class. Shape: (K,)"""
        return self.truth.sum(0)

    @cached_property
    def counts(self) -> tuple[Tensor, Tensor, Tensor]:
        """True positives, false positives and false negatives of each class. Shape: each (K,)"""
        both = (self.predicted * self.truth).sum(0).double()
        return both, self.predicted.sum(0) - both, self.support - both


def _accuracy(scored: _Scored) -> float:
    return float((scored.logits.argmax(1) == scored.targets).double().mean())


def _balanced_accuracy(scored: _Scored) -> float | None:
    return _mean(_recall(scored))


def _macro_f1(scored: _Scored) -> float | None:
    return _mean(_f1(scored))


def _map(scored: _Scored) -> float | None:
    return _mean(_average_precision(scored))


def _auroc(scored: _Scored) -> float | None:
    has_both = (scored.support > 0) & (scored.support < len(scored.truth))
    return _mean(_of_classes(area_under_roc, scored, has_both))


def _d_prime(scored: _Scored) -> float | None:
    """Return √2 · Φ⁻¹(mean area under the ROC curve); none where it is infinite."""
    area = _auroc(scored)
    if area is None or not 0 < area < 1:
        return None
    return float(math.sqrt(2) * torch.special.ndtri(torch.tensor(area, dtype=torch.float64)))


def _calibration_error(scored: _Scored) -> float:
    return float(calibration_error(scored.probabilities, scored.targets, CALIBRATION_BINS))


Metric = Callable[[_Scored], float | None]

COMMON: dict[str, Metric] = {"macro_f1": _macro_f1, "map": _map, "auroc": _auroc}
MULTI_LABEL: dict[str, Metric] = {**COMMON, "d_prime": _d_prime}
"""No accuracy among them: to have all of 527 labels right measures nothing, and to count each of
527 decisions alike rewards a model that never predicts a class."""

SINGLE_LABEL: dict[str, Metric] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    **COMMON,
    "calibration_error": _calibration_error,
}


def scalars(logits: Tensor, targets: Tensor, is_multi_label: bool = False) -> dict[str, float]:
    """Return every defined metric; greater is better, but for `calibration_error`.

    Each is in 0 … 1, but for `d_prime`, which has no bounds.

    `accuracy` share of clips whose likeliest class is right; `balanced_accuracy` mean recall;
    `macro_f1` mean F1; `map` mean average precision; `auroc` mean area under the ROC curve;
    `calibration_error` |confidence - accuracy| over 15 bins of confidence (Guo et al., 2017).
    Multi-label has `macro_f1`, `map`, `auroc` and `d_prime`: how far apart, in deviations, two
    normal distributions of scores lie that have this `auroc`, as AudioSet's papers tell it.

    Shape: logits (N, K), targets (N,) int64, or (N, K) of 0 and 1 where `is_multi_label`

    >>> scalars(torch.eye(3) * 100, torch.tensor([0, 1, 2]))["macro_f1"]
    1.0
    """
    names = tuple(MULTI_LABEL if is_multi_label else SINGLE_LABEL)
    return validation(logits, targets, is_multi_label, names)


def validation(
    logits: Tensor,
    targets: Tensor,
    is_multi_label: bool = False,
    names: Sequence[str] = ("accuracy",),
) -> dict[str, float]:
    """Return those of the metrics `names` that are defined.

    Shape: logits (N, K), targets (N,) int64, or (N, K) of 0 and 1 where `is_multi_label`

    >>> validation(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    {'accuracy': 0.5}
    """
    metrics = MULTI_LABEL if is_multi_label else SINGLE_LABEL
    scored = _Scored(logits, targets, is_multi_label)
    values = {name: metrics[name](scored) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def confusion(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the number of clips of each class (row) predicted as each class (column).

    Shape: logits (N, K), labels (N,) int64 → (K, K) int64

    >>> confusion(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1])).tolist()
    [[0, 0], [1, 1]]
    """
    num_classes = logits.shape[1]
    pairs = labels * num_classes + logits.argmax(1)
    return torch.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def per_class(logits: Tensor, targets: Tensor, is_multi_label: bool = False) -> list[ClassRow]:
    """Return a row per class, in the order of the classes; their means are those of `scalars`.

    Shape: logits (N, K), targets (N,) int64, or (N, K) of 0 and 1 where `is_multi_label`

    >>> per_class(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))[1].precision
    1.0
    """
    scored = _Scored(logits, targets, is_multi_label)
    columns = zip(
        scored.support.tolist(),
        _optional(_recall(scored)),
        _optional(_precision(scored)),
        _optional(_f1(scored)),
        _optional(_average_precision(scored)),
        strict=True,
    )
    return [ClassRow(label, *column) for label, column in enumerate(columns)]


# Inside this file only, NaN marks a class for which a metric is undefined.


def _recall(scored: _Scored) -> Tensor:
    """Return the recall of each class. Shape: → (K,) float64"""
    true_positives, _, false_negatives = scored.counts
    return true_positives / (true_positives + false_negatives)


def _precision(scored: _Scored) -> Tensor:
    """Return the precision of each class. Shape: → (K,) float64"""
    true_positives, false_positives, _ = scored.counts
    return true_positives / (true_positives + false_positives)


def _f1(scored: _Scored) -> Tensor:
    """Return the F1 of each class. Shape: → (K,) float64"""
    true_positives, false_positives, false_negatives = scored.counts
    f1 = 2 * true_positives / (2 * true_positives + false_positives + false_negatives)
    # Without a positive clip the formula would give 0 as soon as one is predicted.
    return f1.where(scored.support > 0, torch.nan)


def _average_precision(scored: _Scored) -> Tensor:
    """Return the average precision of each class. Shape: → (K,) float64"""
    return _of_classes(average_precision, scored, scored.support > 0)


def _of_classes(metric: Callable[..., Tensor], scored: _Scored, has_value: Tensor) -> Tensor:
    """Return a metric of the ranking by probability, for the classes where it is defined.

    Shape: has_value (K,) bool → (K,) float64
    """
    values = torch.full_like(scored.probabilities[0], torch.nan)
    for k in has_value.nonzero().flatten().tolist():
        values[k] = metric(scored.probabilities[:, k], scored.truth[:, k])
    return values


def _mean(values: Tensor) -> float | None:
    """Return the mean over classes of a defined value. Shape: values (K,)"""
    known = values[~values.isnan()]
    return float(known.mean()) if len(known) else None


def _optional(values: Tensor) -> list[float | None]:
    """Return values as numbers, None where undefined. Shape: values (K,)"""
    return [None if value != value else value for value in values.tolist()]
