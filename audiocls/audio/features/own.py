"""Options of anybody's front end, `name: "package.module:attribute"` (torch-free).

Legend: B batch, C channels, L frames, T samples.
"""

import functools
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import ConfigDict

from audiocls.audio.features.options import FrontEndOptions, Level
from audiocls.errors import ConfigError
from audiocls.parts import Call, OwnPart
from audiocls.parts.own import is_options

if TYPE_CHECKING:
    from torch import nn


class OwnFeatures(OwnPart, FrontEndOptions):
    """A front end of your own, called (sample_rate, **options): waveforms (B, T) → (B, C, L).

    Its shape is measured on silence, once it is built. A fixed one is computed once a clip and
    kept, as shipped ones are.
    """

    model_config = ConfigDict(extra="allow")  # of the two bases the last one counts

    CALL: ClassVar = Call("features", "features", ("sample_rate",), (("sample_rate",),))

    learned: bool = False
    """Whether it is trained with the model."""
    wave_normalise: Level = "none"
    """Level of each clip's waveform: unchanged, to peak 1, or to mean 0 and deviation 1."""
    normalise: Literal["none", "train"] = "train"
    """Mean 0 and deviation 1 per channel over the training clips."""

    @property
    def uses_training_statistics(self) -> bool:
        return self.normalise == "train" and not self.learned

    @property
    def is_learned(self) -> bool:
        return self.learned

    @property
    def has_known_shape(self) -> bool:
        return False

    def check(self, sample_rate: int) -> list[str]:
        return []

    def shape(self, num_samples: int, sample_rate: int) -> tuple[int, int]:
        """Return (C, L) of silence, by building the front end for `sample_rate` Hz."""
        return _measured(self, num_samples, sample_rate)

    def build(self, sample_rate: int) -> "nn.Module":
        """Build the module for `sample_rate` Hz; raise `ConfigError` for a part that makes none."""
        from torch import nn

        part = self.load()
        arguments = self.arguments(part)
        if is_options(part):
            made = part(**arguments).build(sample_rate)
        else:
            made = part(sample_rate=sample_rate, **arguments)
        if not isinstance(made, nn.Module):
            fault = f"makes {type(made).__name__}; wanted: a torch.nn.Module"
            raise ConfigError(self.what, [fault])
        return made


@functools.lru_cache(maxsize=64)
def _measured(features: OwnFeatures, num_samples: int, sample_rate: int) -> tuple[int, int]:
    """Return (C, L) at `sample_rate` Hz; the global generators are left as they were."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        out = features.build(sample_rate).eval()(torch.zeros(1, num_samples))
    if not isinstance(out, torch.Tensor) or out.ndim != 3 or len(out) != 1:
        got = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        fault = f"maps waveforms (1, {num_samples}) to {got}; wanted: (1, C, L)"
        raise ConfigError(features.what, [fault])
    return out.shape[1], out.shape[2]
