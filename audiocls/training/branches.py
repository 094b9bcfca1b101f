"""Branches of a step that a GPU computes side by side, at once or later from a captured graph.

After "CUDA semantics: CUDA graphs" of torch's documentation. Nothing here was run on a device yet.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch

from audiocls.errors import AudioclsError
from audiocls.training.memory import is_out_of_memory


@dataclass(frozen=True)
class Branch:
    """What one trial, or several fused, compute in a step."""

    compute: Callable[[], None]
    generators: Sequence[torch.Generator]
    """All that it draws from; what takes none, such as dropout, draws from the first."""


class Branches(Protocol):
    """Computes as many branches as it was opened for, each on a stream of its own."""

    @property
    def rate_dtype(self) -> torch.dtype:
        """What the optimisers' kernels read a learning rate on the device as."""

    def run(self, branches: Sequence[Branch]) -> None:
        """Compute them now; what follows on the device waits for all."""

    def capture(self, branches: Sequence[Branch]) -> Callable[[], None]:
        """Return what computes them again and again on the same memory; nothing is computed now."""


class CudaBranches:
    """Branches on streams of a CUDA device; graphs share one pool of memory."""

    rate_dtype = torch.float32

    def __init__(self, num_branches: int, device: torch.device):
        self._device = device
        self._streams = [torch.cuda.Stream(device) for _ in range(num_branches)]  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, branches: Sequence[Branch]) -> None:
        # The streams are those of the capture: a gradient's memory belongs to the stream that it
        # was first computed on.
        main = torch.cuda.current_stream(self._device)
        for branch, stream in zip(branches, self._streams, strict=True):
            stream.wait_stream(main)
            with torch.cuda.stream(stream), _drawing_from(branch.generators[0]):
                branch.compute()
        for stream in self._streams:
            main.wait_stream(stream)

    def capture(self, branches: Sequence[Branch]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        for generator in (each for branch in branches for each in branch.generators):
            graph.register_generator_state(generator)
        try:
            # Threads of trackers and of data loading may go on meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
                self.run(branches)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise AudioclsError(
                f"the training step cannot be captured as a CUDA graph: {error}. Leave "
                "--per-device out, so that it is computed operation by operation"
            ) from error
        return graph.replay


@contextmanager
def _drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Let what takes no generator, such as dropout, draw from this one of a CUDA device."""
    default = torch.cuda.default_generators[torch.cuda.current_device()]
    before = default.graphsafe_get_state()
    default.graphsafe_set_state(generator.graphsafe_get_state())
    try:
        yield
    finally:
        default.graphsafe_set_state(before)


def open_branches(num_branches: int, device: torch.device) -> Branches:
    """Return what computes branches on a CUDA device; there are no graphs elsewhere."""
    assert device.type == "cuda", "packing.form_on says so"
    return CudaBranches(num_branches, device)
