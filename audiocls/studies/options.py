"""`LaunchOptions`: where and with what a study is run, and how its progress is shown.

`numbers` and `names` read the options that choose seeds, folds and arms, such as `0..4` and
`a=1;b=2`.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from audiocls.config import Config
from audiocls.design.ablation import MAX_BLOCKS
from audiocls.design.register import PROJECT
from audiocls.errors import UsageError, did_you_mean
from audiocls.execution.accelerators import obstacles
from audiocls.execution.device_claims import ClaimedSlots, claimed
from audiocls.execution.devices import (
    Slots,
    kind_name,
    per_device,
    require_kinds,
    slots,
)
from audiocls.execution.executors import Executor
from audiocls.execution.external.code import ProgramCode
from audiocls.execution.fork_server import ForkServer, begun
from audiocls.execution.job import TrackingConfig
from audiocls.execution.messages import Display as Display
from audiocls.execution.scheduler import GRACE_S, MAX_FIRST_FAILURES, Limits
from audiocls.execution.shared_batches import require_shared
from audiocls.execution.temporary import cache_folder as cache_folder
from audiocls.formatting import RUNS as RUNS
from audiocls.studies.executors import open_inline, open_local, open_programs
from audiocls.studies.on_ray import NO_RAY, RayOptions, RayWorkers
from audiocls.tracking import WandbMode
from audiocls.tracking.mode import default_mode
from audiocls.tracking.tensorboard import require_tensorboard

EXECUTORS = ("local", "inline", "slurm", "ray", "wandb")
GRACE = "AUDIOCLS_GRACE_S"
"""Environment variable of a task: the seconds for an epoch to end in after a request to stop."""
ELSEWHERE = (
    "--executor slurm: a job array is submitted by `audiocls sweep launch` alone; in a job of your "
    "own this command runs as it is. Allowed here: local, inline, ray"
)
PROGRAMS_ALONE = "--per-device: programs are run one by one on a device; leave it out"

OpenExecutor = Callable[[int | None, threading.Event], Executor[Any]]
"""From the most trials that can run at a time, if known, and the event that stops the launch."""


@dataclass(frozen=True)
class LaunchOptions:
    """Where and with what a study is run, as the command line says it."""

    runs: Path
    wandb: str | None = None
    executor: str = "local"
    devices: str = "auto"
    workers: int | None = None
    max_hours: float | None = None
    retries: int = 0
    has_tensorboard: bool = False
    has_model: bool = False
    run_id: str = ""
    """The W&B run that an agent opened for the one trial of this launch."""
    per_device: str = "1"
    """Trials of one shape that a worker trains at once, or `auto`."""
    is_single: bool = False
    """Whether one cell is launched on its own."""
    devices_per_trial: int = 1
    fork_server: ForkServer | None = None
    """Process of which workers are forked; none where each is started by itself."""
    ray: RayOptions = NO_RAY
    submitted: tuple[str, ...] = ()
    """Kinds of device of the tasks that train for this launch; none where it trains itself."""

    @property
    def is_on_server(self) -> bool:
        """Whether a W&B server says which trial comes next."""
        return self.executor == "wandb"

    def mode(self) -> WandbMode:
        """Return the requested W&B mode, or else the one of this machine's configuration."""
        if self.wandb is None:
            return default_mode(os.environ)
        if self.wandb not in get_args(WandbMode):
            allowed = get_args(WandbMode)
            raise UsageError(
                f"--wandb: got {self.wandb!r}; allowed: {', '.join(allowed)}."
                + did_you_mean(self.wandb, allowed)
            )
        return cast(WandbMode, self.wandb)

    def tracking(self) -> TrackingConfig:
        """Return where trials are tracked; raises `UsageError` for what is not installed."""
        if self.has_tensorboard:
            require_tensorboard()
        return TrackingConfig(
            mode=self.mode(),
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            has_tensorboard=self.has_tensorboard,
            has_model=self.has_model,
            run_id=self.run_id,
        )

    def limits(self, is_foreign: bool = False) -> Limits:
        """Return when to give up; an external program may fail in every trial."""
        max_s = None if self.max_hours is None else self.max_hours * 3600
        grace_s = float(os.environ.get(GRACE, GRACE_S))
        return Limits(max_s, self.retries, MAX_FIRST_FAILURES if is_foreign else None, grace_s)

    def check_known(self) -> None:
        """Raise `UsageError` for an executor that there is not."""
        if self.executor not in EXECUTORS:
            allowed = ", ".join(EXECUTORS)
            raise UsageError(f"--executor: got {self.executor!r}; allowed: {allowed}")

    def slots(self, is_native: bool = False) -> Slots:
        """Return one device a worker, of our own trials or of programs."""
        self.check_known()
        if self.executor == "slurm":
            raise UsageError(ELSEWHERE)
        self.check_packs()
        if self.executor == "inline" and self.devices_per_trial > 1:
            raise UsageError("--devices-per-trial: with --executor inline a trial has one device")
        if self.executor == "ray":
            return self._ray().slots()
        self.ray.require_none()
        return slots(self.devices, self.workers, is_native, self.devices_per_trial)

    def check_packs(self) -> None:
        """Raise `UsageError` for several trials at once where no worker takes several."""
        if per_device(self.per_device) == 1:
            return
        if self.executor not in ("local", "ray"):
            raise UsageError(
                f"--per-device: got {self.per_device}, which needs workers; allowed with "
                f"--executor {self.executor}: 1"
            )
        if self.devices_per_trial > 1:
            raise UsageError(
                f"--per-device: got {self.per_device}, and --devices-per-trial "
                f"{self.devices_per_trial}: set one of them"
            )

    def _ray(self) -> RayWorkers:
        pack = per_device(self.per_device)
        return RayWorkers(self.ray, self.devices, self.workers, pack, self.devices_per_trial)

    def claimed(
        self, note: Callable[[str], None], most: int | None = None, is_native: bool = False
    ) -> ClaimedSlots:
        """Return one device a worker, at most `most`, that no other launch here works on.

        `note` gets why there are fewer than this machine has.
        """
        slots = claimed(self.devices, self.workers, most, is_native, self.devices_per_trial)
        if slots.note:
            note(slots.note)
        return slots

    def idle_accelerators(self) -> list[str]:
        """Return why accelerators of this machine stay idle, unless the user chose devices."""
        is_here = self.executor in ("local", "inline")
        return obstacles() if is_here and self.devices == "auto" else []

    def check_runs_here(self) -> None:
        """Raise `UsageError` where a server or a cluster would have to order what it cannot."""
        if self.executor == "slurm":
            raise UsageError(ELSEWHERE)
        if self.is_on_server:
            raise UsageError(
                "--executor wandb: a server orders cells of sweeps; allowed here: local, inline, "
                "ray"
            )

    def require_trainable(self, configs: Sequence[Config]) -> None:
        """Raise `UsageError` for trials that cannot be trained where this launch puts them."""
        if self.submitted:
            require_kinds([config.device for config in configs], list(self.submitted))
        elif self.executor != "ray":
            slots = self.slots(is_native=True)
            require_kinds([config.device for config in configs], slots)
            if self.devices_per_trial > 1:
                require_shared(configs, self.devices_per_trial, kind_name(slots[0]))
        else:
            from audiocls.execution.cluster.dispatch import require_sendable

            require_sendable(self.mode(), self.has_model)
            self._ray().require_kinds(config.device for config in configs)

    def open_workers(
        self,
        log: Path,
        note: Callable[[str], None],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> OpenExecutor:
        """Return what opens the executor of native trials; `log` gets its workers' output.

        `note` gets why there are fewer workers than devices. `meanwhile` is called on a thread
        while workers on this machine import.
        """

        def open_executor(most: int | None, stop: threading.Event) -> Executor[Any]:
            if self.executor == "ray":
                return self._ray().open(log.parent, most)
            if self.executor == "inline":
                return open_inline(self.claimed(note, 1, is_native=True), stop)
            pack, slots = per_device(self.per_device), self.claimed(note, most, is_native=True)
            executor = open_local(slots, log, self.fork_server, pack)
            threading.Thread(target=meanwhile, daemon=True).start()
            return executor

        return open_executor

    def open_programs(
        self, study: Path, code: ProgramCode, note: Callable[[str], None]
    ) -> OpenExecutor:
        """Return what opens the executor of a program's trials; `study` is their folder.

        `note` gets why there are fewer workers than devices.
        """
        if per_device(self.per_device) != 1:
            raise UsageError(PROGRAMS_ALONE)
        if self.executor == "ray":
            from audiocls.execution.cluster.dispatch import program_files

            files = program_files(code)
            return lambda most, stop: self._ray().open(study, most, files)
        self.slots()  # which raises for devices that are not there
        return lambda most, stop: open_programs(self.claimed(note, most))

    def begin_workers(self, study: str) -> None:
        """Begin what workers are forked of, for a study that was never launched."""
        if self.fork_server is not None and not (self.runs / study).exists():
            self.fork_server.begin()


@contextmanager
def with_fork_server(
    options: LaunchOptions, study: str, is_native: bool = True
) -> Iterator[LaunchOptions]:
    """Yield the options with a fork server, as long as the context is open, where it is safe.

    Trials that are not native are programs, which are not forked.
    """
    if not is_native:
        yield options
        return
    chosen = (options.executor, options.devices, options.workers, options.devices_per_trial)
    with begun(*chosen, options.runs, study) as server:
        yield replace(options, fork_server=server)


def numbers(text: str | None, option: str) -> list[int]:
    """Return `0..4` and `0,2,5`, or mixtures, as numbers.

    >>> numbers("0..2,7", "--seeds")
    [0, 1, 2, 7]
    """
    chosen: list[int] = []
    for item in (text or "").split(",") if text else []:
        match = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", item)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise UsageError(f"{option}: got {text!r}; allowed: such as 0..4 or 0,2,5")
        added = range(int(match[1]), int(match[2] or match[1]) + 1)
        if len(chosen) + len(added) > MAX_BLOCKS:
            raise UsageError(f"{option}: got {text!r}; allowed: at most {MAX_BLOCKS:,} numbers")
        chosen += added
    return chosen


def names(text: str | None, known: list[str]) -> list[str]:
    """Return arms separated by commas or semicolons; an arm's own commas are kept where known.

    >>> names("a=1,b=2,a=2", ["a=1,b=2", "a=2"])
    ['a=1,b=2', 'a=2']
    """
    if not text:
        return []
    if ";" in text:
        return [item.strip() for item in text.split(";") if item.strip()]
    chosen: list[str] = []
    rest = text.strip()
    while rest:
        fits = [name for name in known if rest == name or rest.startswith(name + ",")]
        arm = max(fits, key=len, default=rest.split(",")[0].strip())
        chosen.append(arm)
        rest = rest[len(arm) :].lstrip(", ")
    return chosen
