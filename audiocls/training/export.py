"""A checkpoint as one file that runs without audiocls: ONNX or TorchScript, checked for parity.

Legend: B batch, T samples, C channels, L frames, K classes.
"""

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from audiocls.errors import UsageError
from audiocls.training import onnx_file, torchscript_file
from audiocls.training.checkpoint import Checkpoint

TOLERANCE = 1e-3
"""Largest difference of a logit, in units of the largest one or of 1. Everything is float32; a
spectrogram sums hundreds of products, perhaps in another order, before its logarithm."""

Export = Callable[[nn.Module, Tensor, str, dict[str, str]], bytes]
Scorer = Callable[[Tensor], Tensor]
"""Inputs → logits, as the exported file computes them."""

FORMS: dict[str, tuple[Export, Callable[[bytes], Scorer]]] = {
    "onnx": (onnx_file.export, onnx_file.scorer),
    "torchscript": (torchscript_file.export, torchscript_file.scorer),
}


class ExportModule(nn.Module):
    """Front end and classifier in one, as they leave the house.

    Shape: waves (B, T) → (B, K)
    """

    def __init__(self, checkpoint: Checkpoint):
        super().__init__()
        self.front_end, self.classifier = checkpoint.front_end, checkpoint.classifier

    def forward(self, waves: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.front_end(waves))
        return logits


def export(checkpoint: Checkpoint, form: str, with_front_end: bool = True) -> tuple[bytes, float]:
    """The file's content, and the largest difference of its logits from the checkpoint's.

    The number of clips is free; their length is that of training. Without the front end the
    input are its features (B, C, L) instead of waves (B, T) in ±1.

    Raises:
        UsageError: a package is missing, the network holds what the form cannot express, or the
            exported network computes something else.
    """
    network = (ExportModule(checkpoint) if with_front_end else checkpoint.classifier).eval()
    facts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata(checkpoint, with_front_end).items()
    }
    examples = _examples(checkpoint, with_front_end)
    write, load = FORMS[form]
    content = write(network, examples[0], facts["input"], facts)
    return content, _parity(network, load(content), examples)


def metadata(checkpoint: Checkpoint, with_front_end: bool) -> dict[str, Any]:
    """What one must know to use the file, which holds it too, as text or as JSON.

    Labels in the order of the logits, the rate in Hz, the length in samples, and what goes in.
    """
    return {
        "labels": list(checkpoint.labels),
        "sample_rate": checkpoint.config.data.sample_rate,
        "num_samples": checkpoint.num_samples,
        "input": "waves" if with_front_end else "features",
        "output": "logits, sigmoid" if checkpoint.is_multi_label else "logits, softmax",
        "features": checkpoint.config.features.model_dump(mode="json"),
        "model": checkpoint.config.model.model_dump(mode="json"),
    }


def _examples(checkpoint: Checkpoint, with_front_end: bool) -> list[Tensor]:
    """Two clips of noise; a tone alone; these, a click and silence together."""
    noise = 0.1 * torch.randn(2, checkpoint.num_samples, generator=torch.Generator().manual_seed(0))
    tone = 0.5 * torch.sin(0.3 * torch.arange(checkpoint.num_samples)).unsqueeze(0)
    click, silence = torch.zeros(2, 1, checkpoint.num_samples)
    click[0, checkpoint.num_samples // 2] = 1.0
    waves = [noise, tone, torch.cat([noise, tone, click, silence])]
    if with_front_end:
        return waves
    with torch.no_grad():
        return [checkpoint.front_end(each) for each in waves]


@torch.no_grad()
def _parity(network: nn.Module, exported: Scorer, examples: list[Tensor]) -> float:
    """The largest difference of any logit; raises `UsageError` beyond `TOLERANCE`."""
    largest = 0.0
    for inputs in examples:
        expected = network(inputs)
        difference = float((_run(exported, inputs) - expected).abs().max())
        allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
        if not difference <= allowed:  # NaN is refused too
            raise _refused(
                f"logits differ from the checkpoint's by {difference:.2g} on {len(inputs)} clips; "
                f"allowed: {allowed:.2g}"
            )
        largest = max(largest, difference)
    return largest


def _run(exported: Scorer, inputs: Tensor) -> Tensor:
    try:
        return exported(inputs)
    except Exception as error:  # of the runtimes; theirs share no base class
        reason = str(error).strip().rpartition("\n")[2]
        raise _refused(f"inference fails on {len(inputs)} clips: {reason}") from error


def _refused(fault: str) -> UsageError:
    return UsageError(
        f"the exported network's {fault}. Nothing was written; try the other --format, or "
        "--no-front-end"
    )
