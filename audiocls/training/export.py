"""Export of a checkpoint to one file that runs without audiocls (ONNX or TorchScript).

Legend: B batch, T samples, C channels, L frames, K classes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

import audiocls
from audiocls.errors import UsageError, did_you_mean
from audiocls.training import onnx_file, torchscript_file
from audiocls.training.any_length import AnyLength
from audiocls.training.checkpoint import Checkpoint

TOLERANCE = 1e-3
"""Largest difference of a logit, relative to the largest logit or to 1 if that is smaller.

Everything is float32; a spectrogram sums hundreds of products, perhaps in another order, before its
logarithm."""

Export = Callable[[nn.Module, Tensor, str, dict[str, str], Mapping[int, str]], bytes]
"""(network, example input, name of the input, metadata, axes of any length) → the file."""
Scorer = Callable[[Tensor], Tensor]
"""Inputs → logits, as the exported file computes them."""

FORMS: dict[str, tuple[Export, Callable[[bytes], Scorer]]] = {
    "onnx": (onnx_file.export, onnx_file.scorer),
    "torchscript": (torchscript_file.export, torchscript_file.scorer),
}


def export(checkpoint: Checkpoint, form: str, with_front_end: bool = True) -> tuple[bytes, float]:
    """Return the file's content, and the largest difference of its logits from the checkpoint's.

    The number of clips is free, and so is the length of waveforms; that of features is not.

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
    network = (AnyLength(checkpoint) if with_front_end else checkpoint.classifier).eval()
    facts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata(checkpoint, with_front_end).items()
    }
    examples = _examples(checkpoint, with_front_end)
    write, load = FORMS[form]
    free = {0: "clips", 1: "samples"} if with_front_end else {0: "clips"}
    content = write(network, examples[0], facts["input"], facts, free)
    return content, _parity(network, load(content), examples)


def metadata(checkpoint: Checkpoint, with_front_end: bool) -> dict[str, Any]:
    """Return what a user of the file must know; the file holds it too, as text or as JSON.

    Labels in the order of the logits, the sample rate in Hz, the samples per clip in training, and
    what input and output are.
    """
    return {
        "audiocls": audiocls.__version__,
        "labels": list(checkpoint.labels),
        "sample_rate": checkpoint.sample_rate,
        "num_samples": checkpoint.num_samples,
        "input": "waves" if with_front_end else "features",
        **(_of_waves(checkpoint) if with_front_end else _of_features(checkpoint)),
        "output": "logits, sigmoid" if checkpoint.is_multi_label else "logits, softmax",
        "features": checkpoint.config.features.model_dump(mode="json"),
        "model": checkpoint.config.model.model_dump(mode="json"),
    }


def _of_waves(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what a waveform has to be."""
    return {
        "input_shape": ["clips", "samples"],
        "input_dtype": "float32",
        "input_range": [-1.0, 1.0],
        "channels": "one: the mean of all",
        "length": "any",
        "padding": (
            f"inside the file: zeros follow, up to a multiple of {checkpoint.num_samples} samples; "
            f"probabilities are averaged over windows of {checkpoint.num_samples}"
        ),
    }


def _of_features(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what features have to be."""
    return {
        "input_shape": ["clips", *checkpoint.config.in_shape],
        "input_dtype": "float32",
        "length": f"that of {checkpoint.num_samples} samples",
        "padding": "zeros follow the waveform, before its features are computed",
    }


def input_description(checkpoint: Checkpoint, with_front_end: bool) -> str:
    """Return shape and meaning of the file's input as text."""
    if with_front_end:
        rate = checkpoint.sample_rate
        return f"waveforms (clips, samples) of any length, mono, float32 in ±1, at {rate} Hz"
    channels, frames = checkpoint.config.in_shape
    name = checkpoint.config.features.name
    return f"features (clips, {channels}, {frames}) as {name} gives them"


def _examples(checkpoint: Checkpoint, with_front_end: bool) -> list[Tensor]:
    """Return test inputs: two clips of noise; a tone; these, a click and silence in one batch.

    With the front end, two of these are shorter and longer than a clip of training as well.

    Shape: each (B, T), or (B, C, L) without the front end, with B of 2, 1 and 5
    """
    noise = 0.1 * torch.randn(2, checkpoint.num_samples, generator=torch.Generator().manual_seed(0))
    tone = 0.5 * torch.sin(0.3 * torch.arange(checkpoint.num_samples)).unsqueeze(0)
    click, silence = torch.zeros(2, 1, checkpoint.num_samples)
    click[0, checkpoint.num_samples // 2] = 1.0
    waveforms = [noise, tone, torch.cat([noise, tone, click, silence])]
    if with_front_end:
        long = torch.cat([noise, noise.flip(1)[:, : checkpoint.num_samples // 3]], dim=1)
        return [long, *waveforms, noise[:, : 1 + checkpoint.num_samples // 3]]
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
