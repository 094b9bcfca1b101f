"""TorchScript: a traced network in one file, for C++ and for phones.

Legend: B batch, K classes.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from audiocls.errors import UsageError


def export(network: nn.Module, example: Tensor, name: str, facts: dict[str, str]) -> bytes:
    """The traced network, `facts` as its extra files; TorchScript keeps no input's `name`.

    Raises:
        UsageError: the tracer cannot follow the network; the message says where it stopped.

    Shape: example (B, …)
    """
    buffer = io.BytesIO()
    with _quiet(), torch.no_grad():
        try:
            traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            raise UsageError(
                f"TorchScript cannot express this network: {error}. Try --format onnx"
            ) from error
        torch.jit.save(traced, buffer, _extra_files=facts)
    return buffer.getvalue()


def scorer(content: bytes) -> Callable[[Tensor], Tensor]:
    """The file's network, as a function from inputs (B, …) to logits (B, K)."""
    with _quiet():
        loaded = torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]
    return lambda inputs: torch.as_tensor(loaded(inputs))


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        # Of every shape that is read as a number: only the number of clips is promised to be
        # free, and whoever exports compares logits for several numbers of clips.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        # torch 2.11 would have torch.export instead, which C++ and phones cannot load as widely.
        warnings.filterwarnings("ignore", ".*torch.jit.* is (deprecated|not supported)")
        yield
