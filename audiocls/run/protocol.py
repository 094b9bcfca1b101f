"""How a trial is evaluated, in few words: by what its epoch is chosen, and on which clips."""

import hashlib
import json

from audiocls.audio.clips import ClipTable
from audiocls.config import Config


def protocol_of(config: Config) -> str:
    """The keys that decide which weights are scored, as `key=value` words.

    Split, metrics and scoring have no keys: they are the data's and the code's, and recorded so.
    """
    return f"train.select={config.train.select} train.patience={config.train.patience}"


def digest_of_test(table: ClipTable, fold: int) -> str:
    """12 hex digits over the test clips' ids, in order, and the names of the labels."""
    clips = [table.clips[i].id for i in table.split(fold).test]
    return hashlib.sha256(json.dumps([clips, table.labels]).encode()).hexdigest()[:12]
