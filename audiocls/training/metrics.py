"""Metrics of scored clips, by torchmetrics (imported when first needed: it costs 0.9 s).

One rule for classes that the targets lack: a class without a positive clip takes no part in any
mean over classes (nor, in `auroc`, one without a negative clip), and a metric for which no class is
left is left out of the answer. Nothing warns, nothing is NaN, nothing is counted as 0 instead.

Every per-class metric is of one class against the rest, for exclusive classes and for multi-label
targets alike. What is decided for a clip is its likeliest class, or, in multi-label, every class
of probability above one half.

Legend: N clips, K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassRow:
    """One class against the rest; what has no value there is None.

    Without a positive clip neither recall, F1 nor average precision has one, and precision has
    none where no clip was taken for the class.
    """

    label: int
    support: int
    recall: float | None
    precision: float | None
    f1: float | None
    average_precision: float | None


@dataclass(frozen=True)
class _Judged:
    """Logits (N, K) beside what is true and what was decided, both (N, K) of 0 and 1."""

    logits: Tensor
    targets: Tensor
    is_multi_label: bool

    @cached_property
    def truth(self) -> Tensor:
        if self.is_multi_label:
            return (self.targets > 0.5).long()
        return F.one_hot(self.targets, self.logits.shape[1])

    @cached_property
    def decided(self) -> Tensor:
        if self.is_multi_label:
            return (self.logits > 0).long()
        return F.one_hot(self.logits.argmax(1), self.logits.shape[1])

    @cached_property
    def probabilities(self) -> Tensor:
        """In double precision: rounding to 1 would tie clips that the logits tell apart."""
        logits = self.logits.double()
        return logits.sigmoid() if self.is_multi_label else logits.softmax(1)

    @cached_property
    def support(self) -> Tensor:
        return self.truth.sum(0)

    @cached_property
    def counts(self) -> tuple[Tensor, Tensor, Tensor]:
        """True positives, false positives and false negatives of each class, each (K,)."""
        both = (self.decided * self.truth).sum(0).double()
        return both, self.decided.sum(0) - both, self.support - both


def _accuracy(judged: _Judged) -> float:
    return float((judged.logits.argmax(1) == judged.targets).double().mean())


def _balanced_accuracy(judged: _Judged) -> float | None:
    return _mean(_recall(judged))


def _macro_f1(judged: _Judged) -> float | None:
    return _mean(_f1(judged))


def _map(judged: _Judged) -> float | None:
    return _mean(_average_precision(judged))


def _auroc(judged: _Judged) -> float | None:
    from torchmetrics.functional.classification import binary_auroc

    has_both = (judged.support > 0) & (judged.support < len(judged.truth))
    return _mean(_of_classes(binary_auroc, judged, has_both))


def _calibration_error(judged: _Judged) -> float:
    from torchmetrics.functional.classification import multiclass_calibration_error

    error = multiclass_calibration_error(
        judged.probabilities,
        judged.targets,
        num_classes=judged.logits.shape[1],
        n_bins=CALIBRATION_BINS,
    )
    return float(error)


Metric = Callable[[_Judged], float | None]

MULTI_LABEL: dict[str, Metric] = {"macro_f1": _macro_f1, "map": _map, "auroc": _auroc}
"""No accuracy among them: to have all of 527 labels right measures nothing, and to count each of
527 decisions alike rewards a model that always says no."""

SINGLE_LABEL: dict[str, Metric] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    **MULTI_LABEL,
    "calibration_error": _calibration_error,
}


def scalars(logits: Tensor, targets: Tensor, is_multi_label: bool = False) -> dict[str, float]:
    """Every metric that has a value, each in 0 … 1; all but `calibration_error` better if greater.

    `accuracy` share of clips whose likeliest class is right; `balanced_accuracy` mean recall;
    `macro_f1` mean F1; `map` mean average precision; `auroc` mean area under the ROC curve;
    `calibration_error` |confidence - accuracy| over 15 bins of confidence (Guo et al., 2017).
    Multi-label has `macro_f1`, `map` and `auroc`.

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
    """Only the metrics named, those of them that have a value; plain accuracy imports nothing.

    Shape: logits (N, K), targets (N,) int64, or (N, K) of 0 and 1 where `is_multi_label`

    >>> validation(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    {'accuracy': 0.5}
    """
    metrics = MULTI_LABEL if is_multi_label else SINGLE_LABEL
    judged = _Judged(logits, targets, is_multi_label)
    values = {name: metrics[name](judged) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def confusion(logits: Tensor, labels: Tensor) -> Tensor:
    """How many clips of each class (row) were taken for each class (column).

    Shape: logits (N, K), labels (N,) int64 → (K, K) int64

    >>> confusion(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1])).tolist()
    [[0, 0], [1, 1]]
    """
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    return multiclass_confusion_matrix(logits.argmax(1), labels, logits.shape[1])


def per_class(logits: Tensor, targets: Tensor, is_multi_label: bool = False) -> list[ClassRow]:
    """A row a class, in the order of the classes; the means over them are those of `scalars`.

    Shape: logits (N, K), targets (N,) int64, or (N, K) of 0 and 1 where `is_multi_label`

    >>> per_class(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))[1].precision
    1.0
    """
    judged = _Judged(logits, targets, is_multi_label)
    columns = zip(
        judged.support.tolist(),
        _optional(_recall(judged)),
        _optional(_precision(judged)),
        _optional(_f1(judged)),
        _optional(_average_precision(judged)),
        strict=True,
    )
    return [ClassRow(label, *column) for label, column in enumerate(columns)]


# Per class, (K,) in double precision; NaN marks, inside this file only, what has no value.


def _recall(judged: _Judged) -> Tensor:
    true_positives, _, false_negatives = judged.counts
    return true_positives / (true_positives + false_negatives)


def _precision(judged: _Judged) -> Tensor:
    true_positives, false_positives, _ = judged.counts
    return true_positives / (true_positives + false_positives)


def _f1(judged: _Judged) -> Tensor:
    true_positives, false_positives, false_negatives = judged.counts
    f1 = 2 * true_positives / (2 * true_positives + false_positives + false_negatives)
    return f1.where(judged.support > 0, torch.nan)


def _average_precision(judged: _Judged) -> Tensor:
    from torchmetrics.functional.classification import binary_average_precision

    return _of_classes(binary_average_precision, judged, judged.support > 0)


def _of_classes(metric: Callable[..., Tensor], judged: _Judged, has_value: Tensor) -> Tensor:
    """A metric of the ranking by probability, asked only of the classes that have a value."""
    values = torch.full_like(judged.probabilities[0], torch.nan)
    for k in has_value.nonzero().flatten().tolist():
        values[k] = metric(judged.probabilities[:, k], judged.truth[:, k])
    return values


def _mean(values: Tensor) -> float | None:
    known = values[~values.isnan()]
    return float(known.mean()) if len(known) else None


def _optional(values: Tensor) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
