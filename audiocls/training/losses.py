"""Losses: what a training step makes small, as a mean over the clips of the batch.

Legend: B batch, K classes, Q codebooks, V entries of a codebook, L frames.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from audiocls.audio.batches import soft_targets

Kind = Literal["cross_entropy", "bce", "focal"]


def loss_of(
    logits: Tensor,
    targets: Tensor,
    kind: Kind,
    label_smoothing: float = 0.0,
    focal_gamma: float = 2.0,
    is_multi_label: bool = False,
) -> Tensor:
    """The loss of a batch: one number, in nats a clip.

    `targets` are class numbers, or a share of each class: soft after mixing, 0 or 1 in multi-hot
    and union targets. `cross_entropy` reads the shares as one distribution, `bce` as K decisions
    whose losses are summed; `focal` does the former, or the latter where `is_multi_label`.
    Smoothing s turns a target t into (1 - s) t + s / K under every loss, so that all of them get
    the same targets. `focal_gamma` is of `focal` alone, `is_multi_label` likewise.

    Shape: logits (B, K), targets (B,) int64 or (B, K) float → ()

    >>> logits, labels = torch.zeros(2, 4), torch.tensor([3, 0])
    >>> [round(loss_of(logits, labels, kind).item(), 3) for kind in ("cross_entropy", "bce")]
    [1.386, 2.773]
    """
    if kind == "cross_entropy":
        return F.cross_entropy(logits, targets, label_smoothing=label_smoothing)
    shares = smoothed(soft_targets(targets, logits.shape[1]).to(logits.dtype), label_smoothing)
    if kind == "bce":
        losses = F.binary_cross_entropy_with_logits(logits, shares, reduction="none")
    elif is_multi_label:
        losses = _sigmoid_focal(logits, shares, focal_gamma)
    else:
        losses = _softmax_focal(logits, shares, focal_gamma)
    return losses.sum(1).mean()


def smoothed(shares: Tensor, label_smoothing: float) -> Tensor:
    """(1 - s) t + s / K, as cross-entropy does it (Szegedy et al., 2016, section 7).

    A clip of one class keeps a sum of 1; the K decisions of `bce` are so pulled towards "no", as
    their targets are, and not half-way to "yes", which would be far too much among 527 classes.

    Shape: (B, K) → (B, K)

    >>> smoothed(torch.tensor([[0.0, 1.0]]), 0.1)
    tensor([[0.0500, 0.9500]])
    """
    return (1 - label_smoothing) * shares + label_smoothing / shares.shape[1]


def _softmax_focal(logits: Tensor, shares: Tensor, gamma: float) -> Tensor:
    """-t (1 - p)^γ log p of each class (Lin et al., 2017, equation 4), without their α."""
    log_p = logits.log_softmax(1)
    # Never quite 0: the slope of a root there is infinite, and times log p = 0 not a number.
    wrong = (1 - log_p.exp()).clamp_min(torch.finfo(logits.dtype).tiny)
    return -shares * wrong**gamma * log_p


def _sigmoid_focal(logits: Tensor, shares: Tensor, gamma: float) -> Tensor:
    """The same of each class's yes and no; powers as exponentials, which are never 0 to a root."""
    log_yes, log_no = F.logsigmoid(logits), F.logsigmoid(-logits)
    yes = shares * (gamma * log_no).exp() * log_yes
    no = (1 - shares) * (gamma * log_yes).exp() * log_no
    return -(yes + no)


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T² · KL(teacher ‖ student) at temperature T (Hinton et al., 2015, section 2.1).

    T² keeps the gradient's size as T changes. No gradient reaches the teacher. For one class a
    clip; it is 0 where the two rows of logits differ by a constant.

    Shape: student (B, K), teacher (B, K) → ()

    >>> logits = torch.tensor([[1.0, 2.0, 3.0]])
    >>> distillation(logits + 5, logits, temperature=2.0).abs().item() < 1e-6
    True
    """
    of_student = (student / temperature).log_softmax(1)
    of_teacher = (teacher.detach() / temperature).log_softmax(1)
    divergence = F.kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


def code_loss(code_logits: Tensor, codes: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of audio codes: the mean over clips and frames, summed over the codebooks.

    Shape: code_logits (B, Q, V, L), codes (B, Q, L) int64 → ()

    >>> round(code_loss(torch.zeros(2, 3, 8, 5), torch.zeros(2, 3, 5, dtype=torch.int64)).item(), 3)
    6.238
    """
    num_codebooks = codes.shape[1]
    mean = F.cross_entropy(
        code_logits.flatten(0, 1), codes.flatten(0, 1), label_smoothing=label_smoothing
    )
    return num_codebooks * mean


def code_accuracy(code_logits: Tensor, codes: Tensor) -> Tensor:
    """The share of codes, over clips, codebooks and frames, whose likeliest guess is right.

    Shape: code_logits (B, Q, V, L), codes (B, Q, L) int64 → ()

    >>> code_accuracy(torch.eye(4).reshape(1, 1, 4, 4), torch.tensor([[[0, 1, 2, 0]]])).item()
    0.75
    """
    return (code_logits.argmax(2) == codes).double().mean()
