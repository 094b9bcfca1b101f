"""Losses, as a mean over the clips of the batch.

Legend: B batch, K classes, Q codebooks, V entries of a codebook, L frames.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from audiocls.audio.batches import soft_targets
from audiocls.config.own import OwnLoss
from audiocls.config.training import Loss


def loss_of(
    logits: Tensor,
    targets: Tensor,
    kind: Loss,
    label_smoothing: float = 0.0,
    focal_gamma: float = 2.0,
    is_multi_label: bool = False,
) -> Tensor:
    """Return the loss of a batch: one number, in nats per clip.

    Args:
        logits: unnormalised scores.
        targets: class numbers, or a share of each class: soft after mixing, 0 or 1 in multi-hot
            and union targets.
        kind: `cross_entropy` takes the shares as one distribution, `bce` as K binary targets whose
            losses are summed; `focal` does the former, or the latter if `is_multi_label`. An own
            loss gets the targets as they are, and shares where labels are smoothed.
        label_smoothing: s in [0, 1) turns a target t into (1 - s) t + s / K under every loss, so
            that all of them have the same targets.
        focal_gamma: focusing exponent, 0 or more; used by `focal` only.
        is_multi_label: whether classes do not exclude each other; used by `focal` only.

    Shape: logits (B, K), targets (B,) int64 or (B, K) float → ()

    >>> logits, labels = torch.zeros(2, 4), torch.tensor([3, 0])
    >>> [round(loss_of(logits, labels, kind).item(), 3) for kind in ("cross_entropy", "bce")]
    [1.386, 2.773]
    """
    if kind == "cross_entropy":
        return F.cross_entropy(logits, targets, label_smoothing=label_smoothing)
    shares = smoothed(soft_targets(targets, logits.shape[1]).to(logits.dtype), label_smoothing)
    if isinstance(kind, OwnLoss):
        return kind.of(logits, shares if label_smoothing else targets)
    if kind == "bce":
        losses = F.binary_cross_entropy_with_logits(logits, shares, reduction="none")
    elif is_multi_label:
        losses = _sigmoid_focal(logits, shares, focal_gamma)
    else:
        losses = _softmax_focal(logits, shares, focal_gamma)
    return losses.sum(1).mean()


def smoothed(shares: Tensor, label_smoothing: float) -> Tensor:
    """Return (1 - s) t + s / K, as cross-entropy does it (Szegedy et al., 2016, section 7).

    The shares of one clip keep their sum of 1. Under `bce` a 0 becomes s / K and not s / 2, which
    would be far too much among 527 classes.

    Args:
        shares: target share of each class, in [0, 1].
        label_smoothing: s, in [0, 1).

    Shape: (B, K) → (B, K)

    >>> smoothed(torch.tensor([[0.0, 1.0]]), 0.1)
    tensor([[0.0500, 0.9500]])
    """
    return (1 - label_smoothing) * shares + label_smoothing / shares.shape[1]


def _softmax_focal(logits: Tensor, shares: Tensor, gamma: float) -> Tensor:
    """Return -t (1 - p)^γ log p of each class (Lin et al., 2017, equation 4), without their α.

    Shape: logits (B, K), shares (B, K) → (B, K)
    """
    log_p = logits.log_softmax(1)
    # Above 0: for γ < 1 the slope of (1 - p)^γ is infinite at 0, and times log p = 0 that is NaN.
    wrong = (1 - log_p.exp()).clamp_min(torch.finfo(logits.dtype).tiny)
    return -shares * wrong**gamma * log_p


def _sigmoid_focal(logits: Tensor, shares: Tensor, gamma: float) -> Tensor:
    """Return the focal loss of each class as a binary decision, yes or no.

    Shape: logits (B, K), shares (B, K) → (B, K)
    """
    # Powers as exponentials of log-probabilities, whose slope is finite for any γ.
    log_yes, log_no = F.logsigmoid(logits), F.logsigmoid(-logits)
    yes = shares * (gamma * log_no).exp() * log_yes
    no = (1 - shares) * (gamma * log_yes).exp() * log_no
    return -(yes + no)


def smoothing_among_all(label_smoothing: float, num_classes: int) -> float:
    """Return the smoothing over all classes that equals `label_smoothing` over the false ones.

    A share s over the K - 1 others leaves the true class 1 - s; so does s · K / (K - 1) over all.

    >>> round(smoothing_among_all(0.3, 4), 6)
    0.4
    """
    return label_smoothing * num_classes / (num_classes - 1)


def distillation(
    student: Tensor, teacher: Tensor, temperature: float, is_multi_label: bool = False
) -> Tensor:
    """Return T² · KL(teacher ‖ student) at temperature T (Hinton et al., 2015, section 2.1).

    T² keeps the size of the gradient as T changes. No gradient reaches the teacher. Between softmax
    distributions it is 0 for rows of logits that differ by a constant.

    Args:
        temperature: T, above 0.
        is_multi_label: whether classes do not exclude each other; the divergence is then that of
            K yes-or-no distributions, summed.

    Shape: student (B, K), teacher (B, K) → ()

    >>> logits = torch.tensor([[1.0, 2.0, 3.0]])
    >>> distillation(logits + 5, logits, temperature=2.0).abs().item() < 1e-6
    True
    """
    student, teacher = student / temperature, teacher.detach() / temperature
    if is_multi_label:
        return temperature**2 * _binary_divergences(student, teacher).sum(1).mean()
    of_student, of_teacher = student.log_softmax(1), teacher.log_softmax(1)
    divergence = F.kl_div(of_student, of_teacher, reduction="batchmean", log_target=True)
    return temperature**2 * divergence


def _binary_divergences(student: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher ‖ student) of each class's yes and no.

    Shape: student (B, K), teacher (B, K) → (B, K)
    """
    yes = teacher.sigmoid() * (F.logsigmoid(teacher) - F.logsigmoid(student))
    no = (-teacher).sigmoid() * (F.logsigmoid(-teacher) - F.logsigmoid(-student))
    return yes + no


