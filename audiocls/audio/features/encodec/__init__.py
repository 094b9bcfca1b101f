"""Options of `encodec` (torch-free); the code lies in `front_end.py` and `weights.py`."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from audiocls.audio.features.options import FrontEndOptions, Level
from audiocls.encoders import Pretrained, source_of
from audiocls.errors import DataError
from audiocls.options import added

if TYPE_CHECKING:
    from audiocls.audio.features.encodec.front_end import EncodecFrontEnd

SAMPLE_RATE = 24000
"""Hz, of the only model offered."""
HOP = 320
"""Samples between frames: 75 frames per second."""
WIDTH = 128
"""Channels of the embedding."""
NAMED = ("pretrained", "untrained")
"""Weights by name rather than by file."""
UNTRAINED_VERSION = 2
"""Raise it whenever `untrained` means other weights: caches of features depend on it."""
BANDWIDTHS = (1.5, 3.0, 6.0, 12.0, 24.0)
"""kbps; a codebook of 1024 entries takes 10 bits × 75 frames per second = 0.75 kbps."""


def _offered(bandwidth: float) -> float:
    if bandwidth not in BANDWIDTHS:
        allowed = ", ".join(f"{kbps:g}" for kbps in BANDWIDTHS)
        raise ValueError(f"got {bandwidth:g} kbps, allowed: {allowed}")
    return bandwidth


class Encodec(FrontEndOptions):
    """EnCodec's 24 kHz encoder with fixed weights: 75 frames per second of 128 channels, cached.

    Défossez et al., "High fidelity neural audio compression" (arXiv 2210.13438). Needs the extra
    `audiocls[encodec]`: that package, its code and its weights, is licensed CC-BY-NC-4.0, not for
    commercial use. Without access to the weights, `untrained` runs the same code on random ones:
    good for tests, meaningless as a result.
    """

    name: Literal["encodec"] = "encodec"
    wave_normalise: Level = "none"
    """Level of each clip's waveform: unchanged, to peak 1, or to mean 0 and deviation 1."""
    output: Literal["embeddings", "codes"] = "embeddings"
    """The encoder's embedding, or its quantised version: the sum of the chosen entries."""
    bandwidth: Annotated[float, AfterValidator(_offered)] = BANDWIDTHS[0]
    """kbps of the codes: 1.5, 3, 6, 12 or 24 for 2, 4, 8, 16 or 32 codebooks."""
    weights: str = Field(default="pretrained", min_length=1)
    """`pretrained` (downloaded once), `untrained` (seeded noise), or a file of a state_dict. By
    transformers: `facebook/encodec_24khz@commit`, or a folder with config.json and safetensors."""
    package: Literal["encodec", "transformers"] = added("encodec")
    """Whose code it is: the authors', or that of transformers (Apache-2.0, `audiocls[encoders]`).
    The weights have a licence of their own either way, which the report names."""

    @model_validator(mode="after")
    def _weights_suit_the_package(self) -> "Encodec":
        if self.package == "transformers":
            if self.weights in NAMED:
                raise ValueError(
                    f"weights: got {self.weights!r}, but package is transformers; wanted: "
                    "facebook/encodec_24khz@commit, or a folder"
                )
            source_of(self.weights)
        return self

    @property
    def num_codebooks(self) -> int:
        return round(self.bandwidth / 0.75)

    @property
    def encoder(self) -> Pretrained | None:
        """Where transformers gets the weights; none under the authors' package."""
        return Pretrained(model=self.weights) if self.package == "transformers" else None

    @property
    def weights_file(self) -> Path | None:
        """File of the weights, whose content is part of every id; none for the named weights."""
        is_named = self.weights in NAMED or self.package == "transformers"
        return None if is_named else Path(self.weights)

    @property
    def uses_training_statistics(self) -> bool:
        """Whether features are standardised: only those of untrained weights need it."""
        # Channels of random weights differ in scale and offset as those of trained ones do not.
        return self.weights == "untrained"

    def identity(self) -> dict[str, Any]:
        """Return what features depend on, a file of weights by its digest instead of its path.

        A file that was moved is the same front end; one that was overwritten is another.
        """
        known = super().identity() | {"weights": self.weights_digest()}
        # Embeddings are those of any bandwidth.
        return known | ({} if self.output == "codes" else {"bandwidth": BANDWIDTHS[0]})

    def with_output(self, output: Literal["embeddings", "codes"]) -> "Encodec":
        """Return these options with another output."""
        return self.model_copy(update={"output": output})

    def weights_digest(self) -> str:
        """Return the SHA-256 of the file of weights, or the words that name the weights.

        Raises:
            DataError: the file cannot be read.
        """
        file = self.weights_file
        if self.weights == "untrained":
            return f"untrained, version {UNTRAINED_VERSION}"
        if self.encoder is not None:
            return self.encoder.content()
        if file is None:
            return self.weights
        try:
            with file.open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise DataError(
                f"features {self.name}: the weights {file} cannot be read ({error.strerror}); "
                "allowed for features.weights: pretrained, untrained, or the path of a state_dict"
            ) from error

    def notes(self) -> list[str]:
        if self.encoder is not None:
            return [self.encoder.source.note()]
        return ["EnCodec's weights are untrained"] if self.weights == "untrained" else []

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        return WIDTH, -(-num_samples // HOP)

    def check(self, sample_rate: int) -> list[str]:
        if sample_rate == SAMPLE_RATE:
            return []
        return [
            f"sample_rate: got {sample_rate} Hz, allowed: {SAMPLE_RATE}, which EnCodec was made "
            f"for; resample on reading: --set data.sample_rate={SAMPLE_RATE}"
        ]

    def build(self, sample_rate: int) -> "EncodecFrontEnd":
        from audiocls.audio.features.encodec import front_end, weights

        self.require_possible(sample_rate)
        encoder, codebooks = weights.load(self.weights, self.num_codebooks, self.package)
        return front_end.EncodecFrontEnd(encoder, codebooks, self.output)
