"""Export of a checkpoint to one file that runs without audiocls (ONNX or TorchScript).

Legend: B batch, T samples, C channels, L frames, K classes.
"""

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from audiocls.errors import UsageError, did_you_mean
from audiocls.training import onnx_file, torchscript_file
from audiocls.training.checkpoint import Checkpoint

TOLERANCE = 1e-3
"""Largest difference of a logit, relative to the largest logit or to 1 if that is smaller.

Everything is float32; a spectrogram sums hundreds of products, perhaps in another order, before its
logarithm."""

Export = Callable[[nn.Module, Tensor, str, dict[str, str]], bytes]
"""(network, example input, name of the input, metadata) → content of the file."""
Scorer = Callable[[Tensor], Tensor]
"""Inputs → logits, as the exported file computes them."""

FORMS: dict[str, tuple[Export, Callable[[bytes], Scorer]]] = {
    "onnx": (onnx_file.export, onnx_file.scorer),
    "torchscript": (torchscript_file.export, torchscript_file.scorer),
}


class ExportModule(nn.Module):
    """Front end and classifier as one module for export."""

    def __init__(self, checkpoint: Checkpoint):
        super().__init__()
        self.front_end, self.classifier = checkpoint.front_end, checkpoint.classifier

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return logits. Shape: waveforms (B, T) in ±1 → (B, K)"""
        logits: Tensor = self.classifier(self.front_end(waveforms))
        return logits


def export(checkpoint: Checkpoint, form: str, with_front_end: bool = True) -> tuple[bytes, float]:
    """Return the file's content, and the largest difference of its logits from the checkpoint's.

    The number of clips is free; their length is that of training.

    Args:
        form: one of `FORMS`.
        with_front_end: whether the input is waveforms (B, T) in ±1, or their features (B, C, L).

    Raises:
        UsageError: there is no such form, a package is missing, the network contains operations
            that the form cannot express, or the exported network computes other logits.
    """
    if form not in FORMS:
        allowed = f"--format: got {form!r}; allowed: {', '.join(FORMS)}."
        raise UsageError(allowed + did_you_mean(form, FORMS))
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
    """Return what a user of the file must know; the file holds it too, as text or as JSON.

    Labels in the order of the logits, the sample rate in Hz, the length in samples, and what input
    and output are.
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


def input_description(checkpoint: Checkpoint, with_front_end: bool) -> str:
    """Return shape and meaning of the file's input as text."""
    data, features = checkpoint.config.data, checkpoint.config.features
    if with_front_end:
        return f"waveforms (clips, {checkpoint.num_samples}) in ±1 at {data.sample_rate} Hz"
    channels, frames = checkpoint.config.in_shape
    return f"features (clips, {channels}, {frames}) as {features.name} gives them"


def _examples(checkpoint: Checkpoint, with_front_end: bool) -> list[Tensor]:
    """Return test inputs: two clips of noise; a tone; these, a click and silence in one batch.

    Shape: each (B, T), or (B, C, L) without the front end, with B of 2, 1 and 5
    """
    noise = 0.1 * torch.randn(2, checkpoint.num_samples, generator=torch.Generator().manual_seed(0))
    tone = 0.5 * torch.sin(0.3 * torch.arange(checkpoint.num_samples)).unsqueeze(0)
    click, silence = torch.zeros(2, 1, checkpoint.num_samples)
    click[0, checkpoint.num_samples // 2] = 1.0
    waveforms = [noise, tone, torch.cat([noise, tone, click, silence])]
    if with_front_end:
        return waveforms
    with torch.no_grad():
        return [checkpoint.front_end(each) for each in waveforms]


@torch.no_grad()
def _parity(network: nn.Module, exported: Scorer, examples: list[Tensor]) -> float:
    """Return the largest difference of any logit; raise `UsageError` beyond `TOLERANCE`.

    Shape: examples, each (B, …)
    """
    largest = 0.0
    for inputs in examples:
        expected = network(inputs)
        difference = float((_run(exported, inputs) - expected).abs().max())
        allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
        if not difference <= allowed:  # also if it is NaN
            raise _rejected(
                f"logits differ from the checkpoint's by {difference:.2g} on {len(inputs)} clips; "
                f"allowed: {allowed:.2g}"
            )
        largest = max(largest, difference)
    return largest


def _run(exported: Scorer, inputs: Tensor) -> Tensor:
    """Return the exported network's logits, any error as `UsageError`. Shape: (B, …) → (B, K)"""
    try:
        return exported(inputs)
    except Exception as error:  # the runtimes' errors share no base class
        reason = str(error).strip().rpartition("\n")[2]
        raise _rejected(f"inference fails on {len(inputs)} clips: {reason}") from error


def _rejected(problem: str) -> UsageError:
    return UsageError(
        f"the exported network's {problem}. Nothing was written; try the other --format, or "
        "--no-front-end"
    )
