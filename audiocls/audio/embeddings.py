"""The cache of embeddings: rows of every clip, made once on the worker's device, clip by clip.

Extraction may be killed at any moment and goes on where it was: finished batches are noted beside
the rows. Which clips make a batch depends on their lengths alone, so that a resumed cache is the
same to the bit as one that was made at once.

Legend: N clips, B batch, T samples, C channels, L frames or layers, S values of a row.
"""

import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from audiocls.atomic import build_cache
from audiocls.audio.feature_cache import (
    HERE,
    MOST_CLIPS,
    MOST_SAMPLES,
    Extraction,
    OnProgress,
    cache_key,
    exactly,
)
from audiocls.audio.features.embedder import (
    Embedder,
    chosen_part,
    layout_from,
    remember,
)
from audiocls.audio.features.embeddings import EmbeddingOptions, Layout
from audiocls.audio.pack import Pack
from audiocls.digests import sync
from audiocls.encoders.pooling import sound_lengths
from audiocls.machine import reserve, writing

ROWS, DONE, LAYOUT = "rows.npy", "done.bin", "layout.json"
HEADER = 128
"""Bytes of an .npy header of these arrays."""


def open_embeddings(
    pack: Pack,
    pack_name: str,
    features: EmbeddingOptions,
    sample_rate: int,
    num_samples: int,
    cache: Path,
    extraction: Extraction = HERE,
) -> NDArray[np.float32]:
    """Open the features of every clip's middle `num_samples`, extracting their rows if needed.

    `sample_rate` is that of the pack, in Hz. The encoder is loaded only where rows are missing;
    one folder of them serves all its layers.

    Raises:
        ConfigError: the encoder does not take this rate or length, or lacks weights.
        DataError: its files are not here, and cannot be downloaded.
        MachineFault: the disk has no room for the rows.

    Shape: → (N, C, L)
    """
    key = cache_key(pack_name, features.row_identity(), num_samples, extraction.device)
    folder = cache / f"embeddings-{features.name}-{key}"
    partial = folder.with_name(f"{folder.name}.partial")

    def make(beside: Path) -> None:
        embedder = features.embedder(sample_rate).to(extraction.device)
        wrap = nn.Sequential(features.wave_normaliser(), embedder)
        rows = RowExtraction(pack, num_samples, sample_rate, partial, extraction.on_progress)
        rows.run(wrap, embedder)
        for name in (ROWS, LAYOUT):
            (partial / name).replace(beside / name)
        shutil.rmtree(partial)

    build_cache(folder, make, while_waiting=lambda: extraction.on_progress(0, 0))
    layout = layout_from(json.loads((folder / LAYOUT).read_text(encoding="utf-8")))
    remember(features, num_samples, sample_rate, layout)
    rows = np.asanyarray(np.load(folder / ROWS, mmap_mode="r"))
    return chosen_part(features, rows, layout)


class RowExtraction:
    """Rows of all clips of a pack, written as they are made.

    Args:
        num_samples: T, the window of each clip's middle.
        folder: of the rows and of what is done of them; other processes wait for its lock.
        on_progress: called after every batch.
    """

    def __init__(
        self, pack: Pack, num_samples: int, sample_rate: int, folder: Path, on_progress: OnProgress
    ) -> None:
        self.pack, self.num_samples, self.sample_rate = pack, num_samples, sample_rate
        self.folder, self.on_progress = folder, on_progress
        self.num_clips = len(pack.starts) - 1

    @torch.inference_mode()
    def run(self, compute: nn.Module, embedder: Embedder) -> None:
        """Compute what is missing. Shape: compute: (B, T) → (B, S)"""
        self.folder.mkdir(parents=True, exist_ok=True)
        layout = self._layout(compute, embedder)
        num_bytes = self.num_clips * layout.num_values * 4
        with writing(self.folder, num_bytes), self._opened(layout, num_bytes) as rows:
            done = self._done()
            left = [batch for batch in self.batches() if not done[batch].all()]
            for batch in left:
                self._write(rows, batch, self._computed(compute, batch), layout.num_values)
                done[batch] = True
                self.on_progress(int(done.sum()), self.num_clips)

    def batches(self) -> Iterator[NDArray[np.int64]]:
        """Yield the clips of each batch, which are of like length. Shape: → (B,)"""
        lengths = self._lengths()
        order = np.argsort(lengths, kind="stable")
        start = 0
        while start < len(order):
            most = max(1, min(MOST_CLIPS, MOST_SAMPLES // int(lengths[order[start]])))
            alike = order[start : start + most]
            alike = alike[lengths[alike] == lengths[order[start]]]
            yield alike
            start += len(alike)

    def _lengths(self) -> NDArray[np.int64]:
        """Return the samples until the end of each clip's sound. Shape: → (N,)"""
        every = np.arange(self.num_clips)
        parts = np.array_split(every, max(1, math.ceil(self.num_clips / 256)))
        return np.concatenate([self._lengths_of(part) for part in parts])

    def _lengths_of(self, clips: NDArray[np.int64]) -> NDArray[np.int64]:
        waveforms = torch.from_numpy(self.pack.centred(clips, self.num_samples))
        return sound_lengths(waveforms, self.sample_rate).numpy()

    def _computed(self, compute: nn.Module, clips: NDArray[np.int64]) -> NDArray[np.float32]:
        device = next((each.device for each in compute.parameters()), torch.device("cpu"))
        waveforms = torch.from_numpy(self.pack.centred(clips, self.num_samples)).to(device)
        with exactly():
            made: NDArray[np.float32] = compute(waveforms).float().cpu().numpy()
        return made

    def _layout(self, compute: nn.Module, embedder: Embedder) -> Layout:
        """Return the rows' layout, of a stored part of them or of the first clip."""
        file = self.folder / LAYOUT
        if not file.exists():
            self._computed(compute, np.arange(1))
            layout = embedder.layout
            file.write_text(json.dumps({"widths": layout.widths, "frames": layout.frames}))
        return layout_from(json.loads(file.read_text(encoding="utf-8")))

    def _opened(self, layout: Layout, num_bytes: int) -> BinaryIO:
        """Open the rows, whose room is taken first."""
        file = self.folder / ROWS
        if not file.exists():
            (self.folder / DONE).unlink(missing_ok=True)
            shape = (self.num_clips, layout.num_values)
            with file.open("wb") as new:
                reserve(new, HEADER + num_bytes)
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(new, header)
                assert new.tell() == HEADER, "numpy pads headers to 64 bytes"
        return file.open("r+b")

    def _done(self) -> NDArray[np.bool_]:
        """Return which clips are done. Shape: → (N,)"""
        file = self.folder / DONE
        if not file.exists() or file.stat().st_size != self.num_clips:
            file.write_bytes(bytes(self.num_clips))
        return np.frombuffer(file.read_bytes(), np.uint8).astype(bool)

    def _write(
        self,
        rows: BinaryIO,
        clips: NDArray[np.int64],
        values: NDArray[np.float32],
        num_values: int,
    ) -> None:
        """Write rows, and note them as done once they are on the disk. Shape: (B,), (B, S)"""
        assert values.shape == (len(clips), num_values), "rows are as long as the first one"
        for clip, row in zip(clips, values, strict=True):
            rows.seek(HEADER + int(clip) * num_values * 4)
            rows.write(np.ascontiguousarray(row, "<f4").data)
        rows.flush()
        os.fsync(rows.fileno())
        with (self.folder / DONE).open("r+b") as done:
            for clip in clips:
                done.seek(int(clip))
                done.write(b"\1")
        sync(self.folder / DONE)
