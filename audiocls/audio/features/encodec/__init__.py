"""Options of `encodec` (torch-free); the code lies in `front_end.py` and `weights.py`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from audiocls.audio.features.limits import require_possible
from audiocls.options import Options

if TYPE_CHECKING:
    from audiocls.audio.features.encodec.front_end import EncodecFrontEnd

SAMPLE_RATE = 24000
"""Hz, of the only model offered."""
HOP = 320
"""Samples a frame: 75 frames a second."""
WIDTH = 128
"""Numbers a frame."""
BANDWIDTHS = (1.5, 3.0, 6.0, 12.0, 24.0)
"""kbps; a codebook of 1024 entries takes 10 bits × 75 frames a second, 0.75 kbps."""


def _offered(bandwidth: float) -> float:
    if bandwidth not in BANDWIDTHS:
        allowed = ", ".join(f"{kbps:g}" for kbps in BANDWIDTHS)
        raise ValueError(f"got {bandwidth:g} kbps, allowed: {allowed}")
    return bandwidth


class Encodec(Options):
    """EnCodec's 24 kHz encoder, fixed: 75 frames a second of 128 numbers, once a clip.

    Défossez et al., "High fidelity neural audio compression" (arXiv 2210.13438). Needs the extra
    `audiocls[encodec]`: that package, its code and its weights, is licensed CC-BY-NC-4.0, not for
    commercial use. Where its weights cannot be had, `untrained` tests everything but the answer.
    """

    name: Literal["encodec"] = "encodec"
    wave_normalise: Literal["none", "abs_max", "standard"] = "none"
    """Of each clip's wave nothing, its peak to 1, or its mean to 0 and deviation to 1."""
    output: Literal["embeddings", "codes"] = "embeddings"
    """What the encoder says, or the sum of the codebook entries that stand for it."""
    bandwidth: Annotated[float, AfterValidator(_offered)] = BANDWIDTHS[0]
    """kbps of the codes: 1.5, 3, 6, 12 or 24 for 2, 4, 8, 16 or 32 codebooks."""
    weights: str = Field(default="pretrained", min_length=1)
    """`pretrained` (downloaded once), `untrained` (seeded noise), or a file of a state_dict."""

    @property
    def num_codebooks(self) -> int:
        return round(self.bandwidth / 0.75)

    @property
    def weights_file(self) -> Path | None:
        """The file that the weights are read from, whose content belongs to every id."""
        return None if self.weights in ("pretrained", "untrained") else Path(self.weights)

    @property
    def uses_training_statistics(self) -> bool:
        """Only untrained: what it says then is 0.02 whatever it hears, and 0.001 of the clip."""
        return self.weights == "untrained"

    @property
    def is_learned(self) -> bool:
        """No: learned once, by others; a trial does not train it."""
        return False

    def shape(self, num_samples: int) -> tuple[int, int]:
        """(128, frames) of the features of a clip, without building anything."""
        return WIDTH, -(-num_samples // HOP)

    def check(self, sample_rate: int) -> list[str]:
        """Faults at `sample_rate` Hz."""
        if sample_rate == SAMPLE_RATE:
            return []
        return [
            f"sample_rate: got {sample_rate} Hz, allowed: {SAMPLE_RATE}, which EnCodec was made "
            f"for; resample on reading: --set data.sample_rate={SAMPLE_RATE}"
        ]

    def build(self, sample_rate: int) -> "EncodecFrontEnd":
        from audiocls.audio.features.encodec import front_end, weights

        require_possible(self, sample_rate)
        encoder, codebooks = weights.load(self.weights, self.num_codebooks)
        return front_end.EncodecFrontEnd(encoder, codebooks, self.output)
