"""Options of `hf` and `hf_inputs` (torch-free); the modules are in `front_end.py`."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Literal

from audiocls.audio.features.embeddings import EmbeddingOptions, Layers, Pool
from audiocls.audio.features.options import FrontEndOptions, Level
from audiocls.encoders import Pretrained

if TYPE_CHECKING:
    from torch import nn

    from audiocls.audio.features.embedder import Embedder


def versions_of(*packages: str) -> list[str]:
    """Return packages with their versions, which may change a row's last bits."""
    return [f"{package} {_version(package)}" for package in packages]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def rate_faults(options: Pretrained, sample_rate: int) -> list[str]:
    """Return an error if an encoder whose files are here was trained at another rate (Hz)."""
    wanted = options.source.processor().get("sampling_rate")
    if wanted in (None, sample_rate):
        return []
    return [
        f"model: {options.model} takes {wanted} Hz, got {sample_rate} Hz; set "
        f"data.sample_rate={wanted}"
    ]


class HF(Pretrained, EmbeddingOptions):
    """A frozen encoder of transformers: AST, wav2vec2, HuBERT, WavLM, data2vec, Whisper, CLAP …

    Each clip passes it once, whatever layers and poolings are asked for. Rate and window are those
    of the encoder's own processor. Needs `audiocls[encoders]`; the weights have a licence of their
    own, which reports name. Not for augmented waveforms, unless time does not matter: the encoder
    would hear every clip in every epoch.
    """

    name: Literal["hf"] = "hf"
    layer: Layers = -1
    """0 is what the first block gets, k what block k puts out, -1 the last one; several or `all`
    become frames, which `attention` weighs."""
    pool: Pool = "mean"
    """Over a clip's frames; `frames` keeps them, of the whole window, zeros after its end too."""
    normalise: Literal["none", "train"] = "train"
    """Mean 0 and deviation 1 per channel over the training clips."""
    wave_normalise: Level = "none"
    """Level of each clip's waveform, before the encoder's own processor."""

    def check(self, sample_rate: int) -> list[str]:
        return rate_faults(self, sample_rate)

    def embedder(self, sample_rate: int) -> "Embedder":
        from audiocls.audio.features.hf.front_end import embedder

        return embedder(self, sample_rate)

    def row_identity(self) -> dict[str, Any]:
        framed = self.layer if self.pool == "frames" else None
        known = {"encoder": self.content(), "frames": framed, "level": self.wave_normalise}
        return known | {"by": versions_of("transformers")}

    def identity(self) -> dict[str, Any]:
        return super().identity() | {"model": self.content()}

    def notes(self) -> list[str]:
        return [self.source.note()]


class HFInputs(Pretrained, FrontEndOptions):
    """What an encoder's own processor makes of a clip: the input of `model.name=hf`.

    Log-mel bands for AST, Whisper and CLAP, the waveform for wav2vec2 and its relatives. Rate,
    window and normalisation are the encoder's. Computed once a clip where nothing random precedes.
    """

    name: Literal["hf_inputs"] = "hf_inputs"
    wave_normalise: Level = "none"
    """Level of each clip's waveform, before the encoder's own processor."""

    @property
    def has_known_shape(self) -> bool:
        return False

    def check(self, sample_rate: int) -> list[str]:
        return rate_faults(self, sample_rate)

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        """Return (C, L), by what the processor makes of silence."""
        from audiocls.audio.features.hf.front_end import input_shape

        return input_shape(self, num_samples, sample_rate)

    def build(self, sample_rate: int) -> "nn.Module":
        """Build the module for `sample_rate` Hz, (B, T) → (B, C, L)."""
        from audiocls.audio.features.hf.front_end import Inputs

        self.require_possible(sample_rate)
        return Inputs(self, sample_rate)

    def identity(self) -> dict[str, Any]:
        by = versions_of("transformers")
        return super().identity() | {"model": self.content(), "by": by}

    def notes(self) -> list[str]:
        return [self.source.note()]
