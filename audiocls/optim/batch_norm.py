"""BatchNorm's running statistics: held still in SAM's second pass, recomputed for averaged weights.

Legend: B batch.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def tracking_norms(module: nn.Module) -> list[_BatchNorm]:
    """Return the BatchNorm layers of `module` that keep running statistics."""
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]
    return [norm for norm in norms if norm.running_mean is not None]


@contextmanager
def frozen_batch_norm(module: nn.Module) -> Iterator[None]:
    """Keep BatchNorm's running statistics as they are; it still normalises by the batch."""
    norms = tracking_norms(module)
    momenta = [norm.momentum for norm in norms]
    counts = [norm.num_batches_tracked for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # running = (1 - 0) · running + 0 · batch
        norm.num_batches_tracked = None  # or else torch counts the batch
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked = count


@torch.no_grad()
def refresh_batch_norm(
    module: nn.Module, batches: Iterable[Tensor], original: nn.Module | None = None
) -> None:
    """Recompute the running statistics as the mean over batches, weighted by their clips.

    As `torch.optim.swa_utils.update_bn`, with two differences: a short last batch has less weight,
    and only BatchNorm is in training mode, so that the statistics are those of the network that
    will be scored (no dropout) and no random number is drawn. Needed after weights were averaged
    (Izmailov et al., 2018, section 3.2); without batches nothing changes.

    `original` is the network in training, of which `module` has the averaged weights: what does not
    move in it, such as a frozen encoder, keeps its statistics.

    Shape: batches of (B, …), whatever `module` takes

    >>> module = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(1))
    >>> refresh_batch_norm(module, [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])])
    >>> module[1].running_mean.tolist()
    [4.0]
    """
    norms = tracking_norms(module)
    if original is not None:
        is_moving = [norm.training for norm in tracking_norms(original.train())]
        norms = [norm for norm, moves in zip(norms, is_moving, strict=True) if moves]
    num_seen = 0
    with _only_these_train(module, norms):
        for batch in batches:
            num_seen += len(batch)
            for norm in norms:
                norm.momentum = len(batch) / num_seen  # 1 at the first: replaces what was there
            module(batch)


@contextmanager
def _only_these_train(module: nn.Module, norms: list[_BatchNorm]) -> Iterator[None]:
    """Put `norms` in training mode and the rest of `module` in evaluation; restore both."""
    modes = [(part, part.training) for part in module.modules()]
    momenta = [norm.momentum for norm in norms]
    module.eval()
    for norm in norms:
        norm.train()
    try:
        yield
    finally:
        for part, is_training in modes:
            part.training = is_training
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
