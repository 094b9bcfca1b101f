"""Stochastic depth: residual branches switched off at random (Huang et al., 2016).

Legend: B batch, C channels, L frames.
"""

from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """Drops a residual branch with probability `p`, per clip; the identity in evaluation.

    Not for a branch without a shortcut beside it: the clip would be lost.

    Args:
        p: in [0, 1).

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
        """Return the branch, or zeros for the clips that drop it (arXiv 1603.09382, section 3).

        Shape: (B, C, …) → (B, C, …)
        """
        if not self.training or self.p == 0.0:
            return branch
        one_per_clip = (len(branch), *(1,) * (branch.dim() - 1))
        keep = branch.new_empty(one_per_clip).bernoulli_(1 - self.p)
        # A kept branch is scaled by 1 / (1 − p), so that its expectation is that of evaluation;
        # the paper scales at test time instead.
        return branch * (keep / (1 - self.p))


def linear_in_depth(p: float, num_blocks: int) -> list[float]:
    """Return the drop probability of each block: `p` for the deepest, proportionally less before.

    Huang et al., equation 4: early layers, which all later ones build on, are kept most often.

    Args:
        p: in [0, 1).
        num_blocks: 1 or more.

    >>> linear_in_depth(0.25, 4)
    [0.0625, 0.125, 0.1875, 0.25]
    """
    return [p * depth / num_blocks for depth in range(1, num_blocks + 1)]
