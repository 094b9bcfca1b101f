"""Frozen encoders at work: rows of clips, front ends made of them, and what is known of their size.

Legend: N clips, B batch, T samples, C channels, L frames or layers, D width, S values of a row.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audiocls.audio.features.embeddings import EmbeddingOptions, Layout
from audiocls.encoders.pooling import sound_lengths, statistics

Rows = TypeVar("Rows", Tensor, NDArray[np.float32])

_layouts: dict[tuple[EmbeddingOptions, int, int], Layout] = {}
"""Options, samples and rate (Hz) → layout, known once rows were made or opened: each step asks."""


class Embedder(nn.Module):
    """Rows of clips: mean and maximum of every layer, or the frames of chosen ones.

    A clip's row is that of its sound alone: zeros after its end, with which it is filled up to the
    window, are not heard, and no clip is padded for the sake of another one.

    Args:
        layers: the encoder, (B, T) → list of (B, L, D).
        sample_rate: Hz.
        framed: layers whose frames make the row; none means statistics of all.
    """

    def __init__(
        self,
        layers: nn.Module,
        sample_rate: int,
        framed: Callable[[int], tuple[int, ...]] | None = None,
    ):
        super().__init__()
        self.layers = layers.requires_grad_(False).eval()
        self.sample_rate = sample_rate
        self.framed = framed
        self.layout = Layout(())

    def train(self, mode: bool = True) -> "Embedder":
        """Stay in evaluation mode, whatever the classifier around does."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the rows of clips. Shape: (B, T) → (B, S)"""
        with torch.autocast(waveforms.device.type, enabled=False):
            if self.framed is not None:
                layers: list[Tensor] = self.layers(waveforms)
                return self._frames(layers, self.framed)
            return self._pooled(waveforms)

    def _pooled(self, waveforms: Tensor) -> Tensor:
        lengths = sound_lengths(waveforms, self.sample_rate)
        rows: Tensor | None = None
        for length in sorted(set(lengths.tolist())):
            among = torch.nonzero(lengths == length).squeeze(1)
            layers = self.layers(waveforms[among, :length])
            self.layout = Layout(tuple(frames.shape[2] for frames in layers))
            part = statistics(layers)
            rows = part.new_empty(len(waveforms), part.shape[1]) if rows is None else rows
            rows[among] = part
        assert rows is not None, "no batch is empty"
        return rows

    def _frames(self, layers: list[Tensor], framed: Callable[[int], tuple[int, ...]]) -> Tensor:
        chosen = [layers[number].float() for number in framed(len(layers))]
        self.layout = Layout(tuple(each.shape[2] for each in chosen), chosen[0].shape[1])
        joined = torch.cat([each.transpose(1, 2) for each in chosen], dim=2)
        return joined.reshape(len(joined), -1)


class EmbeddingFrontEnd(nn.Module):
    """The chosen part of a clip's row as features. Shape: (B, T) → (B, C, L)"""

    def __init__(self, options: EmbeddingOptions, embedder: Embedder):
        super().__init__()
        self.options = options
        self.embedder = embedder

    def forward(self, waveforms: Tensor) -> Tensor:
        rows: Tensor = self.embedder(waveforms)
        return chosen_part(self.options, rows, self.embedder.layout)


class Later(nn.Module):
    """A module that is made when it is first called, on the device of its input.

    Shape: (B, T) → (B, C, L)
    """

    def __init__(self, make: Callable[[], nn.Module]):
        super().__init__()
        self._make = make
        self._made: list[nn.Module] = []  # no child: it is in no state dict

    def forward(self, waveforms: Tensor) -> Tensor:
        if not self._made:
            self._made.append(self._make())
        return torch.as_tensor(self._made[0].to(waveforms.device)(waveforms))


def chosen_part(options: EmbeddingOptions, rows: Rows, layout: Layout) -> Rows:
    """Return the features that the options choose; of one layer a view.

    Shape: (N, S) → (N, C, L)
    """
    channels, length = options.shape_of(layout)
    if layout.frames is not None:
        return rows.reshape(len(rows), channels, length)
    parts = [rows[:, layout.columns(each, options.pool)] for each in options.chosen(layout)]
    if len(parts) == 1:
        return parts[0][:, :, None]
    if isinstance(rows, Tensor):
        return torch.stack([torch.as_tensor(part) for part in parts], dim=2)
    return np.stack(parts, axis=2)


def layout_at(options: EmbeddingOptions, num_samples: int, sample_rate: int) -> Layout:
    """Return the layout of rows at `sample_rate` Hz, by building the encoder unless it is known."""
    key = options, num_samples, sample_rate
    if key not in _layouts:
        with torch.random.fork_rng(devices=[]):
            embedder = options.embedder(sample_rate)
            embedder(torch.full((1, num_samples), 1e-3))
        _layouts[key] = embedder.layout
    return _layouts[key]


def remember(options: EmbeddingOptions, num_samples: int, sample_rate: int, known: Layout) -> None:
    """Note the layout of rows at `sample_rate` Hz, so that nothing is built to find it out."""
    _layouts[options, num_samples, sample_rate] = known


def layout_from(facts: dict[str, Any]) -> Layout:
    """Return the layout that was stored beside rows."""
    return Layout(tuple(facts["widths"]), facts["frames"])
