"""A pre-training stage on its way: to a worker that trains it or starts from it, and home.

A stage that is finished is kept in each node's cache, by its content, so that it goes to a node
once however many trials start from it there.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from audiocls.atomic import build_cache
from audiocls.execution.cluster.tables import SentStage
from audiocls.execution.pretraining_stage import RESULT, STAGES
from audiocls.store.transfer import UNDERWAY, packed, unpack
from audiocls.store.trial import HISTORY

FINISHED = ("checkpoint.safetensors", "checkpoint.json", RESULT)
"""What trials start from, the file last whose presence means *finished*."""
Archives = tuple[bytes, ...]
"""Of a stage's folder, to be written one after the other."""


@dataclass(frozen=True)
class StageDelivery:
    """A stage on its way to a worker: finished, or with what its training resumes from."""

    stage: SentStage
    files: bytes = b""
    """Of one that is to be trained, an archive of its folder."""
    name: str = ""
    """Of a finished one, its folder in the cache of the node."""
    finished: Mapping[str, Any] = field(default_factory=dict)
    """Its files → references to their contents."""

    def put(
        self, study: Path, cache: Path, fill: Callable[[Mapping[str, Any], Path], None]
    ) -> Path:
        """Put it into a study where its trial finds it; return its folder there."""
        folder = study / STAGES / self.stage.id
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if self.files:
            unpack(self.files, folder)
        if self.finished:
            cached = build_cache(cache / self.name, partial(fill, self.finished))
            for name in self.finished:
                (folder / name).symlink_to(cached / name)
        return folder


class StageReports:
    """What goes home of a stage that a worker trains: now and then a snapshot, the whole once."""

    def __init__(self, folder: Path, every_s: float):
        self._folder, self._every_s = folder, every_s
        self._sent_at, self._is_whole_sent = time.monotonic(), False

    def next(self, has_epoch: bool, is_last: bool) -> Archives:
        """Return what is to go home after an epoch of the stage, at the trial's end, or neither."""
        if self._is_whole_sent:
            return ()
        if (self._folder / RESULT).exists():
            self._is_whole_sent = True
            whole = packed(self._folder, (HISTORY, *UNDERWAY[1:], *FINISHED[:-1]))
            return whole, packed(self._folder, FINISHED[-1:])
        is_due = has_epoch and time.monotonic() - self._sent_at >= self._every_s
        if not (is_due or is_last):
            return ()
        self._sent_at = time.monotonic()
        state = packed(self._folder, UNDERWAY)  # of fewer epochs than the history, read after it
        return packed(self._folder, (HISTORY,)), state
