"""A data set's list of clips as a file, for workers where the data set itself is not.

The fingerprint of the data decides all of it but the paths, which decoded clips do not need. Beside
it lies what a trial's pre-training stage is, which only who has the data can find out.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiocls.atomic import write_bytes, write_text
from audiocls.audio.clips import Clip, ClipTable, Split

TABLES = "AUDIOCLS_TABLES"
"""Environment variable: the folder of the lists that were sent to a worker."""


def table_bytes(table: ClipTable) -> bytes:
    """Return the list as JSON; what was passed over when it was read is left out."""
    fields = {
        "clips": [asdict(clip) for clip in table.clips],
        "labels": table.labels,
        "folds": table.folds,
        "is_multi_label": table.is_multi_label,
    }
    return json.dumps(fields, default=str).encode()


def table_in(content: bytes) -> ClipTable:
    """Return the list that `table_bytes` wrote."""
    fields = json.loads(content)
    clips = tuple(_clip(each) for each in fields["clips"])
    labels, folds = tuple(fields["labels"]), tuple(fields["folds"])
    return ClipTable(clips, labels, folds, fields["is_multi_label"])


def _clip(fields: dict[str, Any]) -> Clip:
    pairs = {name: tuple(fields[name]) for name in ("segment", "member") if fields[name]}
    given = {**fields, "path": Path(fields["path"]), "labels": tuple(fields["labels"]), **pairs}
    return Clip(**given)


def is_table_here(folder: Path, fingerprint: str) -> bool:
    """Whether a list was put there."""
    return (folder / f"{fingerprint}.json").exists()


def keep_table(folder: Path, fingerprint: str, content: bytes) -> None:
    """Put a list where `sent_table` finds it."""
    write_bytes(folder / f"{fingerprint}.json", content)


def sent_table(fingerprint: str) -> ClipTable | None:
    """Return the list of the data with this fingerprint, if one was sent to this process."""
    file = Path(os.environ.get(TABLES, ""), f"{fingerprint}.json")
    is_sent = TABLES in os.environ and file.exists()
    return table_in(file.read_bytes()) if is_sent else None


@dataclass(frozen=True)
class SentStage:
    """What a pre-training stage is: its id, the fingerprint of its data, its clips by their use."""

    id: str
    fingerprint: str
    train: list[int]
    val: list[int]
    test: list[int]

    @classmethod
    def of(cls, stage_id: str, fingerprint: str, split: Split) -> "SentStage":
        return cls(
            stage_id, fingerprint, *(c.tolist() for c in (split.train, split.val, split.test))
        )

    @property
    def split(self) -> Split:
        train, val, test = (np.array(c, np.int64) for c in (self.train, self.val, self.test))
        return Split(train, val, test)


def keep_stage(folder: Path, trial_id: str, stage: SentStage) -> None:
    """Put a trial's stage where `sent_stage` finds it."""
    write_text(folder / f"stage-{trial_id}.json", json.dumps(asdict(stage)))


def sent_stage(trial_id: str) -> SentStage | None:
    """Return the stage of a trial, if one was sent to this process."""
    file = Path(os.environ.get(TABLES, ""), f"stage-{trial_id}.json")
    is_sent = TABLES in os.environ and file.exists()
    return SentStage(**json.loads(file.read_text(encoding="utf-8"))) if is_sent else None
