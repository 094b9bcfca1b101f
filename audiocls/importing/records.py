"""From a run to the record of its trial; pure. Unknown values stay unknown."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from audiocls.dotted import flatten
from audiocls.execution.provenance import protocol_of
from audiocls.importing.cells import ORIGIN, AssignedRun
from audiocls.store import Cell, Cost, Provenance, Record
from audiocls.tracking.project import RemoteRun
from audiocls.tracking.wandb.log import numbers

OF_THE_TRIAL = ("cost/", "cell/", "clips/")
"""Prefixes in the summary of a native trial that are no metrics."""


def record_of(cell: Cell, assigned: AssignedRun) -> Record:
    """Return the record of a finished run."""
    run, is_native = assigned.run, bool(assigned.trial)
    summary = run.summary
    amounts: dict[str, Any] = numbers(summary)
    cost = {item.name: amounts.get(f"cost/{item.name}") for item in fields(Cost)}
    if not is_native and cost["wall_s"] is None:
        cost["wall_s"] = summary.get("_runtime")
    clips = [amounts.get(f"clips/{part}") for part in ("train", "val", "test")]
    return Record(
        id=cell.id,
        seed=cell.seed,
        fold=cell.fold,
        attempt=int(run.config.get("attempt", 1)) if is_native else 1,
        metrics=metrics_of(run),
        cost=Cost(**cost),
        provenance=_provenance(run, is_native),
        num_train=clips[0],
        num_val=clips[1],
        num_test=clips[2],
        early_stopped=is_native and _is_short(run),
        test_clips=summary.get("clips/test_digest", "") if is_native else "",
        first_losses=tuple(summary.get("cell/first_losses", "").split()) if is_native else (),
    )


def _is_short(run: RemoteRun) -> bool:
    """Whether a native trial had fewer epochs than its configuration sets."""
    planned, had = flatten(run.config).get("train.epochs"), run.summary.get("cost/epochs")
    return planned is not None and had is not None and had < planned


def _provenance(run: RemoteRun, is_native: bool) -> Provenance:
    known = {"started": run.created, "finished": run.heartbeat}
    if not is_native:
        return Provenance(python=run.python, **known)
    known["data"] = str(run.config.get("data_fingerprint") or "")
    known |= {name: str(run.config.get(name) or "") for name in ORIGIN}
    known["execution"] = str(run.summary.get("cell/execution") or "")
    return Provenance(**known, protocol=protocol_of(run.config))


def metrics_of(run: RemoteRun) -> dict[str, float]:
    """Return the numbers of a run's summary that are metrics."""
    values = numbers(run.summary)
    return {
        name: value
        for name, value in values.items()
        if name != "epoch" and not name.startswith(OF_THE_TRIAL)
    }


def history_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row an epoch; if no row has an epoch, W&B's steps stand for them.

    Several rows of one epoch are merged, later values first: training and validation were logged
    separately, or an upload was cut and repeated.
    """
    axis = "epoch" if any("epoch" in row for row in rows) else "_step"
    merged: dict[float, dict[str, Any]] = {}
    for row in rows:
        if isinstance(row.get(axis), int | float):
            merged.setdefault(row[axis], {"epoch": row[axis]}).update(numbers(row))
    return [merged[epoch] for epoch in sorted(merged)]
