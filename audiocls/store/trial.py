"""`TrialFolder`: `runs/<study>/trials/<id>/`, the files of one trial.

`record.json` is written last, so its presence means *finished*; `failure.json` means the last
attempt failed; a held lock means a process is training it now; otherwise it is pending. What a
killed process leaves is `history.jsonl` and `resume.pt`, from which the next attempt resumes.

A record or failure that is damaged makes the trial a failed one, with the cause *damaged*; damage
to what a trial resumes from makes it start over. No reader here raises because of a file's content,
`predictions` excepted.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audiocls import yaml_file
from audiocls.atomic import held, make_way, remove_abandoned, write_bytes, write_text
from audiocls.digests import with_digest
from audiocls.machine import writing
from audiocls.store.content import (
    MEND,
    WRITTEN,
    Attempt,
    arrays_in,
    attempt_in,
    collect_rows,
    config_in,
    damages_in,
    failure_in,
    labels_in,
    record_in,
)
from audiocls.store.record import Failure, Record
from audiocls.store.stored_file import Damaged, read, sealed, with_checksum, without_checksum

State = Literal["done", "failed", "running", "pending"]


@dataclass(frozen=True)
class TrialFolder:
    """Reading and writing the files of one trial. Creates its folder on the first write."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    @property
    def _record(self) -> Path:
        return self.path / "record.json"

    @property
    def _failure(self) -> Path:
        return self.path / "failure.json"

    @property
    def _history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def _lock(self) -> Path:
        return self.path / ".lock"

    @property
    def _resume(self) -> Path:
        return self.path / "resume.pt"

    def state(self) -> State:
        """Return the state that follows from the trial's files and its lock alone."""
        try:
            if self._whole_record() is not None:
                return "done"
        except Damaged:
            return "failed"
        if self._failure.exists():
            return "failed"
        return "running" if self._is_leased() else "pending"

    @contextmanager
    def lease(self, timeout_s: float = 2.0) -> Iterator[bool]:
        """Hold the trial while training it; yields whether it could be had within `timeout_s`.

        The wait is there because `state` takes the lock for an instant to see whether it is held.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        make_way(self.path, WRITTEN)
        with held(self._lock, timeout_s) as is_mine:
            yield is_mine

    def _is_leased(self) -> bool:
        if not self._lock.is_file():
            return False
        with held(self._lock, timeout_s=0) as is_mine:
            return not is_mine

    def begin(self) -> Attempt:
        """Count one more attempt, by the holder of the lease; sweep up after killed ones."""
        remove_abandoned(self.path)
        before = self._attempt()
        return self._write_attempt(Attempt(before.number + 1, before.origin))

    def _attempt(self) -> Attempt:
        """Return the last attempt; before the first one, number 0.

        Where the counter is damaged, it is the last one that failed.
        """
        try:
            return read(self.path / "attempt", attempt_in) or Attempt(0, origin=1)
        except Damaged:
            number = len(list(self.path.glob("failure-*.json")))
            return Attempt(number, origin=number + 1)

    def _start_over(self) -> None:
        """Drop what the trial would resume from; the attempt becomes the first of its own."""
        self.drop_resume()
        self.write_history(())
        number = self._attempt().number
        self._write_attempt(Attempt(number, origin=number))

    def _write_attempt(self, attempt: Attempt) -> Attempt:
        write_text(self.path / "attempt", f"{attempt.number} {attempt.origin}")
        return attempt

    def write_config(self, resolved: Mapping[str, Any]) -> None:
        write_text(self.path / "config.yaml", yaml_file.dump(resolved))

    def config(self) -> dict[str, Any]:
        """Return the configuration as trained, empty where none can be read."""
        with suppress(Damaged):
            return read(self.path / "config.yaml", config_in) or {}
        return {}

    def append_history(self, row: Mapping[str, Any]) -> None:
        with writing(self._history), self._history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def keep_history(self, num_epochs: int) -> None:
        """Drop the rows of epochs that have to be trained again."""
        self.write_history(self.history()[:num_epochs])

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all rows at once, in place of earlier ones."""
        write_text(self._history, "".join(json.dumps(row) + "\n" for row in rows))

    def history(self) -> list[dict[str, Any]]:
        """Return one mapping an epoch, up to the first line that is torn or damaged."""
        rows: list[dict[str, Any]] = []
        with suppress(Damaged):
            read(self._history, lambda content: collect_rows(content, rows))
        return rows

    def write_resume(self, state: bytes) -> None:
        write_bytes(self._resume, with_checksum(state))

    def resume(self) -> bytes | None:
        """Return the state to resume from; `None` where there is none that is whole."""
        with suppress(Damaged):
            return read(self._resume, without_checksum)
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
            state, num_epochs = read(self._resume, parse) or (None, 0)
            num_rows = len(self.history())
            if num_rows < num_epochs:
                raise Damaged(self._history, f"{num_rows} of {num_epochs} epochs can be read")
        except Damaged as damage:
            self._start_over()
            note = f"{damage}; training starts over at its first epoch"
            return self._attempt(), None, note
        self.keep_history(num_epochs)
        return self._attempt(), state, ""

    def drop_resume(self) -> None:
        """Delete the state from which the trial could resume."""
        self._resume.unlink(missing_ok=True)

    def write_checkpoint(self, weights: bytes, about: Mapping[str, Any], ending: str = "") -> None:
        """Write a checkpoint; its description gets the digest of its weights."""
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
        """Write the record, last of all files; nothing is left to resume after it."""
        self._failure.unlink(missing_ok=True)
        write_text(self._record, sealed(record.to_mapping(), within="provenance"), is_synced=True)
        self.drop_resume()

    def _whole_record(self) -> Record | None:
        return read(self._record, record_in, MEND)

    def record(self) -> Record | None:
        """Return the record of a finished trial; `failure` says if there is a damaged one."""
        with suppress(Damaged):
            return self._whole_record()
        return None

    def fail(self, failure: Failure) -> None:
        write_text(self._failure, json.dumps(failure.to_mapping(), indent=1))

    def failure(self) -> Failure | None:
        """Return why the last attempt failed, or which file of its result is damaged."""
        try:
            self._whole_record()
            return read(self._failure, failure_in, MEND)
        except Damaged as damage:
            return Failure("damaged", str(damage), "", self._attempt().number)

    def damages(self, is_thorough: bool = False) -> list[Damaged]:
        """Return what is damaged beside record and failure; with the large files if thorough."""
        return damages_in(self.path, self.record(), is_thorough)

    def reset_failure(self) -> bool:
        """Make a failed trial pending again, from its first epoch; return whether it had failed.

        The failure is kept, and so is a damaged record.
        """
        failure = self.failure()
        if failure is not None:
            self._set_aside(self._failure, f"failure-{failure.attempt}.json")
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
        self._set_aside(self._record, f"record-{attempt}.json")
        self.drop_resume()
        number = self._attempt().number
        self._write_attempt(Attempt(number, origin=number + 1))

    def _set_aside(self, file: Path, name: str) -> None:
        if file.exists():
            file.replace(self.path / name)
