"""Checkpoints: weights as safetensors, beside a JSON file with configuration and labels."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from audiocls.audio.features.normalise import Standardise
from audiocls.config import Config, identity_config, resolve
from audiocls.errors import ConfigError, UsageError
from audiocls.parts import OwnPart, own_parts
from audiocls.parts.code import place_of
from audiocls.parts.origin import of_checkpoint
from audiocls.training.checkpoint_metadata import WEIGHTS, read_files, weights_file
from audiocls.training.classifier import Classifier

CHECKPOINT_SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """A trained classifier with its front end, on the CPU and in evaluation mode."""

    config: Config
    labels: tuple[str, ...]
    """Class names in the order of the logits."""
    front_end: nn.Module
    """Waveforms (B, T) in ±1 → inputs of the classifier; includes waveform normalisation."""
    classifier: Classifier
    notes: tuple[str, ...] = ()
    """Caveats: code of own parts that was changed since."""

    @property
    def sample_rate(self) -> int:
        """Of the waveforms that go in, in Hz."""
        return self.config.data.sample_rate

    @property
    def num_samples(self) -> int:
        """T: samples per clip in training."""
        return self.config.num_samples

    @property
    def is_multi_label(self) -> bool:
        """Whether a clip may have several labels, so that probabilities are sigmoids of logits."""
        return self.config.data.is_multi_label

    @torch.inference_mode()
    def probabilities(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return each label's probability in each window. Shape: (W, T) → (W, K)"""
        logits: Tensor = self.classifier(self.front_end(torch.from_numpy(waveforms)))
        known = logits.sigmoid() if self.is_multi_label else logits.softmax(1)
        return known.double().numpy()


def weights_of(classifier: Classifier) -> bytes:
    """Return the weights and the standardisation's statistics as safetensors."""
    return save_weights(classifier.state_dict())


def save_weights(tensors: Mapping[str, Tensor]) -> bytes:
    """Return a state dict as safetensors."""
    return save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})


def description_of(config: Config, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the content of the JSON file beside the weights."""
    facts = {"schema": CHECKPOINT_SCHEMA, "config": identity_config(config), "labels": list(labels)}
    modules = [part.module for _, part in own_parts(config)]
    places = {module.partition(".")[0]: place_of(module) for module in modules}
    return {**facts, "modules": places} if places else facts


def load_checkpoint(path: Path, known: Collection[str] = ()) -> Checkpoint:
    """Return the checkpoint in a trial's folder, or of a `.safetensors` file.

    `known` are own parts that the user's files name, and so the checkpoint may, too.

    Raises:
        UsageError: a file is missing, damaged or of another network.
        ConfigError: an own part is not trusted, not there, or fails.
    """
    weights = weights_file(path)
    description = weights.with_suffix(".json")
    for file in (weights, description):
        if not file.is_file():
            raise UsageError(
                f"{file}: no such file. A checkpoint is the folder of a finished trial "
                f"(runs/<study>/trials/<id>) or the {WEIGHTS} in it"
            )
    try:
        tensors, content = read_files(weights)
        if content["schema"] != CHECKPOINT_SCHEMA:
            raise ValueError(f"schema: got {content['schema']}, allowed: {CHECKPOINT_SCHEMA}")
        origin = of_checkpoint(description).knowing(known)
        config = resolve([content["config"]], str(description), origin)
        labels = tuple(content["labels"])
        restored = _restored(config, len(labels), load(tensors))
    except ConfigError as error:
        raise ConfigError(error.where, [*error.faults, *_trained_with(content)]) from error
    except (KeyError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        # RuntimeError: weights of another network than the description's.
        raise UsageError(f"{weights}: not a checkpoint of audiocls: {error}") from error
    return Checkpoint(config, labels, *restored, notes=tuple(_changes(config)))


def _trained_with(content: dict[str, Any]) -> list[str]:
    """Return where the modules of own parts were when the checkpoint was trained."""
    places = dict(content.get("modules") or {})
    return [f"it was trained with {package} of {place}" for package, place in places.items()]


def _changes(config: Config) -> Iterator[str]:
    for part in (config.features, config.model):
        if isinstance(part, OwnPart) and part.is_changed():
            yield f"{part.what}: its code was changed since this checkpoint was trained"


def _restored(
    config: Config, num_classes: int, tensors: dict[str, Tensor]
) -> tuple[nn.Module, Classifier]:
    """Return front end and classifier with these weights, in evaluation mode.

    Shape: tensors of any shapes (*), by the classifier's names
    """
    features, rate = config.features, config.data.sample_rate
    classifier = Classifier(
        features.learned_front_end(rate),
        Standardise(config.in_shape[0]),
        config.model.build(config.in_shape, num_classes),
    )
    classifier.load_state_dict(tensors)
    front_end = nn.Sequential(features.wave_normaliser(), features.fixed_front_end(rate))
    return front_end.eval(), classifier.eval()
