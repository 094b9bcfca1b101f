"""Weights from elsewhere: what was taken of them, what was not, and why."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from audiocls.errors import ConfigError
from audiocls.formatting import join_names
from audiocls.training.checkpoint_metadata import unreadable, weights_file
from audiocls.training.classifier import Classifier

OWN = "standardise."
"""Statistics of the clips that are trained on now, never of those that were."""
HEAD = "model.head."
"""The last layer of every model: of use only to whoever tells the same classes apart."""


@dataclass(frozen=True)
class Weights:
    """Trained tensors by the classifier's names, and the classes of their last layer, if any."""

    source: str
    tensors: Mapping[str, Tensor]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Transfer:
    """A report on one source of weights; the names are the classifier's."""

    source: str
    taken: tuple[str, ...]
    other_shape: tuple[str, ...]
    """There in both, in another shape."""
    missing: tuple[str, ...]
    """Of the classifier and not in the source, or of other classes."""

    def sentence(self) -> str:
        """`40 of 42 tensors from runs/…; other shape: model.head.weight, model.head.bias`."""
        total = len(self.taken) + len(self.other_shape) + len(self.missing)
        text = f"{len(self.taken)} of {total} tensors from {self.source}"
        for reason, names in (("other shape", self.other_shape), ("not there", self.missing)):
            text += f"; {reason}: {join_names(names)}" if names else ""
        return text


def weights_from(path: Path) -> Weights:
    """The weights of a checkpoint: a trial's folder or a `.safetensors` file.

    Raises `UsageError` naming the file if there is none or it is damaged.
    """
    file = weights_file(path)
    try:
        tensors = load(file.read_bytes())
        labels = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))["labels"]
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise unreadable("init_from", file, error) from error
    return Weights(str(path), tensors, tuple(labels))


def load_matching_weights(
    classifier: Classifier, weights: Weights, labels: tuple[str, ...]
) -> Transfer:
    """Copy every tensor whose name and shape fit; the last layer only between the same `labels`.

    Raises `ConfigError` if nothing before the last layer fits: training would silently start
    from nothing.
    """
    own = {name: t for name, t in classifier.state_dict().items() if not name.startswith(OWN)}
    offered = {
        name: tensor
        for name, tensor in weights.tensors.items()
        if weights.labels == labels or not name.startswith(HEAD)
    }
    fits = {name for name in own.keys() & offered if offered[name].shape == own[name].shape}
    learned = {name for name, _ in classifier.named_parameters() if not name.startswith(HEAD)}
    if not fits & learned:
        fault = (
            "none of its weights before the last layer fits this model by name and shape; "
            f"it has {join_names(offered)}"
        )
        raise ConfigError(f"weights of {weights.source}", [fault])
    for name in fits:
        own[name].copy_(offered[name])
    return Transfer(
        source=weights.source,
        taken=tuple(name for name in own if name in fits),
        other_shape=tuple(name for name in own if name in offered and name not in fits),
        missing=tuple(name for name in own if name not in offered),
    )


def freeze(classifier: Classifier, names: Iterable[str]) -> None:
    """Train these parameters no further; the last layer always learns."""
    frozen = {name for name in names if not name.startswith(HEAD)}
    for name, parameter in classifier.named_parameters():
        parameter.requires_grad_(name not in frozen)
