"""What a node needs of this machine for a trial: decoded data, own modules, a program's files.

Data goes as the folders of the cache that its trials read, once for each fingerprint and features.
They are made here by a process of its own (`python -m audiocls.execution.cluster.dispatch`), which
has torch.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.datasets import is_packed
from audiocls.audio.remote import is_url
from audiocls.config import Config, files_of
from audiocls.errors import AudioclsError, MachineFault, UsageError
from audiocls.execution.cluster.node import Delivery
from audiocls.execution.cluster.tables import table_bytes
from audiocls.execution.devices import worker_environment
from audiocls.execution.external.code import ProgramCode
from audiocls.execution.job import AnyJob, NativeSpec
from audiocls.machine import fault_of
from audiocls.parts import KEPT, own_parts
from audiocls.parts.code import files_of_module
from audiocls.parts.modules import find, own_places
from audiocls.tracking import WandbMode

if TYPE_CHECKING:
    from audiocls.audio.dataset import AudioDataset

PLACES_OF_WANDB = ("_DIR", "SERVICE", "RUN_ID", "SWEEP_ID", "SWEEP_PARAM_PATH")
"""Endings of W&B's variables that mean something on this machine, or in this process, alone."""
HANDED_ON = ("AUDIOCLS_TRUST",)
Put = Callable[[NDArray[np.uint8]], Any]


def variables(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what workers elsewhere need of an environment: W&B's key and settings, and trust.

    >>> variables({"WANDB_API_KEY": "k", "WANDB_DIR": "/home/me", "HOME": "/home/me"})
    {'WANDB_API_KEY': 'k'}
    """
    return {
        name: value
        for name, value in inherited.items()
        if name in HANDED_ON or (name.startswith("WANDB_") and not name.endswith(PLACES_OF_WANDB))
    }


def program_files(code: ProgramCode) -> dict[str, bytes]:
    """Return a program's files by their paths in its working directory.

    Raises `UsageError` where none is known, or one lies elsewhere.
    """
    cwd = code.cwd.resolve()
    outside = [str(file) for file in code.files if not file.resolve().is_relative_to(cwd)]
    if not code.files or outside:
        what = f"{outside[0]} lies outside of {cwd}" if outside else "none of its files is known"
        raise UsageError(
            f"--executor ray: the program is sent to the nodes, and {what}. Name its files in "
            "`code`, all of them below the working directory"
        )
    return {str(file.resolve().relative_to(cwd)): file.read_bytes() for file in code.files}


def require_sendable(mode: WandbMode, has_model: bool) -> None:
    """Raise `UsageError` for what workers that share no folder cannot do."""
    if has_model and mode == "offline":
        raise UsageError(
            "--log-model: an offline run names the model's files where it was trained, and with "
            "--executor ray they do not stay there; allowed: --wandb online"
        )


def paths_of(config: Config) -> dict[str, str]:
    """Return what a trial reads beside its decoded data: it has to be on every node."""
    files = files_of(config)
    if is_packed(config.data):
        files.pop("ssl.clips", None)
    sets = {"data.root": config.data, "pretraining.data.root": config.pretraining.data}
    roots = {key: each.root for key, each in sets.items() if each and not is_packed(each)}
    return files | {key: root for key, root in roots.items() if root and not is_url(root)}


def modules_of(config: Config) -> dict[str, bytes]:
    """Return the files of a trial's own parts; an installed part must be installed everywhere."""
    modules = [find(part.module) for _, part in own_parts(config)]
    pairs = (_content_of(file, each.root) for each in modules if not each.is_installed
             for file in files_of_module(each))  # fmt: skip
    return {name: file.read_bytes() for name, file in pairs}


def _content_of(file: Path, root: Path) -> tuple[str, Path]:
    """Return a file with its path below the folder that it is imported from."""
    roots = [root, *map(Path, own_places())]
    inside = next((each for each in roots if file.is_relative_to(each)), file.parent)
    return file.relative_to(inside).as_posix(), file


@dataclass(frozen=True)
class DataKey:
    """Which data a trial reads, or its pre-training stage."""

    config: str
    """As JSON, its parts that decide the data alone."""
    fingerprint: str
    is_of_stage: bool = False

    @classmethod
    def of(
        cls, config: Mapping[str, Any], fingerprint: str, is_of_stage: bool = False
    ) -> "DataKey":
        parts = {name: config[name] for name in ("data", "features", "ssl")}
        return cls(json.dumps(parts, sort_keys=True, default=str), fingerprint, is_of_stage)


class DataShipment:
    """The data of some trials on its way: made, read, and put where nodes can fetch it.

    `put` returns a reference to an array. All of it happens on a thread; look at `is_ready`.
    """

    def __init__(self, config: Mapping[str, Any], key: DataKey, cache: Path, put: Put):
        self._config, self._key, self._cache, self._put = config, key, cache, put
        self._process: subprocess.Popen[bytes] | None = None
        self.fault: AudioclsError | None = None
        """Why the data cannot be used: the machine's fault, or its own."""
        self.table: Any = None
        self.folders: dict[str, dict[str, Any]] = {}
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def is_ready(self) -> bool:
        """Whether it is there, or cannot be."""
        return not self._thread.is_alive()

    def delivery(self, job: AnyJob, files: bytes) -> Delivery:
        """Return a trial with all that it needs of this machine."""
        config = config_of(job)
        needed = (modules_of(config), paths_of(config), self.tables, self.folders)
        return Delivery(job.to_json(), files, *needed)

    @property
    def tables(self) -> dict[str, Any]:
        """Fingerprint → reference to its list of clips."""
        return {self._key.fingerprint: self.table}

    def cancel(self) -> None:
        """Give it up."""
        if self._process is not None:
            self._process.kill()

    def _work(self) -> None:
        try:
            with TemporaryDirectory() as folder:
                answer, table = self._made(Path(folder))
            self.table = self._put(np.frombuffer(table, np.uint8))
            for name in answer["folders"]:
                self.folders[name] = dict(self._files(self._cache / name))
        except AudioclsError as error:
            self.fault = error
        except OSError as error:
            self.fault = fault_of(error, self._cache) or AudioclsError(str(error))

    def _made(self, folder: Path) -> tuple[dict[str, Any], bytes]:
        wanted: dict[str, Any] = {"config": self._config, "cache": str(self._cache)}
        wanted |= {"data": self._key.fingerprint, "is_of_stage": self._key.is_of_stage}
        (folder / "asked.json").write_text(json.dumps(wanted))
        words = [sys.executable, "-m", "audiocls.execution.cluster.dispatch", str(folder)]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=worker_environment(os.environ, "cpu"),
            )
            code = self._process.wait()
        if code:
            last = (folder / "log").read_text(errors="replace").strip().splitlines()
            raise AudioclsError(f"preparing its data ended with {code}: {last[-1] if last else ''}")
        answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
        if answer["fault"]:
            raise (MachineFault if answer["is_machines"] else AudioclsError)(answer["fault"])
        return answer, (folder / "table.json").read_bytes()

    def _files(self, folder: Path) -> Iterator[tuple[str, Any]]:
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            has_bytes = file.stat().st_size > 0
            content = np.memmap(file, np.uint8, "r") if has_bytes else np.zeros(0, np.uint8)
            yield file.relative_to(folder).as_posix(), self._put(np.asarray(content))


