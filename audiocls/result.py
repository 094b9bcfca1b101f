"""`report_result`: five lines in anybody's training script that make its trial comparable.

It needs the standard library alone, and numpy where it is handed predictions.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULT, PREDICTIONS = "AUDIOCLS_RESULT", "AUDIOCLS_PREDICTIONS"
"""Variables that name the files for a trial's result and its predictions."""
MARK = "AUDIOCLS"
"""Begins the line of output that holds the result, where no file is named."""
RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Variables by which one of several processes knows its number; the first one reports."""


def report_result(
    metrics: Mapping[str, Any],
    cost: Mapping[str, Any] | None = None,
    predictions: Mapping[str, Any] | None = None,
    **counts: int,
) -> None:
    """Report a trial's result to the ablation that runs it; print it where none does.

    `cost` may hold num_params, macs, epochs, steps, samples, gradient_passes, and wall_s and
    process_s in seconds; `counts` are num_train, num_val and num_test, in clips. `predictions` are
    columns of one row a test clip: `clip`, `label`, and `predicted` or `logits`, shape (clips,
    classes); `source` names the recording that a clip was cut from.
    """
    if next((os.environ[name] for name in RANKS if name in os.environ), "0") != "0":
        return
    content: dict[str, Any] = {"metrics": _plain(metrics), **_plain(counts)}
    content |= {"cost": _plain(cost)} if cost else {}
    if (torch := sys.modules.get("torch")) is not None:
        content |= {"torch": str(torch.__version__)}
    if predictions is not None and PREDICTIONS in os.environ:
        _write_predictions(Path(os.environ[PREDICTIONS]), predictions)
    text = json.dumps(content)
    if RESULT not in os.environ:
        print(MARK, text, flush=True)
        return
    file = Path(os.environ[RESULT])
    beside = file.with_suffix(".tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers of any library, tensors of one element too, as Python's own."""
    return {
        name: value.item() if hasattr(value, "item") else value for name, value in values.items()
    }


def _write_predictions(file: Path, columns: Mapping[str, Any]) -> None:
    import numpy as np

    arrays = {name: np.asarray(column) for name, column in columns.items()}
    np.savez_compressed(file.with_suffix(".npz"), **arrays)  # type: ignore[arg-type]
