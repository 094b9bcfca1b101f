"""A graph without a GPU: operations are noted as they are sent, and sent again on a replay.

As in a CUDA graph, Python runs at the capture alone, so that all numbers of the host are constants,
each operation reads and writes the memory that it had then, and a capture computes nothing: what it
wrote is put back. Dropout draws from the generator of its branch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from audiocls.training.branches import Branch

UNDECLARED = ("running_mean", "running_var")
"""What batch normalisation overwrites, although its schema does not say so."""


class _Tape(TorchDispatchMode):
    """Notes operations with their arguments and results, and what they overwrite."""

    def __init__(self, before: dict[int, tuple[Tensor, Tensor]]):
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[Tensor]]] = []
        self._before = before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for tensor in _written(func, args, kwargs or {}):
            self._before.setdefault(tensor.untyped_storage().data_ptr(), (tensor, _saved(tensor)))
        result = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, _tensors(result)))
        return result

    def replay(self) -> None:
        for func, args, kwargs, results in self.operations:
            for into, new in zip(results, _tensors(func(*args, **kwargs)), strict=True):
                if into.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    into.copy_(new)


def _tensors(value: Any) -> list[Tensor]:
    return [each for each in tree_leaves(value) if isinstance(each, Tensor)]


def _saved(tensor: Tensor) -> Tensor:
    """Return a copy of all memory that a tensor is a view of."""
    storage = tensor.untyped_storage()
    return torch.tensor([], dtype=torch.uint8).set_(storage.clone())


def _written(func: Any, args: Any, kwargs: Any) -> Iterator[Tensor]:
    for index, argument in enumerate(func._schema.arguments):
        is_declared = argument.alias_info is not None and argument.alias_info.is_write
        if is_declared or argument.name in UNDECLARED:
            yield from _tensors(args[index] if index < len(args) else kwargs.get(argument.name))


@contextmanager
def _drawing_from(generator: torch.Generator) -> Iterator[None]:
    before = torch.default_generator.get_state()
    torch.default_generator.set_state(generator.get_state())
    try:
        yield
    finally:
        generator.set_state(torch.default_generator.get_state())
        torch.default_generator.set_state(before)


class TapeBranches:
    """Branches on a CPU, one after the other, with what a graph of them would be."""

    def __init__(self, num_branches: int, device: torch.device, rate_dtype=torch.float64):
        self.rate_dtype: torch.dtype = rate_dtype
        self.num_captures = 0

    def run(self, branches: Sequence[Branch]) -> None:
        for branch in branches:
            with _drawing_from(branch.generators[0]):
                branch.compute()

    def capture(self, branches: Sequence[Branch]) -> Callable[[], None]:
        self.num_captures += 1
        before: dict[int, tuple[Tensor, Tensor]] = {}
        generators = [each for branch in branches for each in branch.generators]
        states = [generator.get_state() for generator in generators]
        tapes = []
        for branch in branches:
            with _drawing_from(branch.generators[0]), _Tape(before) as tape:
                branch.compute()
            tapes.append(tape)
        with torch.no_grad():
            for tensor, saved in before.values():
                whole = torch.tensor([], dtype=torch.uint8).set_(tensor.untyped_storage())
                whole.copy_(saved)
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)

        @torch.no_grad()
        def replay() -> None:
            for branch, tape in zip(branches, tapes, strict=True):
                with _drawing_from(branch.generators[0]):
                    tape.replay()

        return replay
