"""Options of `timm` (torch-free); the module is in `front_end.py`."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, PositiveInt

from audiocls.audio.features.embeddings import EmbeddingOptions, Layers, Pool
from audiocls.audio.features.hf import versions_of
from audiocls.audio.features.logmel import LogMel
from audiocls.audio.features.options import Level
from audiocls.encoders import Pretrained

if TYPE_CHECKING:
    from audiocls.audio.features.embedder import Embedder


class Timm(Pretrained, EmbeddingOptions):
    """A frozen network for images that hears log-mel bands as one, by timm.

    The bands are standardised clip by clip; the first layer takes one channel for three colours.
    Each clip passes it once, whatever layers are asked for. Needs `audiocls[timm]`; the weights
    have a licence of their own, which reports name. What it learned from photographs is little:
    `model.name=timm` trains it on.
    """

    name: Literal["timm"] = "timm"
    n_mels: PositiveInt = 128
    """Mel bands: the height of the image."""
    n_fft: int = Field(default=1024, ge=2)
    """Samples per Fourier transform."""
    hop: PositiveInt = 320
    """Samples between frames."""
    layer: Layers = -1
    """-1 is what the network's own head gets; the others are its stages, from 0."""
    pool: Pool = "mean"
    """Over an image's places; `frames` keeps them."""
    normalise: Literal["none", "train"] = "train"
    """Mean 0 and deviation 1 per channel over the training clips."""
    wave_normalise: Level = "none"
    """Level of each clip's waveform."""

    @property
    def needed_extras(self) -> tuple[str, ...]:
        return ("timm",)

    def bands(self) -> LogMel:
        """Return the options of the bands."""
        return LogMel(n_mels=self.n_mels, n_fft=self.n_fft, hop=self.hop, normalise="clip")

    def check(self, sample_rate: int) -> list[str]:
        return self.bands().check(sample_rate)

    def embedder(self, sample_rate: int) -> "Embedder":
        from audiocls.audio.features.timm.front_end import embedder

        return embedder(self, sample_rate)

    def row_identity(self) -> dict[str, Any]:
        framed = self.layer if self.pool == "frames" else None
        known = {"encoder": self.content(), "frames": framed, "level": self.wave_normalise}
        return known | {"bands": self.bands().identity(), "by": versions_of("timm")}

    def identity(self) -> dict[str, Any]:
        return super().identity() | {"model": self.content()}

    def notes(self) -> list[str]:
        return [self.source.note()]
