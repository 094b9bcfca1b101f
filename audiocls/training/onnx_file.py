"""ONNX: a network in one file for any runtime; the only module that uses onnx and onnxruntime.

Legend: B batch, K classes.
"""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn

from audiocls.errors import UsageError
from audiocls.extras import EXTRAS
from audiocls.training.stft_kernels import StftByKernels

NEEDED = EXTRAS["export"]
CLIPS = {0: "clips"}
OLDEST_TORCH = "2.8"
"""Whose exporter knows all that our networks do; that of 2.6 fails inside."""


def export(
    network: nn.Module,
    example: Tensor,
    name: str,
    facts: dict[str, str],
    free: Mapping[int, str] = CLIPS,
) -> bytes:
    """Return an ONNX file of the network.

    Args:
        example: an input.
        name: of the input; the output is `logits`.
        facts: metadata of the file.
        free: the input's axes of any length, and their names; others are as in the example.

    Raises:
        UsageError: packages are missing, or ONNX cannot express the network.

    Shape: example (B, …)
    """
    _require_packages()
    with _quiet(), StftByKernels():
        try:
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                verbose=False,
                input_names=[name],
                output_names=["logits"],
                dynamic_shapes=({axis: torch.export.Dim(each) for axis, each in free.items()},),
            )
        except torch.onnx.OnnxExporterError as error:
            raise UsageError(
                f"ONNX cannot express this network: {_cause(error)}. Try --format torchscript, or "
                "--no-front-end"
            ) from error
        assert program is not None
        program.model.metadata_props.update(facts)
        return bytes(program.model_proto.SerializeToString())


def scorer(content: bytes) -> Callable[[Tensor], Tensor]:
    """Return the file's network as a function.

    Raises:
        UsageError: onnxruntime cannot load the file.

    Shape: the function maps (B, …) → logits (B, K)
    """
    import onnxruntime  # type: ignore[import-untyped]

    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class
        raise UsageError(f"onnxruntime cannot run the exported network: {error}") from error
    [given] = session.get_inputs()

    def score(inputs: Tensor) -> Tensor:
        """Return logits. Shape: (B, …) → (B, K)"""
        [logits] = session.run(None, {given.name: inputs.numpy()})
        return torch.from_numpy(np.asarray(logits))

    return score


def _require_packages() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"export to ONNX needs {', '.join(missing)}: pip install 'audiocls[export]', or use "
            "--format torchscript"
        )
    if torch.__version__ < OLDEST_TORCH:
        raise UsageError(
            f"export to ONNX needs torch {OLDEST_TORCH} or newer; got {torch.__version__}: "
            "pip install 'audiocls[export]', or use --format torchscript"
        )


def _cause(error: BaseException) -> str:
    """Return the first line of the innermost error, below the exporter's own reports."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the exporter's output: its progress and, before an error, its graphs."""
    logger, silence = logging.getLogger("torch"), io.StringIO()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns that torchvision's operators are missing
    try:
        with warnings.catch_warnings(), redirect_stdout(silence), redirect_stderr(silence):
            # Warnings about the exporter's own code and onnxscript's.
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)
