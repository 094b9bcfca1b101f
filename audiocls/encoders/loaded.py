"""The door to transformers: an encoder's processor and its network.

What would make an encoder's answer depend on chance is switched off: the masks that wav2vec2 and
its relatives draw in training from NumPy's generator, and the skipping of whole layers.

Legend: B batch, T samples, L frames, D width.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

from audiocls.encoders.hub import folder_of
from audiocls.encoders.options import Pretrained
from audiocls.errors import ConfigError

EXTRA = "encoders"
UNUSED = ("masked_spec_embed",)
"""Parameters that some checkpoints lack, and nothing here uses."""
Attention = Literal["eager"] | None
"""`eager` has gradients that are the same to the bit each time, on GPUs as well."""


class Processor:
    """What an encoder's authors do to a waveform before its network: one clip like another.

    Args:
        extractor: transformers' feature extractor, whose rate and window are the encoder's.
    """

    def __init__(self, extractor: Any):
        self.extractor = extractor
        self.sample_rate = int(extractor.sampling_rate)
        self.input_name = str(extractor.model_input_names[0])
        self.is_by_bands = type(extractor).__name__.startswith("Whisper")
        """Whether its network takes (B, bands, frames), and not frames first as others do."""

    @property
    def num_axes(self) -> int:
        """Axes of the network's input, the batch's included."""
        return self(torch.zeros(1, self.most_samples or self.sample_rate)).ndim

    @property
    def most_samples(self) -> int | None:
        """Samples of the longest clip that it takes whole; none where any length is."""
        return window_of(vars(self.extractor))

    def __call__(self, waveforms: Tensor) -> Tensor:
        """Return what the network takes.

        Shape: (B, T) → (B, …)
        """
        clips = [clip.numpy() for clip in waveforms.detach().float().cpu()]
        made = self.extractor(clips, sampling_rate=self.sample_rate, return_tensors="pt")
        return torch.as_tensor(made[self.input_name]).to(waveforms.device)


def window_of(facts: dict[str, Any]) -> int | None:
    """Return the samples of a processor's window, by what it says of itself; none without one.

    >>> window_of({"max_length": 1024, "num_mel_bins": 128, "sampling_rate": 16000})
    163840
    """
    for name in ("nb_max_samples", "n_samples"):  # CLAP's, Whisper's
        if facts.get(name):
            return int(facts[name])
    if facts.get("max_length") and "num_mel_bins" in facts:  # AST's frames are 10 ms apart
        return int(facts["max_length"]) * int(facts["sampling_rate"]) // 100
    return None


class Encoder(nn.Module):
    """An encoder's network as a function from its input to the output of every layer.

    Layer 0 is what the first block gets, layer k what block k puts out; the last one has passed
    the final normalisation as well.

    Shape: (B, …) as `Processor` makes it → list of (B, L, D)
    """

    def __init__(self, network: nn.Module, input_name: str):
        super().__init__()
        self.network = network
        self.input_name = input_name

    def forward(self, inputs: Tensor) -> list[Tensor]:
        made = self.network(**{self.input_name: inputs}, output_hidden_states=True)
        layers = [_frames(hidden) for hidden in made.hidden_states]
        return [*layers[:-1], _frames(made.last_hidden_state)]

    def last(self, inputs: Tensor) -> Tensor:
        """Return the last layer. Shape: (B, …) → (B, L, D)"""
        return _frames(self.network(**{self.input_name: inputs}).last_hidden_state)

    @property
    def width(self) -> int:
        """D of the last layer."""
        config: Any = self.network.config
        return int(getattr(config, "hidden_size", None) or config.d_model)

    def keep_no_activations(self) -> None:
        """Compute activations again in the backward pass, with the same chance as in the first."""
        network: Any = self.network
        newer = getattr(network, "activation_checkpointing_enable", None)  # since 5.24
        (newer or network.gradient_checkpointing_enable)({"use_reentrant": False})


def as_features(made: Tensor, is_by_bands: bool) -> Tensor:
    """Return a network's input as features. Shape: (B, T), (B, L, C), (B, 1, L, C) → (B, C, L)"""
    if made.ndim == 2:
        return made.unsqueeze(1)
    if made.ndim == 4:
        return made[:, 0].transpose(1, 2)
    return made if is_by_bands else made.transpose(1, 2)


def as_inputs(features: Tensor, num_axes: int, is_by_bands: bool) -> Tensor:
    """Return features as a network's input of so many axes: `as_features` undone.

    Shape: (B, C, L) → (B, T), (B, L, C) or (B, 1, L, C)
    """
    if num_axes == 2:
        return features.squeeze(1)
    if num_axes == 4:
        return features.transpose(1, 2).unsqueeze(1)
    return features if is_by_bands else features.transpose(1, 2)


def _frames(hidden: Tensor) -> Tensor:
    """Return a picture's places as frames. Shape: (B, L, D) or (B, D, H, W) → (B, L, D)"""
    return hidden if hidden.ndim == 3 else hidden.flatten(2).transpose(1, 2)