def code_loss(code_logits: Tensor, codes: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy of audio codes: mean over clips and frames, sum over codebooks.

    In nats per frame.

    Shape: code_logits (B, Q, V, L), codes (B, Q, L) int64 → ()

    >>> round(code_loss(torch.zeros(2, 3, 8, 5), torch.zeros(2, 3, 5, dtype=torch.int64)).item(), 3)
    6.238
    """
    num_codebooks = codes.shape[1]
    if code_logits.is_cuda:
        return num_codebooks * mean_over_rows(code_logits, codes, label_smoothing)
    # Flattened to (B · Q, V, L): every codebook has as many codes, so one mean is that of all.
    mean = F.cross_entropy(
        code_logits.flatten(0, 1), codes.flatten(0, 1), label_smoothing=label_smoothing
    )
    return num_codebooks * mean


def mean_over_rows(code_logits: Tensor, codes: Tensor, label_smoothing: float) -> Tensor:
    """Return the mean cross-entropy of codes, each a row of its own.

    On a GPU the cross-entropy of rows has a deterministic algorithm, that of sequences has none.

    Shape: code_logits (B, Q, V, L), codes (B, Q, L) int64 → ()
    """
    rows = code_logits.movedim(2, -1).flatten(0, 2)
    return F.cross_entropy(rows, codes.flatten(), label_smoothing=label_smoothing)


def code_accuracy(code_logits: Tensor, codes: Tensor) -> Tensor:
    """Return the share of codes, over clips, codebooks and frames, that are predicted right.

    Shape: code_logits (B, Q, V, L), codes (B, Q, L) int64 → ()

    >>> code_accuracy(torch.eye(4).reshape(1, 1, 4, 4), torch.tensor([[[0, 1, 2, 0]]])).item()
    0.75
    """
    return (code_logits.argmax(2) == codes).cpu().double().mean()
