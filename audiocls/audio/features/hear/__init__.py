"""Options of `hear` (torch-free); the module is in `front_end.py`."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from audiocls.audio.features.embeddings import EmbeddingOptions
from audiocls.audio.features.options import Level
from audiocls.parts import Call, OrText, OwnPart

if TYPE_CHECKING:
    from audiocls.audio.features.embedder import Embedder


class HearModel(OwnPart):
    """A module's `load_model`, called with further keys as its options, such as a file of weights.

    Beside it the module has `get_scene_embeddings` and `get_timestamp_embeddings`.
    """

    CALL: ClassVar = Call("features", "HEAR model", (), makes=True)


class Hear(EmbeddingOptions):
    """A frozen encoder with the HEAR interface, by import string: `hear21passt.base:load_model`.

    Turian et al., 2022 (arXiv 2203.03022): PaSST, CREPE, OpenL3, BYOL-A, SERAB … The module is one
    of yours to trust, as any own part; licences of weights are not known here. Not for augmented
    waveforms, unless time does not matter.
    """

    name: Literal["hear"] = "hear"
    model: Annotated[HearModel, OrText()]
    """The module's `load_model`, with its options."""
    pool: Literal["mean", "frames"] = "mean"
    """`mean`: the scene's embedding, as the model makes it; `frames`: those of its time stamps."""
    normalise: Literal["none", "train"] = "train"
    """Mean 0 and deviation 1 per channel over the training clips."""
    wave_normalise: Level = "none"
    """Level of each clip's waveform."""

    @property
    def layer(self) -> int:
        """The only one."""
        return 0

    def check(self, sample_rate: int) -> list[str]:
        return []

    def embedder(self, sample_rate: int) -> "Embedder":
        from audiocls.audio.features.hear.front_end import embedder

        return embedder(self, sample_rate)

    def row_identity(self) -> dict[str, Any]:
        known = self.model.model_dump(mode="json")
        return {"encoder": known, "frames": self.pool == "frames", "level": self.wave_normalise}