def blocks_of(network: nn.Module) -> str:
    """Return the dotted name of the outermost list of blocks; empty without one."""
    lists = [name for name, part in network.named_modules() if isinstance(part, nn.ModuleList)]
    named = [name for name in lists if name.rpartition(".")[2] in ("layers", "layer", "blocks")]
    return min(named, key=lambda name: name.count("."), default="")


def load_processor(options: Pretrained) -> Processor:
    """Return an encoder's processor, from its files.

    Raises:
        ConfigError: transformers is missing, or knows no such processor.
        DataError: the files are not here and cannot be downloaded.
    """
    with _door(options) as auto:
        folder = folder_of(options.source, options.remote_code)
        if not (folder / "preprocessor_config.json").is_file():
            fault = f"{folder} has no preprocessor_config.json, so that its rate is not known"
            raise ConfigError(f"the encoder {options.model}", [fault])
        return Processor(
            auto.AutoFeatureExtractor.from_pretrained(
                folder, trust_remote_code=options.remote_code, local_files_only=True
            )
        )


def load_encoder(
    options: Pretrained, input_name: str, attention: Attention = None, is_random: bool = False
) -> Encoder:
    """Return an encoder with its weights, or with random ones from the global generator.

    Always in float32. Raises as `load_processor`, and `ConfigError` where weights are missing.
    """
    with _door(options) as auto:
        folder = folder_of(options.source, options.remote_code)
        known = {"trust_remote_code": options.remote_code, "local_files_only": True}
        config = _calm(auto.AutoConfig.from_pretrained(folder, **known))
        if is_random:
            network = auto.AutoModel.from_config(config, attn_implementation=attention)
        else:
            network = _with_weights(auto, folder, config, attention, known)
    network = _audio_part(network)
    for name, parameter in network.named_parameters():
        if name.rpartition(".")[2] in UNUSED:
            parameter.requires_grad_(False)
    return Encoder(network.float(), input_name)


def _with_weights(
    auto: Any, folder: Path, config: Any, attention: Attention, known: dict[str, Any]
) -> Any:
    network, loading_info = auto.AutoModel.from_pretrained(
        folder,
        config=config,
        use_safetensors=True,
        dtype=torch.float32,
        attn_implementation=attention,
        output_loading_info=True,
        **known,
    )
    missing = [key for key in loading_info["missing_keys"] if key.rpartition(".")[2] not in UNUSED]
    if missing or loading_info.get("mismatched_keys"):
        bad = sorted(map(str, [*missing, *loading_info.get("mismatched_keys", ())]))
        fault = f"{len(bad)} tensors are missing or of another shape, the first {bad[0]}"
        raise ConfigError(f"the encoder in {folder}", [f"{fault}; they would be random"])
    return network


def load_codec(options: Pretrained, sample_rate: int) -> tuple[nn.Module, Tensor]:
    """Return EnCodec's encoder at `sample_rate` Hz, weight normalisation folded in, and codebooks.

    Raises as `load_encoder`, and `ConfigError` for a codec of another rate.

    Shape: → encoder (B, 1, T) → (B, D, L), codebooks (Q, E, D)
    """
    with _door(options) as auto:
        folder = folder_of(options.source)
        codec = auto.EncodecModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, local_files_only=True
        )
    if codec.config.sampling_rate != sample_rate:
        fault = f"its rate is {codec.config.sampling_rate} Hz, wanted: {sample_rate} Hz"
        raise ConfigError(f"the encoder {options.model}", [fault])
    for part in codec.encoder.modules():
        if is_parametrized(part, "weight"):
            remove_parametrizations(part, "weight")
    return codec.encoder, torch.stack([layer.codebook.embed for layer in codec.quantizer.layers])


def _calm(config: Any) -> Any:
    """Switch off what draws from chance, in a configuration and those inside it."""
    for part in (config, getattr(config, "audio_config", None)):
        if part is not None:
            for name, value in (("apply_spec_augment", False), ("layerdrop", 0.0)):
                if hasattr(part, name):
                    setattr(part, name, value)
            if hasattr(part, "encoder_layerdrop"):
                part.encoder_layerdrop = 0.0
    return config


def _audio_part(network: Any) -> Any:
    """Return the part that hears: CLAP has one that reads as well, Whisper one that writes."""
    if hasattr(network, "audio_model"):
        return network.audio_model
    return network.get_encoder() if network.config.is_encoder_decoder else network


@contextmanager
def _door(options: Pretrained) -> Iterator[Any]:
    """Yield transformers, silent; raise `ConfigError` where it is missing or fails."""
    where = f"the encoder {options.model}"
    try:
        import transformers
    except ModuleNotFoundError as error:
        fault = f"{error.name} is not installed; it is an extra: pip install 'audiocls[{EXTRA}]'"
        raise ConfigError(where, [fault]) from error
    chatty = logging.getLogger("transformers")
    level = chatty.level
    chatty.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield transformers
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ConfigError(where, [f"transformers {transformers.__version__}: {error}"]) from error
    finally:
        chatty.setLevel(level)
