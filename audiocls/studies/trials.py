"""A study's trials as rows, one dict each: what CSV and JSON, frames and notebooks have of them."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from audiocls.dotted import flatten
from audiocls.formatting import format_json
from audiocls.store import Cell, Proposal, StudyFolder
from audiocls.studies.labels import labels_of
from audiocls.studies.status import Status, status_of

Changes = Mapping[str, Mapping[str, Any]]
"""Arm → the dotted keys that it changes."""
KINDS = {"num_train": "clips/train", "num_val": "clips/val", "num_test": "clips/test"}


def trial_rows(folder: StudyFolder) -> Iterator[dict[str, Any]]:
    """Yield a row a trial: its place, state and parameters; metrics and costs where finished.

    A parameter that is no single value is JSON text; one that an arm does not set is `None`.
    """
    known = status_of(folder)
    study = folder.study()
    records, arms = folder.records(known.cells), study.arms
    labels = labels_of(study)
    varied = dict.fromkeys(name for cell in known.cells for name in _changes(arms, cell))
    for cell in known.cells:
        row = {**place_of(known, cell, labels), "state": known.states[cell.id]}
        row |= {**varied, **_changes(arms, cell)}
        if (record := records.get(cell.id)) is not None:
            cost = {f"cost/{name}": value for name, value in asdict(record.cost).items()}
            clips = {name: getattr(record, field) for field, name in KINDS.items()}
            row |= {**record.metrics, **cost, **clips, "finished": record.provenance.finished}
        if (failure := known.failures.get(cell.id)) is not None:
            row |= {"cause": failure.cause, "message": failure.message}
        yield row


def place_of(
    known: Status, cell: Cell | Proposal, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a trial's id with its arm, seed and fold; a search's trials have none."""
    place: dict[str, Any] = {"trial": cell.id}
    if isinstance(cell, Cell):
        label = {"label": labels.get(cell.arm, cell.arm)} if labels else {}
        place |= {"arm": cell.arm, **label}
    return place | known.block_of(cell)


def _changes(arms: Changes, cell: Cell | Proposal) -> dict[str, Any]:
    """Return what is special about a trial: its arm's changes, or its parameters."""
    changes = flatten(cell.parameters) if isinstance(cell, Proposal) else arms[cell.arm]
    return {key: _plain(value) for key, value in changes.items()}


def _plain(value: Any) -> Any:
    return format_json(value) if isinstance(value, Mapping | list | tuple) else value
