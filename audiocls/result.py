"""`report_result`: five lines in anybody's training script that make its trial comparable.

It needs the standard library alone, and numpy where it is handed predictions.
"""

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RESULT, PREDICTIONS = "AUDIOCLS_RESULT", "AUDIOCLS_PREDICTIONS"
"""Variables that name the files for a trial's result and its predictions."""
OUTER_RANKS = "AUDIOCLS_OUTER_RANKS"
"""Variable with the ranks of the launch itself, such as `SLURM_PROCID=3`: not those of a trial."""
MARK = "AUDIOCLS"
"""Begins the line of output that holds the result, where no file is named."""
RANKS = ("RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID", "LOCAL_RANK")
"""Variables by which one of several processes knows its number; the first one reports."""


def report_result(
    metrics: Mapping[str, Any] | None = None,
    *,
    cost: Mapping[str, Any] | None = None,
    predictions: Mapping[str, Any] | None = None,
    num_train: int | None = None,
    num_val: int | None = None,
    num_test: int | None = None,
    **named: float,
) -> None:
    """Report a trial's result to the ablation that runs it; print it where none does.

    Metrics are keywords, or a mapping where names are no words of Python. `cost` may hold
    num_params, macs, epochs, steps, samples, gradient_passes, and wall_s and process_s in seconds;
    `num_train`, `num_val` and `num_test` are numbers of clips. `predictions` are columns of one row
    a test clip: `clip`, `label`, and `predicted` or `logits`, shape (clips, classes); `source`
    names the recording that a clip was cut from. Of several processes of one trial the first one
    reports. A metric that is NaN says that the training diverged. Raises `TypeError` for values
    that are no numbers, and without a metric.

    >>> import audiocls
    >>> audiocls.report_result(accuracy=0.91)  # doctest: +ELLIPSIS
    AUDIOCLS {"metrics": {"accuracy": 0.91}...}
    """
    if _rank() != 0:
        return
    values = _numbers("metrics", {} if metrics is None else metrics) | _numbers("metrics", named)
    if not values:
        raise TypeError("metrics: got none; wanted: one at least, as in accuracy=0.91")
    counts = {"num_train": num_train, "num_val": num_val, "num_test": num_test}
    content = {"metrics": values, **_facts(cost, counts)}
    if predictions is not None and PREDICTIONS in os.environ:
        _write_predictions(Path(os.environ[PREDICTIONS]), predictions)
    text = json.dumps(content)
    if RESULT in os.environ:
        _write(Path(os.environ[RESULT]), text.encode())
    else:
        print(MARK, text, flush=True)


def _facts(cost: Mapping[str, Any] | None, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes trials comparable: counts of clips, cost, and the version of torch."""
    facts: dict[str, Any] = _numbers("counts", {k: n for k, n in counts.items() if n is not None})
    facts |= {"cost": _numbers("cost", cost)} if cost else {}
    if (torch := sys.modules.get("torch")) is not None:
        facts |= {"torch": str(torch.__version__)}
    return facts


def ranks_of(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the ranks of this process, such as `RANK=0`."""
    return (f"{name}={environment[name]}" for name in RANKS if name in environment)


def _rank() -> int:
    """Return the number of this process among those of its trial; 0 where it is alone."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_rank())
    outer = os.environ.get(OUTER_RANKS, "").split(",")
    ranks = [rank.partition("=")[2] for rank in ranks_of(os.environ) if rank not in outer]
    return int(ranks[0]) if ranks and ranks[0].isdigit() else 0


def _numbers(part: str, values: Any) -> dict[str, float]:
    """Return numbers of any library, tensors of one element too, as Python's own."""
    if not isinstance(values, Mapping):
        raise TypeError(f"{part}: got {values!r}; wanted: names with a number each")
    return {str(name): _number(f"{part}.{name}", value) for name, value in values.items()}


def _number(name: str, value: Any) -> float:
    try:
        number = value.item() if hasattr(value, "item") else value
    except (ValueError, RuntimeError):
        number = None  # An array or a tensor of several elements.
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(
            f"{name}: got {str(value)[:80]!r} ({type(value).__name__}); wanted: a number"
        )
    return number


def _write_predictions(file: Path, columns: Mapping[str, Any]) -> None:
    import numpy as np

    arrays = {name: np.asarray(_on_cpu(column)) for name, column in columns.items()}
    arrays = {name: a.astype(str) if a.dtype == object else a for name, a in arrays.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    _write(file.with_suffix(".npz"), content.getvalue())


def _on_cpu(column: Any) -> Any:
    """Return a tensor as numpy can read it: on the CPU, no part of a graph, not in bfloat16."""
    if not hasattr(column, "detach"):
        return column
    tensor = column.detach().cpu()
    return tensor.float() if "bfloat16" in str(tensor.dtype) else tensor


def _write(file: Path, content: bytes) -> None:
    """Write all of a file or nothing; processes that write it at once do not mix."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(file)
