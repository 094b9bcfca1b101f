"""What a run of a W&B project says of its trial, as a record: pure, and nothing made up."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from audiocls.dotted import flatten
from audiocls.execution.provenance import protocol_of
from audiocls.store import Cell, Cost, Provenance, Record
from audiocls.tracking.project import RemoteRun
from audiocls.tracking.wandb.log import numbers
from audiocls.wandb_server.remote import ORIGIN, Placed

OF_THE_TRIAL = ("cost/", "cell/", "clips/")
"""What a summary of ours says beside the metrics."""


def record_of(cell: Cell, found: Placed) -> Record:
    """What a finished run says of its trial; what it does not say is unknown."""
    run, is_own = found.run, bool(found.trial)
    said = run.summary
    cost = {item.name: said.get(f"cost/{item.name}") for item in fields(Cost)}
    seconds = said.get("_runtime")
    clips = [said.get(f"clips/{part}") for part in ("train", "val", "test")]
    return Record(
        id=cell.id,
        seed=cell.seed,
        fold=cell.fold,
        attempt=int(run.config.get("attempt", 1)) if is_own else 1,
        metrics=metrics_of(run),
        cost=Cost(**cost) if is_own else Cost(wall_s=seconds),
        provenance=_provenance(run, is_own),
        num_train=clips[0] if is_own else None,
        num_val=clips[1] if is_own else None,
        num_test=clips[2] if is_own else None,
        early_stopped=is_own and _is_short(run),
        test_clips=said.get("clips/test_digest", "") if is_own else "",
        first_losses=tuple(said.get("cell/first_losses", "").split()) if is_own else (),
    )


def _is_short(run: RemoteRun) -> bool:
    """Whether a trial of ours had fewer epochs than its configuration asks for."""
    planned, had = flatten(run.config).get("train.epochs"), run.summary.get("cost/epochs")
    return planned is not None and had is not None and had < planned


def _provenance(run: RemoteRun, is_own: bool) -> Provenance:
    known = {"started": run.created, "finished": run.heartbeat}
    if not is_own:
        return Provenance(python=run.python, **known)
    known["data"] = str(run.config.get("data_fingerprint") or "")
    known |= {name: str(run.config.get(name) or "") for name in ORIGIN}
    return Provenance(**known, protocol=protocol_of(run.config))


def metrics_of(run: RemoteRun) -> dict[str, float]:
    """The numbers of a run's summary that are results."""
    found = numbers(run.summary)
    return {
        name: value
        for name, value in found.items()
        if name != "epoch" and not name.startswith(OF_THE_TRIAL)
    }


def history_of(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row an epoch; where none counts epochs, W&B's steps stand for them.

    Several rows of one epoch are told as one, the later values winning: training and validation
    logged apart, or an upload that was cut and repeated.
    """
    axis = "epoch" if any("epoch" in row for row in rows) else "_step"
    found: dict[float, dict[str, Any]] = {}
    for row in rows:
        if isinstance(row.get(axis), int | float):
            found.setdefault(row[axis], {"epoch": row[axis]}).update(numbers(row))
    return [found[epoch] for epoch in sorted(found)]
