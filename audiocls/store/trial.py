"""`TrialFolder`: `runs/<study>/trials/<id>/`, the files of one trial.

`record.json` is written last, so its presence means *finished*; `failure.json` means the last
attempt failed; a lease that is held means a process is training it now; otherwise it is pending.
What a killed process leaves is `history.jsonl` and `resume.pt`, from which the next attempt
resumes. Who writes under a lease, and has lost it, writes nothing more: `LeaseLost` is raised.

A record or failure that is damaged makes the trial a failed one, with the cause *damaged*; damage
to what a trial resumes from makes it start over. No reader here raises because of a file's content,
`predictions` excepted.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audiocls import yaml_file
from audiocls.atomic import make_way, publish, remove_abandoned, write_bytes, write_text
from audiocls.digests import with_digest
from audiocls.machine import writing
from audiocls.store.attempts import Attempts
from audiocls.store.content import (
    MEND,
    WRITTEN,
    Attempt,
    arrays_in,
    collect_rows,
    config_in,
    damages_in,
    failure_in,
    labels_in,
    last_of_each_epoch,
    record_in,
)
from audiocls.store.lease import Holder, Lease, held, holder_of, require_token
from audiocls.store.record import Failure, Record
from audiocls.store.stored_file import Damaged, read, sealed, with_checksum, without_checksum

State = Literal["done", "failed", "running", "pending"]
RECORD, FAILURE, HISTORY = "record.json", "failure.json", "history.jsonl"
RESUME, LEASE = "resume.pt", ".lease"


@dataclass(frozen=True)
class TrialFolder:
    """Reading and writing the files of one trial. Creates its folder on the first write."""

    path: Path
    token: str = ""
    """Of the lease under which it is written; empty for whoever needs none."""

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    def state(self) -> State:
        """Return the state that follows from the trial's files alone, its lease among them."""
        try:
            if self._whole_record() is not None:
                return "done"
        except Damaged:
            return "failed"
        if (self.path / FAILURE).exists():
            return "failed"
        return "pending" if self.holder() is None else "running"

    def claim(self) -> Lease:
        """Return the lease under which the trial is trained, to be taken.

        What is a folder in the place of one of the trial's files is moved aside.
        """
        make_way(self.path, WRITTEN)
        return Lease(self.path / LEASE)

    def under(self, lease: Lease) -> "TrialFolder":
        """Return the trial as written by the holder of a lease, as long as it is held."""
        return replace(self, token=lease.token)

    def lease(self, timeout_s: float = 0.0) -> AbstractContextManager[bool]:
        """Hold the trial meanwhile; yields whether it could be had within `timeout_s`."""
        return held(self.claim(), timeout_s)

    def holder(self) -> Holder | None:
        """Return the process that holds the trial, if one does that may be alive."""
        return holder_of(self.path / LEASE)

    def require_mine(self) -> None:
        """Raise `LeaseLost` where another launch has taken over what is written under a lease."""
        if self.token:
            require_token(self.path / LEASE, self.token)

    @property
    def attempts(self) -> Attempts:
        return Attempts(self.path, self.require_mine)

    def begin(self) -> Attempt:
        """Count one more attempt, by the holder of the lease; sweep up after killed ones."""
        remove_abandoned(self.path)
        return self.attempts.begin()

    @property
    def stop_request(self) -> Path:
        """The file whose presence asks for the trial's early end, with its results so far."""
        return self.path / ".enough"

    def write_config(self, resolved: Mapping[str, Any]) -> None:
        write_text(self.path / "config.yaml", yaml_file.dump(resolved))

    def config(self) -> dict[str, Any]:
        """Return the configuration as trained, empty where none can be read."""
        with suppress(Damaged):
            return read(self.path / "config.yaml", config_in) or {}
        return {}

    def append_history(self, row: Mapping[str, Any]) -> None:
        self.require_mine()
        history, line = self.path / HISTORY, json.dumps(row) + "\n"
        with writing(history, len(line)), history.open("a", encoding="utf-8") as file:
            file.write(line)

    def keep_history(self, num_epochs: int) -> None:
        """Drop the rows of epochs that have to be trained again.

        Of an epoch that was written twice, at the moment of a takeover, the last row counts.
        """
        self.write_history(last_of_each_epoch(self.history())[:num_epochs])

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all rows at once, in place of earlier ones."""
        self.require_mine()
        write_text(self.path / HISTORY, "".join(json.dumps(row) + "\n" for row in rows))

    def history(self) -> list[dict[str, Any]]:
        """Return one mapping an epoch, up to the first line that is torn or damaged."""
        rows: list[dict[str, Any]] = []
        with suppress(Damaged):
            read(self.path / HISTORY, lambda content: collect_rows(content, rows))
        return rows

    def write_resume(self, state: bytes) -> None:
        self.require_mine()
        write_bytes(self.path / RESUME, with_checksum(state))

    def resume(self) -> bytes | None:
        """Return the state to resume from; `None` where there is none that is whole."""
        with suppress(Damaged):
            return read(self.path / RESUME, without_checksum)
        return None

    def resume_attempt(
        self, num_epochs_of: Callable[[bytes], int]
    ) -> tuple[Attempt, bytes | None, str]:
        """Return the present attempt, the state that it resumes from, and a note on damage.

        The history is cut to the epochs that the state has seen. If either is damaged, there is no
        state: the attempt starts over.
        """

        def parse(content: bytes) -> tuple[bytes, int]:
            state = without_checksum(content)
            return state, num_epochs_of(state)

        try:
            state, num_epochs = read(self.path / RESUME, parse) or (None, 0)
            num_rows = len(last_of_each_epoch(self.history()))
            if num_rows < num_epochs:
                raise Damaged(self.path / HISTORY, f"{num_rows} of {num_epochs} epochs can be read")
        except Damaged as damage:
            self.drop_resume()
            self.write_history(())
            note = f"{damage}; training starts over at its first epoch"
            return self.attempts.start_over(), None, note
        self.keep_history(num_epochs)
        return self.attempts.last(), state, ""

    def drop_resume(self) -> None:
        """Delete the state from which the trial could resume."""
        (self.path / RESUME).unlink(missing_ok=True)

    def write_checkpoint(self, weights: bytes, about: Mapping[str, Any], ending: str = "") -> None:
        """Write a checkpoint; its description gets the digest of its weights."""
        self.require_mine()
        file = self.path / f"checkpoint{ending}.safetensors"
        write_bytes(file, weights, is_synced=True)
        write_text(file.with_suffix(".json"), json.dumps(with_digest(about, weights), indent=1))

    @property
    def description(self) -> Path:
        """The file beside the weights: configuration, class names, the weights' digest."""
        return self.checkpoint.with_suffix(".json")

    def class_names(self) -> tuple[str, ...]:
        """Return the classes in the order of the logits; empty where they cannot be read."""
        with suppress(Damaged, FileNotFoundError):
            named = read(self.description, labels_in)
            return named or tuple(self.predictions().get("classes", np.array([])).tolist())
        return ()

    def write_predictions(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self.require_mine()
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(self.path / "predictions.npz", buffer.getvalue(), is_synced=True)

    def predictions(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return `clips`, `sources`, `labels` and `logits` (N, K) on the test clips.

        Raises `FileNotFoundError` where none are kept, and `Damaged`.
        """
        file = self.path / "predictions.npz"
        arrays = read(file, arrays_in, MEND)
        if arrays is None:
            raise FileNotFoundError(file)
        return arrays

    def finish(self, record: Record) -> None:
        """Write the record, last of all files; nothing is left to resume after it.

        Of two that finish a trial at the moment of a takeover, the first has written the record.
        """
        self.require_mine()
        (self.path / FAILURE).unlink(missing_ok=True)
        content = sealed(record.to_mapping(), within="provenance").encode()
        publish(self.path / RECORD, content)
        self.drop_resume()
        self.stop_request.unlink(missing_ok=True)

    def replace_record(self, record: Record) -> None:
        """Write a record in place of the one there is."""
        (self.path / RECORD).unlink(missing_ok=True)
        self.finish(record)

    def _whole_record(self) -> Record | None:
        return read(self.path / RECORD, record_in, MEND)

    def record(self) -> Record | None:
        """Return the record of a finished trial; `failure` says if there is a damaged one."""
        with suppress(Damaged):
            return self._whole_record()
        return None

    def fail(self, failure: Failure) -> None:
        self.require_mine()
        write_text(self.path / FAILURE, json.dumps(failure.to_mapping(), indent=1))

    def failure(self) -> Failure | None:
        """Return why the last attempt failed, or which file of its result is damaged."""
        try:
            self._whole_record()
            return read(self.path / FAILURE, failure_in, MEND)
        except Damaged as damage:
            return Failure("damaged", str(damage), "", self.attempts.last().number)

    def damages(self, is_thorough: bool = False) -> list[Damaged]:
        """Return what is damaged beside record and failure; with the large files if thorough."""
        return damages_in(self.path, self.record(), is_thorough)

    def reset_failure(self) -> bool:
        """Make a failed trial pending again, from its first epoch; return whether it had failed.

        The failure is kept, and so is a damaged record.
        """
        failure = self.failure()
        if failure is not None:
            self._set_aside(self.path / FAILURE, f"failure-{failure.attempt}.json")
            if self.record() is None:
                self._reset(failure.attempt)
        return failure is not None

    def reset_damage(self) -> list[Damaged]:
        """Make a finished trial pending again if one of its files is damaged; return which are."""
        record = self.record()
        damages = [] if record is None else self.damages(is_thorough=True)
        if damages and record is not None:
            self._reset(record.attempt)
        return damages

    def _reset(self, attempt: int) -> None:
        self._set_aside(self.path / RECORD, f"record-{attempt}.json")
        self.drop_resume()
        self.stop_request.unlink(missing_ok=True)
        self.attempts.reset()

    def _set_aside(self, file: Path, name: str) -> None:
        if file.exists():
            file.replace(self.path / name)
