"""`TrialFolder`: `runs/<study>/trials/<id>/`, the files of one trial.

`record.json` is written last, so its presence means *finished*; `failure.json` means the last
attempt failed; a held lock means a process is training it now; otherwise it is pending. What a
killed process leaves is `history.jsonl` and `resume.pt`, from which the next attempt resumes.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from audiocls import yaml_file
from audiocls.atomic import write_bytes, write_text
from audiocls.errors import DataError
from audiocls.machine import writing
from audiocls.store.record import Failure, Record

State = Literal["done", "failed", "running", "pending"]


@dataclass(frozen=True)
class Attempt:
    """Which attempt at a trial this is, from 1."""

    number: int
    origin: int
    """The attempt that began from the first epoch, and that this one resumes or is."""


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
    def _resume(self) -> Path:
        return self.path / "resume.pt"

    def state(self) -> State:
        """Return the state that follows from the trial's files and its lock alone."""
        if self._record.exists():
            return "done"
        if self._failure.exists():
            return "failed"
        return "running" if self._is_locked() else "pending"

    @contextmanager
    def lease(self, timeout_s: float = 2.0) -> Iterator[bool]:
        """Hold the trial while training it; yields whether it could be had within `timeout_s`.

        The kernel releases the lock with its process, so no lease outlives a crash. The wait is
        there because `state` takes the lock for an instant to see whether it is held.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _is_locked(self) -> bool:
        if not (self.path / ".lock").exists():
            return False
        with self.lease(timeout_s=0) as is_mine:
            return not is_mine

    def begin(self) -> Attempt:
        """Count one more attempt."""
        before = self._attempt()
        return self._write_attempt(Attempt(before.number + 1, before.origin))

    def _attempt(self) -> Attempt:
        """Return the last attempt; before the first one, number 0."""
        counter = self.path / "attempt"
        if not counter.exists():
            return Attempt(0, origin=1)
        number, *origin = map(int, counter.read_text().split())
        return Attempt(number, *origin or [number + 1])

    def _write_attempt(self, attempt: Attempt) -> Attempt:
        write_text(self.path / "attempt", f"{attempt.number} {attempt.origin}")
        return attempt

    def write_config(self, resolved: Mapping[str, Any]) -> None:
        write_text(self.path / "config.yaml", yaml_file.dump(resolved))

    def config(self) -> dict[str, Any]:
        return yaml_file.read_written(self.path / "config.yaml")

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
        """Return one mapping an epoch, without a last line torn by a kill."""
        if not self._history.exists():
            return []
        whole, _, _ = self._history.read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def write_resume(self, state: bytes) -> None:
        write_bytes(self._resume, state)

    def resume(self) -> bytes | None:
        return self._resume.read_bytes() if self._resume.exists() else None

    def drop_resume(self) -> None:
        """Delete the state from which the trial could resume."""
        self._resume.unlink(missing_ok=True)

    def write_checkpoint(self, weights: bytes, description: Mapping[str, Any]) -> None:
        write_bytes(self.checkpoint, weights, is_synced=True)
        write_text(self.checkpoint.with_suffix(".json"), json.dumps(description, indent=1))

    def class_names(self) -> tuple[str, ...]:
        """Return the classes in the order of the logits; empty without a checkpoint."""
        description = self.checkpoint.with_suffix(".json")
        if not description.exists():
            return ()
        return tuple(json.loads(description.read_bytes())["labels"])

    def write_predictions(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        write_bytes(self.path / "predictions.npz", buffer.getvalue(), is_synced=True)

    def predictions(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return `clips`, `sources`, `labels` and `logits` (N, K) on the test clips."""
        with np.load(self.path / "predictions.npz") as arrays:
            return dict(arrays)

    def finish(self, record: Record) -> None:
        """Write the record, last of all files; nothing is left to resume after it."""
        write_text(self._record, json.dumps(record.to_mapping(), indent=1), is_synced=True)
        self.drop_resume()
        self._failure.unlink(missing_ok=True)

    def record(self) -> Record | None:
        try:
            content = self._record.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return Record.from_mapping(json.loads(content))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{self._record}: damaged ({error}); delete the folder {self.path} and launch "
                "again: that trial alone is trained anew"
            ) from error

    def fail(self, failure: Failure) -> None:
        write_text(self._failure, json.dumps(failure.to_mapping(), indent=1))

    def failure(self) -> Failure | None:
        if not self._failure.exists():
            return None
        return Failure(**json.loads(self._failure.read_bytes()))

    def reset_failure(self) -> None:
        """Make a failed trial pending again, from its first epoch; the failure is kept."""
        failure = self.failure()
        if failure is not None:
            self._failure.replace(self.path / f"failure-{failure.attempt}.json")
            self.drop_resume()
            number = self._attempt().number
            self._write_attempt(Attempt(number, origin=number + 1))
