"""Initial weights from a checkpoint or from pre-training, and a report of what was copied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from audiocls.errors import ConfigError
from audiocls.formatting import join_names
from audiocls.training.checkpoint_metadata import read_files, unreadable, weights_file
from audiocls.training.classifier import Classifier

NOT_TRANSFERRED = "standardise."
"""Prefix of the statistics of the present training clips, which are never replaced."""
HEAD = "model.head."
"""Prefix of the last layer of every model, which is copied only if the classes are the same."""
MODEL = "model."


@runtime_checkable
class AdaptsWeights(Protocol):
    """A model that can take tensors of another shape than its own."""

    def adapted(self, name: str, tensor: Tensor) -> Tensor:
        """Return a tensor of the shape that this model has by that name. Shape: any → any"""


@dataclass(frozen=True)
class Weights:
    """Trained tensors by the classifier's names, and the classes of their last layer, if any."""

    source: str
    """Where they are from, for reports."""
    tensors: Mapping[str, Tensor]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Transfer:
    """A report on one source of weights; all names are of tensors of the classifier."""

    source: str
    taken: tuple[str, ...]
    """Copied."""
    other_shape: tuple[str, ...]
    """Present in the source with another shape, not copied."""
    missing: tuple[str, ...]
    """Absent from the source, or of other classes."""

    def sentence(self) -> str:
        """Return it as text: `40 of 42 tensors from runs/…; other shape: model.head.weight, …`."""
        total = len(self.taken) + len(self.other_shape) + len(self.missing)
        text = f"{len(self.taken)} of {total} tensors from {self.source}"
        for reason, names in (("other shape", self.other_shape), ("not there", self.missing)):
            text += f"; {reason}: {join_names(names)}" if names else ""
        return text


def weights_from(path: Path) -> Weights:
    """Return the weights of a checkpoint: a trial's folder or a `.safetensors` file.

    Raises:
        UsageError: there is no such file, or it is damaged.
    """
    file = weights_file(path)
    try:
        content, description = read_files(file)
        tensors = load(content)
    except (OSError, SafetensorError, ValueError) as error:
        raise unreadable("init_from", file, error) from error
    return Weights(str(path), tensors, tuple(description["labels"]))


def load_matching_weights(
    classifier: Classifier, weights: Weights, labels: tuple[str, ...]
) -> Transfer:
    """Copy every tensor whose name and shape match into `classifier`; report on all of them.

    Args:
        labels: the classifier's classes; the last layer is copied only if they are the same.

    Raises:
        ConfigError: no parameter before the last layer matches, so that training would start from
            random weights.
    """
    current = {
        name: t
        for name, t in classifier.state_dict().items()
        if not name.startswith(NOT_TRANSFERRED)
    }
    offered = {
        name: _adapted(classifier, name, tensor)
        for name, tensor in weights.tensors.items()
        if weights.labels == labels or not name.startswith(HEAD)
    }
    matching = {
        name for name in current.keys() & offered if offered[name].shape == current[name].shape
    }
    learned = {name for name, _ in classifier.named_parameters() if not name.startswith(HEAD)}
    if not matching & learned:
        problem = (
            "none of its weights before the last layer fits this model by name and shape; "
            f"it has {join_names(offered)}"
        )
        raise ConfigError(f"weights of {weights.source}", [problem])
    for name in matching:
        current[name].copy_(offered[name])  # in place: a state dict shares memory with its module
    return Transfer(
        source=weights.source,
        taken=tuple(name for name in current if name in matching),
        other_shape=tuple(name for name in current if name in offered and name not in matching),
        missing=tuple(name for name in current if name not in offered),
    )


def _adapted(classifier: Classifier, name: str, tensor: Tensor) -> Tensor:
    """Return a tensor as the model takes it, if it has a way to. Shape: any → any"""
    model: object = classifier.model
    if not name.startswith(MODEL) or not isinstance(model, AdaptsWeights):
        return tensor
    return model.adapted(name.removeprefix(MODEL), tensor)


def freeze(classifier: Classifier, names: Iterable[str]) -> None:
    """Exclude these parameters from training, except for the last layer."""
    frozen = {name for name in names if not name.startswith(HEAD)}
    for name, parameter in classifier.named_parameters():
        parameter.requires_grad_(name not in frozen)
