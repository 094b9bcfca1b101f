"""Causal ConvNeXt along time, with a head for classes and one for codes.

The block is that of Liu et al., 2022 (arXiv 2201.03545, figure 4). Notable, and different from it:
- causal depthwise convolutions along time, padded with zeros on the left only;
- the input is shifted right by one frame of zeros, as a language model's is by its start token;
- no stride and no pooling: classes are read from the last position unless a mean is asked for;
- no layer scale; dropout of values and of whole channels at the end of each block.

Legend: B batch, C channels, L frames, D width, K classes, Q codebooks, V codes per codebook.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.models.image import in_channels_last

CODES = 1024
"""V: entries of each of EnCodec's codebooks (Défossez et al., 2022, arXiv 2210.13438, 3.2)."""


class ConvNeXt1dCausal(nn.Module):
    """Causal blocks over L + 1 positions: the clip, shifted right by a frame of zeros.

    Position t < L depends on frames before t and predicts the codes of frame t; position L depends
    on the last frames of the clip, as many as the receptive field holds, and predicts its class,
    alone or (`readout` mean) together with the positions before it.

    >>> import torch
    >>> model = ConvNeXt1dCausal(4, 5, width=8, blocks=2, kernel=3, num_codebooks=2)
    >>> model(torch.zeros(3, 4, 20)).shape
    torch.Size([3, 5])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        width: int = 128,
        blocks: int = 8,
        kernel: int = 49,
        dropout: float = 0.0,
        expansion: int = 4,
        num_codebooks: int = 0,
        readout: Literal["last", "mean"] = "last",
    ):
        super().__init__()
        self.readout = readout
        fits = in_channels == width
        self.stem = nn.Identity() if fits else nn.Conv2d(in_channels, width, 1)
        tower = (CausalBlock(width, kernel, dropout, expansion) for _ in range(blocks))
        self.blocks = nn.Sequential(*tower)
        self.head = nn.Linear(width, num_classes)
        self.code_head = nn.Linear(width, CODES * num_codebooks) if num_codebooks else None

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of the classes.

        Shape: (B, C, L) → (B, K) for any L of at least 1
        """
        logits: Tensor = self.head(self._read(self._positions(features)))
        return logits

    def with_codes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the classes, and of each frame's codes given the frames before it.

        Only for a model with `num_codebooks` above 0, which has a code head.

        Shape: (B, C, L) → (B, K) and (B, Q, V, L), as `cross_entropy` takes it by codebook

        >>> import torch
        >>> model = ConvNeXt1dCausal(4, 5, width=8, blocks=2, kernel=3, num_codebooks=2)
        >>> [tuple(logits.shape) for logits in model.with_codes(torch.zeros(3, 4, 20))]
        [(3, 5), (3, 2, 1024, 20)]
        """
        assert self.code_head is not None, "built without codebooks"
        positions = self._positions(features)
        codes = self.code_head(positions[:, :-1]).unflatten(2, (-1, CODES))
        return self.head(self._read(positions)), codes.permute(0, 2, 3, 1)

    def _read(self, positions: Tensor) -> Tensor:
        """Return what the class is read from; the first position depends on no frame.

        Shape: (B, L + 1, D) → (B, D)
        """
        return positions[:, -1] if self.readout == "last" else positions[:, 1:].mean(1)

    def _positions(self, features: Tensor) -> Tensor:
        """Return the hidden state of each position.

        Shape: (B, C, L) → (B, L + 1, D)
        """
        image = in_channels_last(F.pad(features, (1, 0)).unsqueeze(2))
        hidden: Tensor = self.blocks(self.stem(image))
        return hidden.squeeze(2).transpose(1, 2)


class CausalBlock(nn.Module):
    """Depthwise convolution over the past, LayerNorm of each frame, perceptron; residual.

    LayerNorm has the parameters of GroupNorm(1), but no mean over time that leaks the future.

    >>> import torch
    >>> CausalBlock(8, kernel=9, dropout=0.1, expansion=4)(torch.zeros(2, 8, 1, 50)).shape
    torch.Size([2, 8, 1, 50])
    """

    def __init__(self, channels: int, kernel: int, dropout: float, expansion: int):
        super().__init__()
        self.past = kernel - 1
        self.depthwise = nn.Conv2d(channels, channels, (1, kernel), groups=channels)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, expansion * channels),
            nn.GELU(),
            nn.Linear(expansion * channels, channels),
            nn.Dropout(dropout),
        )
        self.channel_dropout = nn.Dropout2d(dropout)  # at height 1 this is Dropout1d

    def forward(self, hidden: Tensor) -> Tensor:
        """Return `hidden` plus its branch.

        Shape: (B, C, 1, L) → (B, C, 1, L)
        """
        frames = self.depthwise(F.pad(hidden, (self.past, 0))).permute(0, 2, 3, 1)
        branch = self.perceptron(frames).permute(0, 3, 1, 2)
        out: Tensor = hidden + self.channel_dropout(branch)
        return out
