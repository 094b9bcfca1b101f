"""Stochastic depth: residual branches switched off at random (Huang et al., 2016).

Legend: B batch, C channels, L frames.
"""

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Switches a residual branch off for each clip alone; the identity in evaluation.

    A branch that stays is scaled by 1 / (1 − p), so that its expectation is that of evaluation.
    arXiv 1603.09382, section 3, whose scaling is at test time instead. Not for what has no
    residual: the clip would be lost.

    Shape: (B, C, …) → the same

    >>> import torch
    >>> branch = torch.ones(1000, 2, 1, 3)
    >>> StochasticDepth(0.5)(branch).unique()
    tensor([0., 2.])
    >>> StochasticDepth(0.5).eval()(branch) is branch
    True
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return branch
        one_a_clip = (len(branch), *(1,) * (branch.dim() - 1))
        keep = branch.new_empty(one_a_clip).bernoulli_(1 - self.p)
        return branch * (keep / (1 - self.p))


def linear_in_depth(p: float, num_blocks: int) -> list[float]:
    """What each block's p is: the deepest has `p`, those before it less in proportion.

    Huang et al., equation 4: early layers, which all later ones build on, are kept most often.

    >>> linear_in_depth(0.25, 4)
    [0.0625, 0.125, 0.1875, 0.25]
    """
    return [p * depth / num_blocks for depth in range(1, num_blocks + 1)]
