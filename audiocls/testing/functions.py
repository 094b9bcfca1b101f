"""What losses, metrics and transforms of waveforms owe.

Legend: B batch, N clips, K classes, T samples.
"""

from typing import Any

import torch
from torch import Tensor

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.own import OwnTransform
from audiocls.config.own import OwnLoss, OwnMetric
from audiocls.testing.part import part_of
from audiocls.training.losses import loss_of

NUM_CLASSES, NUM_CLIPS = 4, 8


def loss_contract(loss: Any, takes_shares: bool = True, **options: Any) -> None:
    """Raise `AssertionError` if a loss breaks a rule.

    It is finite, has finite gradients, is less for right logits than for wrong ones, and of a clip
    the same in any batch.

    Args:
        loss: an import string, or a shipped loss's name.
        takes_shares: whether targets may be shares of classes, as mixed clips have.
        options: of the import string's callable.
    """
    part = loss if loss in ("cross_entropy", "bce", "focal") else part_of(OwnLoss, loss, options)
    classes = torch.arange(NUM_CLIPS) % NUM_CLASSES
    shares = torch.nn.functional.one_hot(classes, NUM_CLASSES).float()
    for targets in (classes, shares) if takes_shares else (classes,):
        logits = _logits().requires_grad_()
        value = loss_of(logits, targets, part)
        assert value.isfinite()
        torch.autograd.backward(value)
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
        assert logits.grad.any()
        right, wrong = 5 * shares, -5 * shares
        assert loss_of(right, targets, part) < loss_of(wrong, targets, part)
        alone = [loss_of(logits[i : i + 1], targets[i : i + 1], part) for i in range(NUM_CLIPS)]
        torch.testing.assert_close(torch.stack(alone).mean(), value, atol=1e-5, rtol=1e-5)


def metric_contract(metric: Any, is_multi_label: bool = False, **options: Any) -> None:
    """Raise `AssertionError` if a metric is no finite number, or depends on the order of clips.

    Args:
        metric: an import string.
        is_multi_label: whether targets are (N, K) of 0 and 1, and not class numbers (N,).
        options: of the import string's callable.
    """
    part = part_of(OwnMetric, metric, options)
    logits, classes = _logits(), torch.arange(NUM_CLIPS) % NUM_CLASSES
    hot = torch.nn.functional.one_hot(classes, NUM_CLASSES).float()
    targets = hot if is_multi_label else classes
    value = part.of(logits, targets)
    assert torch.tensor(value).isfinite()
    assert abs(part.of(logits.flip(0), targets.flip(0)) - value) < 1e-6
    before = logits.clone()
    part.of(logits, targets)
    assert torch.equal(logits, before), "it changes the logits"


def transform_contract(transform: Any, sample_rate: int = 16000, **options: Any) -> None:
    """Raise `AssertionError` if a transform of waveforms breaks a rule at `sample_rate` Hz.

    It keeps the shape, is finite, leaves its input and the generators alone, and gives a clip the
    same in any batch.
    """
    part = part_of(OwnTransform, transform, options)
    waveforms = torch.rand(3, 4000, generator=torch.Generator().manual_seed(1)) - 0.5
    kept, state = waveforms.clone(), torch.get_rng_state()
    draws = ClipRNG(0, torch.arange(3))
    changed = part.applied(waveforms, draws, sample_rate)
    assert torch.equal(waveforms, kept), "it changes its input"
    assert torch.equal(torch.get_rng_state(), state)
    assert changed.isfinite().all()
    last = torch.tensor([2])
    assert torch.equal(part.applied(waveforms[last], draws.of(last), sample_rate), changed[last])


def _logits() -> Tensor:
    """Return random logits. Shape: → (N, K)"""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(NUM_CLIPS, NUM_CLASSES, generator=generator)
