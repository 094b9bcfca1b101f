"""EAT's transformer encoder (Vaswani et al., 2017, arXiv 1706.03762, section 3).

Legend: B batch, H heads, L tokens, D width.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class EncoderLayer(nn.Module):
    """Self-attention and a GELU feed-forward, each added to its input and then normalised.

    The function, parameters and initial distributions are those of torch's post-norm encoder layer,
    which cannot be used: its fused operator of evaluation hides a whole layer from FlopCounterMode.

    >>> import torch
    >>> EncoderLayer(8, heads=2, feedforward=16)(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float = 0.1):
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.norm1 = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, feedforward),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward, width),
        )
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after attention and feed-forward, each with residual and norm.

        Shape: (B, L, D) → (B, L, D)
        """
        attended = self.norm1(tokens + self.dropout(self.attention(tokens)))
        out: Tensor = self.norm2(attended + self.dropout(self.feedforward(attended)))
        return out


class Attention(nn.Module):
    """Scaled dot products between all tokens in several heads; dropout of attention weights.

    On a CPU FlopCounterMode counts the two Linears but not the 2 · L² · D multiply-accumulates of
    the dot products, nor do the published figures count them: 0.5 to 1.2 % of EAT-S.

    >>> import torch
    >>> Attention(8, heads=2, dropout=0.0)(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.mix_in = nn.Linear(width, 3 * width)
        self.mix_out = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.mix_in.weight)
        nn.init.zeros_(self.mix_in.bias)
        nn.init.zeros_(self.mix_out.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return for each token a mixture of all tokens' values.

        Shape: (B, L, D) → (B, L, D), with D divisible by H
        """
        split = self.mix_in(tokens).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = split.permute(2, 0, 3, 1, 4).unbind()  # each (B, H, L, D / H)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, dropout_p=dropout)
        out: Tensor = self.mix_out(mixed.transpose(1, 2).flatten(2))
        return out
