"""A file that `export` wrote as ONNX, as a predictor: onnxruntime computes it, without torch.

Legend: W windows, T samples, K classes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audiocls.errors import UsageError

SUFFIX = ".onnx"
NEEDED = "onnxruntime"


@dataclass(frozen=True)
class OnnxModel:
    """An exported network, on the CPU, with what its metadata say."""

    labels: tuple[str, ...]
    sample_rate: int
    num_samples: int
    is_multi_label: bool
    session: Any
    """Of onnxruntime."""
    notes: tuple[str, ...] = ()

    def probabilities(self, waveforms: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return each label's probability in each window. Shape: (W, T) → (W, K)"""
        [given] = self.session.get_inputs()
        [logits] = self.session.run(None, {given.name: waveforms})
        values = np.asarray(logits, dtype=np.float64)
        if self.is_multi_label:
            values = values - np.logaddexp(0.0, values)  # log of the sigmoid
        else:
            values = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
        known: NDArray[np.float64] = np.exp(values)
        return known


def load_onnx(file: Path) -> OnnxModel:
    """Return the network of a file.

    Raises:
        UsageError: onnxruntime is missing or cannot read the file, or `audiocls export` did not
            write it from waveforms to logits.
    """
    if not file.is_file():
        raise UsageError(f"{file}: no such file; audiocls export TRIAL --out {file} writes it")
    if find_spec(NEEDED) is None:
        raise UsageError(
            f"{file}: predictions of an ONNX file need {NEEDED}, which is not installed: pip "
            f"install {NEEDED}; or give the trial that it was exported from"
        )
    import onnxruntime  # type: ignore[import-untyped]

    try:
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class
        raise UsageError(f"{file}: onnxruntime cannot read it: {error}") from error
    return _described(file, session, session.get_modelmeta().custom_metadata_map)


def _described(file: Path, session: Any, facts: Mapping[str, str]) -> OnnxModel:
    if facts.get("input") == "features":
        raise UsageError(f"{file}: takes features and no audio; export it with --front-end")
    try:
        return OnnxModel(
            labels=tuple(json.loads(facts["labels"])),
            sample_rate=int(facts["sample_rate"]),
            num_samples=int(facts["num_samples"]),
            is_multi_label=facts["output"].endswith("sigmoid"),
            session=session,
        )
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{file}: its metadata name no labels, sample rate and length ({error}): audiocls "
            "export did not write it, and predictions would be guesses"
        ) from error
