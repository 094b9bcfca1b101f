"""`--executor ray`: what its options mean, without Ray where it is not asked for."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls import extras
from audiocls.errors import UsageError
from audiocls.execution.devices import PerDevice, Slots
from audiocls.execution.executors import Executor
from audiocls.execution.temporary import cache_folder

if TYPE_CHECKING:
    from audiocls.execution.cluster.connection import Demand


@dataclass(frozen=True)
class RayOptions:
    """Which cluster, and what of a node each worker gets there."""

    address: str | None = None
    cpus_per_worker: float | None = None
    gpus_per_worker: float | None = None

    def words(self) -> Iterator[str]:
        """Yield the options that say this."""
        for option, value in self._given().items():
            yield from (option, str(value))

    def require_none(self) -> None:
        """Raise `UsageError` if something was said here, for another executor."""
        for option in self._given():
            raise UsageError(
                f"{option} has no effect here: it belongs to --executor ray; leave it out"
            )

    def _given(self) -> dict[str, str | float]:
        options = {
            "--ray-address": self.address,
            "--cpus-per-worker": self.cpus_per_worker,
            "--gpus-per-worker": self.gpus_per_worker,
        }
        return {option: value for option, value in options.items() if value is not None}


NO_RAY = RayOptions()


@dataclass(frozen=True)
class RayWorkers:
    """The workers that a launch wants of a Ray cluster, as its options say it."""

    options: RayOptions
    devices: str
    num: int | None
    per_device: PerDevice = 1
    """Trials that each of them trains at once."""
    devices_per_trial: int = 1

    def slots(self) -> Slots:
        """Return `cuda` or `cpu` for each worker.

        Raises `UsageError` where Ray is not installed, no cluster answers, or no node has room.
        """
        demand = self._demand()
        return ["cuda" if demand.gpus else "cpu"] * demand.num_workers

    def require_kinds(self, wanted: Iterable[str]) -> None:
        """Raise `UsageError` where trials ask for a kind of device that workers do not get.

        Args:
            wanted: each trial's `device`, such as `auto` or `cuda`.
        """
        demand = self._demand()
        odd = sorted(kind for kind in {*wanted} - {"auto"} if (kind == "cpu") == bool(demand.gpus))
        if odd:
            raise UsageError(
                f"device: got {odd[0]}, but each worker of this launch has {demand} of its node. "
                "Leave it at auto, or choose others with --devices or --gpus-per-worker"
            )

    def _demand(self) -> "Demand":
        extras.require("ray", "--executor ray")
        from audiocls.execution.cluster import connection

        options = self.options
        connection.connect(options.address)
        each = (options.cpus_per_worker, options.gpus_per_worker)
        return connection.demand(self.devices, self.num, *each, self.devices_per_trial)

    def open(
        self, study: Path, most: int | None, program: Mapping[str, bytes] | None = None
    ) -> Executor[Any]:
        """Return an executor with at most that many workers, for our own trials or a program's."""
        demand = self._demand()
        if program is None:
            extras.require("train", "training a recipe")
        from audiocls.execution.cluster import connection
        from audiocls.execution.cluster.dispatch import variables
        from audiocls.execution.cluster.node import NodeSetup
        from audiocls.execution.executors.actors import RayExecutor

        connection.keep_messages(study / "workers.log")
        num_workers = min(demand.num_workers, most or demand.num_workers)
        setup = NodeSetup(
            str(study),
            bool(demand.gpus),
            program is not None,
            variables(os.environ),
            program or {},
            self.per_device,
            self.devices_per_trial,
        )
        wanted = replace(demand, num_workers=num_workers)
        return RayExecutor(wanted, setup, cache_folder().absolute(), connection.disconnect)
