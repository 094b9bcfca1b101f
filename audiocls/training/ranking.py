"""How well scores rank the clips of one class, and how far confidences can be trusted.

The order of sums, and float32 for what is counted, are torchmetrics' own, so that numbers are the
same to the bit (a test). Its import would bring torchvision and transformers into every process
where they are installed: 3.5 s of CPU time.

Legend: N clips, H distinct scores, K classes.
"""

import torch
from torch import Tensor


def average_precision(scores: Tensor, truth: Tensor) -> Tensor:
    """Return the mean precision over recall, of tied clips together; truth has a positive clip.

    Shape: scores (N,) float, truth (N,) int64 of 0 and 1 → () float32

    >>> average_precision(torch.tensor([0.9, 0.8, 0.1]), torch.tensor([1, 0, 1]))
    tensor(0.8333)
    """
    hits, wrong = _counts(scores, truth)
    recall = hits / hits[-1]
    gained = torch.diff(recall, prepend=recall.new_zeros(1))
    # From the lowest score on: in float32 another order would be another sum.
    return (gained * (hits / (hits + wrong))).flip(0).sum()


def area_under_roc(scores: Tensor, truth: Tensor) -> Tensor:
    """Return the chance that a positive clip outranks a negative one, ties half; truth has both.

    Shape: scores (N,) float, truth (N,) int64 of 0 and 1 → () float32

    >>> area_under_roc(torch.tensor([0.9, 0.8, 0.1]), torch.tensor([1, 0, 1]))
    tensor(0.5000)
    """
    rates = [torch.cat([n.new_zeros(1), n]) / n[-1] for n in _counts(scores, truth)]
    return torch.trapezoid(rates[0], rates[1])


def calibration_error(probabilities: Tensor, labels: Tensor, num_bins: int) -> Tensor:
    """Return |confidence - accuracy| over bins of confidence (Guo et al., 2017), in float32.

    Shape: probabilities (N, K), labels (N,) int64 → ()

    >>> calibration_error(torch.tensor([[0.75, 0.25]]), torch.tensor([0]), 15)
    tensor(0.2500)
    """
    confidence, predicted = probabilities.max(1)
    confidence, is_right = confidence.float(), (predicted == labels).float()
    edges = torch.linspace(0, 1, num_bins + 1)
    bins = torch.bucketize(confidence, edges, right=True) - 1
    count, confidence_sum, right_sum = (
        torch.zeros(num_bins + 1).scatter_add_(0, bins, values)
        for values in (torch.ones_like(confidence), confidence, is_right)
    )
    gap = (right_sum / count).nan_to_num() - (confidence_sum / count).nan_to_num()
    return (gap.abs() * (count / count.sum())).sum()


def _counts(scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return true and false positives at each distinct score, the highest first. Shape: → (H,)"""
    order = scores.argsort(descending=True)
    ranked = scores[order]
    is_last = torch.cat([ranked[1:] != ranked[:-1], torch.ones(1, dtype=torch.bool)])
    last = is_last.nonzero().flatten()
    hits = truth[order].cumsum(0)[last]
    return hits, 1 + last - hits
