"""EnCodec's encoder and residual vector quantiser (RVQ) as a front end.

Défossez et al. (arXiv 2210.13438), section 3. The networks are those of the package `encodec`.

Legend: B batch, T samples, D width (128), L frames, Q codebooks, E entries of a codebook.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EncodecFrontEnd(nn.Module):
    """Embeddings of waveforms at 24 kHz, or their quantised version (`output` codes).

    Always computed in float32, also under autocast; nothing in it is trained.

    Shape: (B, T) → (B, D, L) with L = ⌈T / 320⌉

    >>> encoder = nn.Conv1d(1, 128, 320, stride=320)
    >>> front_end = EncodecFrontEnd(encoder, torch.randn(2, 1024, 128), "codes")
    >>> front_end(torch.zeros(3, 640)).shape
    torch.Size([3, 128, 2])
    >>> front_end.codes(torch.zeros(3, 640)).shape
    torch.Size([3, 2, 2])
    """

    codebooks: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        codebooks: Tensor,
        output: Literal["embeddings", "codes"] = "embeddings",
    ):
        super().__init__()
        self.encoder = encoder.requires_grad_(False)
        self.output = output
        self.register_buffer("codebooks", codebooks)

    def forward(self, waveforms: Tensor) -> Tensor:
        embeddings = self.embeddings(waveforms)
        if self.output == "embeddings":
            return embeddings
        return dequantise(quantise(embeddings, self.codebooks), self.codebooks)

    def embeddings(self, waveforms: Tensor) -> Tensor:
        """Compute the encoder's output before quantisation.

        Shape: (B, T) → (B, D, L)
        """
        with torch.autocast(waveforms.device.type, enabled=False):
            return torch.as_tensor(self.encoder(waveforms.float().unsqueeze(1)))

    def codes(self, waveforms: Tensor) -> Tensor:
        """Compute the index of the chosen entry of each codebook, the coarsest codebook first.

        Shape: (B, T) → (B, Q, L) int64
        """
        return quantise(self.embeddings(waveforms), self.codebooks)


def quantise(embeddings: Tensor, codebooks: Tensor) -> Tensor:
    """Quantise residually: each codebook encodes what the codebooks before it left over.

    Algorithm 1 of SoundStream (Zeghidour et al., arXiv 2107.03312).

    Shape: embeddings (B, D, L), codebooks (Q, E, D) → (B, Q, L) int64 in [0, E)

    >>> books = torch.tensor([[[0.0], [10.0]], [[1.0], [-1.0]]])
    >>> quantise(torch.tensor([[[9.2, 0.8]]]), books)
    tensor([[[1, 0],
             [1, 0]]])
    """
    residual = embeddings.transpose(1, 2)
    codes = []
    for codebook in codebooks:
        nearest = _nearest(residual, codebook)
        residual = residual - codebook[nearest]
        codes.append(nearest)
    return torch.stack(codes, dim=1)


def dequantise(codes: Tensor, codebooks: Tensor) -> Tensor:
    """Return the embeddings that codes stand for: the sum of their entries over codebooks.

    Shape: codes (B, Q, L) int64, codebooks (Q, E, D) → (B, D, L)

    >>> dequantise(torch.tensor([[[1], [1]]]), torch.tensor([[[0.0], [10.0]], [[1.0], [-1.0]]]))
    tensor([[[9.]]])
    """
    chosen = [
        F.embedding(code, book) for code, book in zip(codes.unbind(1), codebooks, strict=True)
    ]
    return torch.stack(chosen).sum(0).transpose(1, 2)


def _nearest(points: Tensor, codebook: Tensor) -> Tensor:
    """Return the index of the entry nearest to each point (Euclidean).

    Shape: points (B, L, D), codebook (E, D) → (B, L) int64
    """
    # |p − e|² = |p|² + |e|² − 2·p·e, and |p|² is the same for all entries. Both are centred on
    # the codebook's mean first: far from 0 the small differences between entries would be lost to
    # rounding, and a clip's codes would depend on the batch it is in.
    mean = codebook.mean(0)
    points, codebook = points - mean, codebook - mean
    with torch.autocast(points.device.type, enabled=False):
        return (codebook.square().sum(1) - 2 * points @ codebook.t()).argmin(dim=-1)
