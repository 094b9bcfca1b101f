"""EAT: strided residual convolutions on raw audio, then a transformer (arXiv 2204.11479).

Notable:
- anti-aliased downsampling and reflection padding throughout (section 3.1; `convolutions.py`);
- learned positions, so that a network is for one clip length;
- a post-norm encoder, written out so that its cost can be counted (`transformer.py`);
- sizes S and M are the paper's; XS, and the freedom of `factors` and sizes, are ours.

Legend: B batch, C channels, T samples, L frames, D width, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.errors import ConfigError
from audiocls.models.eat import Size
from audiocls.models.eat.convolutions import Down, ResBlock, conv, normed
from audiocls.models.eat.geometry import (
    DILATIONS,
    LATE_FACTORS,
    START_KERNEL,
    is_followed_by_block,
    num_tokens,
)
from audiocls.models.eat.transformer import EncoderLayer


class EAT(nn.Module):
    """Convolutions make tokens, a transformer relates them; the class token becomes the logits.

    Positions and the class token start at zero.

    >>> from audiocls.models.eat import SIZES
    >>> model = EAT(2048, 5, SIZES["XS"], factors=(4,))
    >>> model(torch.zeros(2, 1, 2048)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self,
        num_samples: int,
        num_classes: int,
        size: Size,
        factors: Sequence[int] = (4, 4, 4, 4),
        dropout: float = 0.1,
        embedding_dropout: float | None = None,
        is_as_authors: bool = False,
        resamples_positions: bool = False,
    ):
        super().__init__()
        self.num_samples = num_samples
        self.resamples_positions = resamples_positions
        self.convolutions = _convolutions(size.channels, factors)
        channels = size.channels * 2 ** (len(factors) + len(LATE_FACTORS))
        self.project = conv(channels, size.width, 1)
        self.token = nn.Parameter(torch.zeros(1, 1, size.width))
        tokens = num_tokens(num_samples, factors)
        self.positions = nn.Parameter(torch.zeros(1, tokens + 1, size.width))
        self.dropout = nn.Dropout(dropout if embedding_dropout is None else embedding_dropout)
        layer = (size.width, size.heads, size.feedforward, dropout)
        self.layers = nn.Sequential(*(EncoderLayer(*layer) for _ in range(size.layers)))
        self.norm = nn.LayerNorm(size.width)
        self.head = nn.Linear(size.width, num_classes)
        if is_as_authors:
            self._start_as_authors()

    def forward(self, audio: Tensor) -> Tensor:
        """Return logits; raise `ConfigError` for clips of another length.

        Shape: (B, 1, T) → (B, K) for the one T that the network was built for
        """
        self._require_length(audio.shape[-1])
        tokens = self.project(self.convolutions(audio)).transpose(1, 2)
        sequence = torch.cat([self.token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        states = self.layers(self.dropout(sequence + self.positions))
        logits: Tensor = self.head(self.norm(states[:, 0]))
        return logits

    def adapted(self, name: str, tensor: Tensor) -> Tensor:
        """Return a tensor of another network, its positions resampled to this clip length.

        To the nearest, the class token's among them, as the authors' code has it.

        Shape: any → the same, or (1, L + 1, D) for the name `positions`
        """
        if name != "positions" or not self.resamples_positions or tensor.ndim != 3:
            return tensor
        length = self.positions.shape[1]
        return F.interpolate(tensor.transpose(1, 2), size=length).transpose(1, 2)

    @torch.no_grad()
    def _start_as_authors(self) -> None:
        """Give all layers the first one's weights, and Linears biases of 0."""
        first, *others = self.layers
        for layer in others:
            layer.load_state_dict(first.state_dict())
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def _require_length(self, got: int) -> None:
        if got != self.num_samples:
            problem = (
                f"got clips of {got} samples, allowed: {self.num_samples} samples, for which the "
                "learned positions were made; cut or pad the clips to that, or train anew"
            )
            raise ConfigError("model eat", [problem])


def _convolutions(channels: int, factors: Sequence[int]) -> nn.Sequential:
    """Return the layers from samples to tokens; each downsampling doubles the channels."""
    stack = nn.Sequential(normed(conv(1, channels, START_KERNEL, bias=False)))
    for index, factor in enumerate(factors):
        stack.append(Down(channels, factor))
        channels *= 2
        if is_followed_by_block(index):
            stack.append(ResBlock(channels, dilation=1))
    for factor in LATE_FACTORS:
        stack.extend(ResBlock(channels, dilation) for dilation in DILATIONS)
        stack.append(Down(channels, factor))
        channels *= 2
    return stack
