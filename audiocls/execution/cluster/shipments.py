"""What a native trial waits for before it goes to a worker: its data, and its pre-training stage.

Data is shared by trials and sent once. A stage is trained by the worker of one trial, of all the
launches that share the study, under the stage's lease; the trials that wait for it start from what
came home.
"""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiocls.errors import AudioclsError
from audiocls.execution.cluster.dispatch import DataKey, DataShipment, Put, config_of
from audiocls.execution.cluster.node import Delivery
from audiocls.execution.cluster.stages import FINISHED, Archives, StageDelivery
from audiocls.execution.cluster.tables import SentStage
from audiocls.execution.job import AnyJob, NativeSpec
from audiocls.execution.messages import Event, Notice, Stage
from audiocls.execution.pretraining_stage import (
    RESULT,
    WAIT_S,
    PretrainingStage,
    is_finished,
    stage_for,
)
from audiocls.machine import fault_of
from audiocls.store import Damaged, TrialFolder
from audiocls.store.lease import Lease, LeaseLost
from audiocls.store.transfer import UNDERWAY, members, packed, unpack
from audiocls.store.trial import HISTORY


class Shipments:
    """The data that this launch has made for its workers so far."""

    def __init__(self, cache: Path, put: Put):
        self.cache, self.put = cache, put
        self._known: dict[DataKey, DataShipment] = {}

    def of(self, job: AnyJob) -> "TrialShipment":
        """Return what a trial waits for."""
        return TrialShipment(job, self)

    def data(
        self, config: Mapping[str, Any], fingerprint: str, is_of_stage: bool = False
    ) -> DataShipment:
        """Return data on its way, which many may wait for."""
        key = DataKey.of(config, fingerprint, is_of_stage)
        known = self._known.get(key)
        if known is None or known.fault:
            self._known[key] = DataShipment(config, key, self.cache, self.put)
        return self._known[key]

    def cancel(self) -> None:
        """Give all of it up."""
        for shipment in self._known.values():
            shipment.cancel()


class TrialShipment:
    """The data of one trial, and its stage if it has one."""

    def __init__(self, job: AnyJob, shipments: Shipments):
        assert isinstance(job.spec, NativeSpec), "a program has no data of ours"
        self._data = shipments.data(job.spec.config, job.spec.data_fingerprint)
        self.stage = StageShipment(job, shipments) if config_of(job).has_stage else None

    def look(self) -> bool:
        """Look whether all is there, or cannot be; claim a stage that has to be trained."""
        if not self._data.is_ready:
            return False
        return self._data.fault is not None or self.stage is None or self.stage.look()

    @property
    def is_waiting(self) -> bool:
        """Whether another trial trains the stage that it starts from."""
        return self.stage is not None and self.stage.is_waiting

    @property
    def fault(self) -> AudioclsError | None:
        """Why it cannot be trained."""
        return self._data.fault or (self.stage.fault if self.stage else None)

    def news(self) -> list[Event]:
        """Return what has not been told yet of the wait."""
        return self.stage.news() if self.stage else []

    def delivery(self, job: AnyJob, files: bytes) -> Delivery:
        """Return the trial with all that it needs of this machine."""
        delivery = self._data.delivery(job, files)
        return self.stage.added_to(delivery) if self.stage else delivery


class StageShipment:
    """The pre-training stage of one trial: looked for, waited for, or trained by its worker."""

    def __init__(self, job: AnyJob, shipments: Shipments):
        self._job, self._shipments = job, shipments
        self.fault: AudioclsError | None = None
        self._found: PretrainingStage | None = None
        self._lease: Lease | None = None
        self._mine: TrialFolder | None = None
        """Its folder, for as long as this trial's worker trains it."""
        self._data: DataShipment | None = None
        """Of a stage that has to be trained."""
        self.is_waiting = False
        """Whether another trial trains it."""
        self._is_finished, self._look_at = False, 0.0
        self._untold: list[Event] = []
        self._thread = threading.Thread(target=self._find, daemon=True)
        self._thread.start()

    def _find(self) -> None:
        cache = self._shipments.cache
        try:
            self._found = stage_for(self._job, config_of(self._job), cache)
            self._lease = self._found.folder.claim()
        except AudioclsError as error:
            self.fault = error
        except OSError as error:
            self.fault = fault_of(error, cache) or AudioclsError(str(error))

    def look(self) -> bool:
        """Look whether it can go to the worker: finished, or to be trained there."""
        if self._thread.is_alive():
            return False
        if self._data is not None:
            self.fault = self._data.fault
            return self._data.is_ready
        if not self.fault and not self._is_finished and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + WAIT_S
            self._claim()
        return self.fault is not None or self._is_finished

    def _claim(self) -> None:
        """Claim the stage, unless it is finished or another worker trains it."""
        assert self._found is not None, "it was found"
        assert self._lease is not None, "it was found"
        folder, is_mine = self._found.folder, self._lease.take()
        try:
            self._is_finished = is_finished(folder)
        except Damaged as damage:
            if is_mine:
                self._untold.append(Notice(self._job.id, f"pre-training: {damage}"))
        self.is_waiting = not self._is_finished and not is_mine
        if self._is_finished:
            self._lease.give_back()
        elif is_mine:
            self._mine = folder.under(self._lease)
            config = self._found.config.model_dump(mode="json")
            self._data = self._shipments.data(config, self._found.fingerprint, is_of_stage=True)
        else:
            num_epochs = self._found.config.train.epochs
            self._untold.append(Stage(self._job.id, len(folder.history()), num_epochs))

    def news(self) -> list[Event]:
        untold, self._untold = self._untold, []
        return untold

    def added_to(self, delivery: Delivery) -> Delivery:
        """Return a trial's delivery with its stage."""
        found = self._found
        assert found is not None, "it was found"
        sent = SentStage.of(found.folder.id, found.fingerprint, found.split)
        if self._data is None:
            return replace(delivery, stage=self._finished(sent, found.folder.path))
        return replace(
            delivery,
            tables={**delivery.tables, **self._data.tables},
            folders={**delivery.folders, **self._data.folders},
            stage=StageDelivery(sent, packed(found.folder.path, (HISTORY, *UNDERWAY))),
        )

    def _finished(self, sent: SentStage, folder: Path) -> StageDelivery:
        """Return a finished stage, called in caches by what it holds."""
        contents = {name: (folder / name).read_bytes() for name in FINISHED}
        digest = hashlib.sha256(b"".join(contents.values())).hexdigest()[:16]
        put = self._shipments.put
        files = {name: put(np.frombuffer(content, np.uint8)) for name, content in contents.items()}
        return StageDelivery(sent, name=f"pretrained-{digest}", finished=files)

    def bring_home(self, archives: Archives) -> None:
        """Write what its training has sent, unless another launch trains it by now."""
        if self._mine is None or not archives:
            return
        try:
            self._mine.require_mine()
        except LeaseLost:
            self._mine = None
            return
        for archive in archives:
            unpack(archive, self._mine.path)
        if any(name == RESULT for name, _ in members(archives[-1])):
            self._mine.drop_resume()
            self.give_back()

    def give_back(self) -> None:
        """Leave it to others: it is finished, or its worker trains it no more."""
        if self._lease is not None:
            self._lease.give_back()
        self._mine = None