def config_of(job: AnyJob) -> Config:
    """Return the configuration of a native trial."""
    assert isinstance(job.spec, NativeSpec)
    return Config.model_validate(job.spec.config, context=KEPT)


def main(folder: Path) -> None:
    """Make what the trials of a configuration read, as `asked.json` says; answer beside it."""
    wanted = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    answer: dict[str, Any] = {"fault": "", "is_machines": False, "folders": []}
    try:
        dataset = _opened(wanted)
        (folder / "table.json").write_bytes(table_bytes(dataset.table))
        answer["folders"] = sorted(folders_of(dataset))
    except (AudioclsError, OSError) as error:
        machines = fault_of(error, Path(wanted["cache"]))
        answer |= {"fault": str(machines or error), "is_machines": machines is not None}
    (folder / "answer.json").write_text(json.dumps(answer), encoding="utf-8")


def _opened(wanted: Mapping[str, Any]) -> "AudioDataset":
    """Return the data of a configuration on this machine; one of a stage has other clips."""
    from audiocls.execution.pretraining_stage import stage_table
    from audiocls.execution.worker_cache import WorkerCache

    config = Config.model_validate(wanted["config"], context=KEPT)
    on_cpu = config.model_copy(update={"device": "cpu"})
    worker_cache = WorkerCache(Path(wanted["cache"]))
    if not wanted["is_of_stage"]:
        return worker_cache.dataset(on_cpu, wanted["data"])
    has_codes = config.ssl.mode == "pretrain"
    return worker_cache.dataset(on_cpu, wanted["data"], stage_table(config), has_codes)


def folders_of(dataset: "AudioDataset") -> set[str]:
    """Return the folders of the cache that a data set was opened from, by name."""
    arrays = (dataset.pack.samples, dataset.features, dataset.codes)
    files = (each.filename for each in arrays if isinstance(each, np.memmap))
    return {Path(str(file)).parent.name for file in files}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
