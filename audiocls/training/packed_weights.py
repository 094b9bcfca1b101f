"""The weights and buffers of K trials as rows of few tensors, of which the trials' own are views.

Legend: K trials, P trainable weights of one.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from audiocls.optim.stacked import StackedUpdate
from audiocls.training.state import TrainingState

PREFIX = "classifier."


class PackedWeights:
    """Trainable weights as one matrix, everything else stacked tensor by tensor."""

    def __init__(self, states: Sequence[TrainingState]):
        self._states = states
        self._trained = [_trained(state.classifier) for state in states]
        self._sizes = [parameter.numel() for _, parameter in self._trained[0]]
        self.flat = torch.stack(
            [_joined([p.detach() for _, p in parameters]) for parameters in self._trained]
        )
        """(K, P)."""
        self.decay = torch.stack([self._decay_of(k) for k in range(len(states))])
        """(K, P): the weight decay of each weight."""
        others = zip(*(_others(state.classifier) for state in states), strict=True)
        names = _names_of_others(states[0].classifier)
        self.buffers = {
            PREFIX + name: torch.stack([tensor.detach() for tensor in same])
            for name, same in zip(names, others, strict=True)
        }
        """Name → (K, …): buffers and frozen weights."""

    def bind(self) -> None:
        """Make the trials' own tensors rows of these, which keep their place in memory."""
        for k, state in enumerate(self._states):
            for (_, parameter), row in zip(self._trained[k], self._rows(self.flat[k]), strict=True):
                row.copy_(parameter.detach().flatten())
                parameter.data = row.view_as(parameter)
            for tensor, stacked in zip(
                _others(state.classifier), self.buffers.values(), strict=True
            ):
                stacked[k].copy_(tensor.detach())
                tensor.data = stacked[k]

    def _rows(self, row: Tensor) -> Iterator[Tensor]:
        """Yield the parts of a row that are one parameter each. Shape: row (P,) → (p,) each"""
        yield from torch.split(row, self._sizes)

    def _decay_of(self, k: int) -> Tensor:
        """Return the weight decay of each weight of a trial. Shape: → (P,)"""
        groups = self._states[k].optimizer.param_groups
        decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
        each = [torch.full_like(p, decays[id(p)]) for _, p in self._trained[k]]
        return _joined(each)

    def trained(self) -> dict[str, Tensor]:
        """Return the trainable weights by name, views of `flat`. Shape: → (K, …) each"""
        parts = torch.split(self.flat, self._sizes, dim=1)
        return {
            PREFIX + name: part.view(-1, *parameter.shape)
            for (name, parameter), part in zip(self._trained[0], parts, strict=True)
        }

    def flattened(self, gradients: dict[str, Tensor]) -> Tensor:
        """Return gradients by name as one matrix. Shape: (K, …) each → (K, P)"""
        names = (PREFIX + name for name, _ in self._trained[0])
        return torch.cat([gradients[name].flatten(1) for name in names], dim=1)

    def load_moment(self, moment: Tensor, name: str) -> None:
        """Fill a stacked moment with those of the trials' optimisers. Shape: moment (K, P)"""
        for k, state in enumerate(self._states):
            held = state.optimizer.state
            for (_, parameter), row in zip(self._trained[k], self._rows(moment[k]), strict=True):
                if parameter in held and held[parameter].get(name) is not None:
                    row.copy_(held[parameter][name].flatten())

    def store(self, update: StackedUpdate, num_done: int) -> None:
        """Give the trials tensors of their own again, and their optimisers what was updated."""
        for k, state in enumerate(self._states):
            for index, (_, parameter) in enumerate(self._trained[k]):
                parameter.data = parameter.data.clone()
                held = state.optimizer.state[parameter]
                for moment, name in zip(update.moments, update.names, strict=True):
                    row = torch.split(moment[k], self._sizes)[index]
                    held[name] = row.view_as(parameter).clone()
                if update.names[0] == "exp_avg":
                    steps = held.get("step", torch.zeros((), device=parameter.device))
                    held["step"] = steps + num_done
            for tensor in _others(state.classifier):
                tensor.data = tensor.data.clone()


def _trained(classifier: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in classifier.named_parameters() if p.requires_grad]


def _others(classifier: nn.Module) -> list[Tensor]:
    frozen = [p for p in classifier.parameters() if not p.requires_grad]
    return [*frozen, *classifier.buffers()]


def _names_of_others(classifier: nn.Module) -> list[str]:
    frozen = [name for name, p in classifier.named_parameters() if not p.requires_grad]
    return [*frozen, *(name for name, _ in classifier.named_buffers())]


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in tensors])
