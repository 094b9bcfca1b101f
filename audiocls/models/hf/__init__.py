"""Options of `hf` (torch-free); the network is in `network.py`."""

from typing import TYPE_CHECKING, Literal

from audiocls.models.fine_tuning import FineTuning
from audiocls.models.options import EMPTY, frame_problems, require_compatible

if TYPE_CHECKING:
    from torch import nn


class HFModel(FineTuning):
    """An encoder of transformers, trained on: AST, wav2vec2, HuBERT, WavLM, data2vec, Whisper …

    Takes what its own processor makes: `features.name=hf_inputs` of the same encoder. Needs
    `audiocls[encoders]`; the weights have a licence of their own. What transformers draws from
    chance in training, masks and skipped layers, is switched off.
    """

    name: Literal["hf"] = "hf"

    def check(self, in_shape: tuple[int, int]) -> list[str]:
        """Return why features of (channels, frames) cannot be classified; empty if they can."""
        return frame_problems(in_shape[1], 1, EMPTY)

    def build(self, in_shape: tuple[int, int], num_classes: int) -> "nn.Module":
        """Return the network with its first weights; raise `ConfigError` as `check` has it."""
        from audiocls.models.hf import network

        require_compatible(self, in_shape)
        return network.build(self, num_classes)
