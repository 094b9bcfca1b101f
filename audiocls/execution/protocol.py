"""How a trial is evaluated, in few words: by what its epoch is chosen, and on which clips."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from audiocls.audio.clips import ClipTable
from audiocls.dotted import flatten

DECIDING = ("train.select", "train.patience")
"""Split, metrics and scoring have no keys: they are the data's and the code's, recorded so."""


def protocol_of(config: Mapping[str, Any]) -> str:
    """The keys of a resolved configuration that decide which weights are scored: `key=value`s."""
    said = flatten(config)
    return " ".join(f"{key}={said[key]}" for key in DECIDING if key in said)


def digest_of_test(table: ClipTable, fold: int) -> str:
    """12 hex digits over the test clips' ids, in order, and the names of the labels."""
    clips = [table.clips[i].id for i in table.split(fold).test]
    return hashlib.sha256(json.dumps([clips, table.labels]).encode()).hexdigest()[:12]
