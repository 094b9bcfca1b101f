"""Groups of a model's parameters: which of them decay, and at which rate they learn.

Biases, normalisation scales, weight norm's magnitudes and every other parameter that holds one
number per channel are not decayed, unless all are. Torch-free.
"""

from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import nn

Decays = Literal["weights", "all"]
"""What `weight_decay` acts on: tensors of more than one number per channel, or all of them."""


@runtime_checkable
class ScalesRates(Protocol):
    """A model whose layers learn at rates of their own."""

    def rate_scales(self) -> dict[str, float]:
        """Return the factor of the learning rate for each trained parameter, by its name."""


def parameter_groups(
    model: "nn.Module", lr: float, weight_decay: float | None, decays: Decays = "weights"
) -> list[dict[str, Any]]:
    """Return parameter groups by weight decay, and by learning rate where a model scales it.

    A group of its own rate has its factor of `lr` as `lr_scale`; the greatest comes first. Without
    a `weight_decay` the optimiser's own holds for all.
    """
    scales = _scales(model)
    if not set(scales.values()) - {1.0}:
        return _by_decay([*scales], weight_decay, decays)
    return [
        {**group, "lr": lr * scale, "lr_scale": scale}
        for scale in sorted(set(scales.values()), reverse=True)
        for group in _by_decay([p for p, s in scales.items() if s == scale], weight_decay, decays)
    ]


def decay_groups(
    model: "nn.Module", weight_decay: float, decays: Decays = "weights"
) -> list[dict[str, Any]]:
    """Return parameter groups: weights with `weight_decay`, one-per-channel numbers with 0.

    Under `decays` "all" there is one group, of all parameters, in which all decay.

    Frozen parameters are in neither; an empty group is left out.
    """
    return _by_decay([p for p in model.parameters() if p.requires_grad], weight_decay, decays)


def is_decayed(parameter: "nn.Parameter") -> bool:
    """Whether a parameter (C, …) holds more than one number per channel."""
    return parameter.ndim > 1 and parameter.numel() > parameter.shape[0]


def _by_decay(
    parameters: "list[nn.Parameter]", weight_decay: float | None, decays: Decays
) -> list[dict[str, Any]]:
    if weight_decay is None:
        return [{"params": parameters}]
    if decays == "all":
        return [{"params": parameters, "weight_decay": weight_decay}]
    groups = [
        {"params": [p for p in parameters if is_decayed(p)], "weight_decay": weight_decay},
        {"params": [p for p in parameters if not is_decayed(p)], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _scales(model: "nn.Module") -> "dict[nn.Parameter, float]":
    """Return the factor of each trained parameter's rate, where a part of the model has any."""
    scales: dict[nn.Parameter, float] = {}
    for part in model.modules():
        if isinstance(part, ScalesRates):
            known = part.rate_scales()
            scales |= {p: known[name] for name, p in part.named_parameters() if name in known}
    return {p: scales.get(p, 1.0) for p in model.parameters() if p.requires_grad}
