"""`Pretrained`, the options that name an encoder (torch-free), and who may let it run code."""

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo, model_validator

from audiocls.encoders.source import Source, source_of
from audiocls.options import Options, added
from audiocls.parts.origin import Origin, is_trusted_encoder


def _named(name: str) -> str:
    source_of(name)
    return name


EncoderName = Annotated[str, AfterValidator(_named)]


class Pretrained(Options):
    """Options of whatever starts from a pretrained encoder."""

    model: EncoderName
    """`owner/name@commit` of the Hub, or a folder with config.json and *.safetensors."""
    remote_code: bool = added(False)
    """Whether the encoder's own Python files may be run. Named by a server or a checkpoint, it
    needs `--trust owner/name` besides."""

    @model_validator(mode="after")
    def _code_is_trusted(self, info: ValidationInfo) -> "Pretrained":
        origin = info.context if isinstance(info.context, Origin) else Origin()
        source = self.source
        if not self.remote_code or origin.is_trusted or is_trusted_encoder(source.repository):
            return self
        who = source.repository or source.name
        raise ValueError(
            f"remote_code: would run the Python files of {who}, and it is named by {origin.place}, "
            f"not by a file of yours. If you trust them: --trust {who}"
        )

    @property
    def needed_extras(self) -> tuple[str, ...]:
        """Extras of audiocls without which it cannot be loaded."""
        return ("encoders",)

    @property
    def source(self) -> Source:
        """Where the encoder is."""
        return source_of(self.model)

    def content(self) -> str:
        """Return what identifies the encoder: name and revision, or the digest of its folder.

        Raises `DataError` for a folder that holds none.
        """
        source = self.source
        return source.name if source.is_on_hub else f"sha256:{source.digest()}"
