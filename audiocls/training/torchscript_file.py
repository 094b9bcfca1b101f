"""TorchScript: a traced network in one file, for C++ and for phones.

Legend: B batch, K classes.
"""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from audiocls.errors import UsageError


def export(
    network: nn.Module,
    example: Tensor,
    name: str,
    facts: dict[str, str],
    free: Mapping[int, str] | None = None,
) -> bytes:
    """Return a TorchScript file of the traced network.

    Args:
        example: an input to trace with.
        name: ignored: TorchScript does not store names of inputs.
        facts: the file's extra files, by name.
        free: ignored: a trace leaves free what it can.

    Raises:
        UsageError: the tracer cannot express the network.

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
    """Return the file's network as a function.

    Shape: the function maps (B, …) → logits (B, K)
    """
    with _quiet():
        loaded = torch.jit.load(io.BytesIO(content))  # type: ignore[no-untyped-call]
    return lambda inputs: torch.as_tensor(loaded(inputs))


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress warnings of tracing and of TorchScript's deprecation."""
    with warnings.catch_warnings():
        # A TracerWarning per shape that becomes a constant: only the number of clips must stay
        # free, which `export` checks by comparing logits for several numbers of clips.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        # torch 2.11 recommends torch.export, which C++ and phones cannot load as widely.
        warnings.filterwarnings("ignore", ".*torch.jit.* is (deprecated|not supported)")
        yield
