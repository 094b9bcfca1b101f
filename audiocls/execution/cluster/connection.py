"""The connection with a Ray cluster, and what a launch asks of its nodes."""

import logging
import math
import os
import re
import socket
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from audiocls.errors import UsageError
from audiocls.execution.cluster.losses import messages_kept, messages_printed
from audiocls.formatting import join_names

CONNECT_S = 5.0
"""For a machine to answer at the address of a cluster."""
ADDRESS = re.compile(r"auto|local|(ray://)?[^/\s]+:\d+")
WANTED = "auto, or the address of a cluster's head, such as HOST:6379 or ray://HOST:10001"
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"
"""How a client of gRPC begins: the preface of HTTP/2 (RFC 9113, 3.4), and settings of its own."""
SETTINGS = 4
"""Kind of the frame, its fourth byte, by which such a server answers."""
NAMESPACE = "audiocls"
"""Distinguishes connections that are opened here from the user's."""
TYPE = "accelerator_type:"
"""Beginning of the resource by which Ray names a node's kind of device."""
MOST_NAMED = 6
Resources = Mapping[str, float]


@dataclass(frozen=True)
class Demand:
    """How many workers a launch wants, and what each of them gets of a node."""

    num_workers: int
    cpus: float
    gpus: float = 0.0
    accelerator_type: str = ""
    """As Ray calls it, such as `H200`; empty where the cluster has GPUs of no known kind."""

    @property
    def options(self) -> dict[str, Any]:
        """What Ray is told of each worker."""
        kind = {"accelerator_type": self.accelerator_type} if self.accelerator_type else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, **kind}

    def room_on(self, node: Resources) -> int:
        """Return how many workers a node with these resources has room for, if it has no others."""
        if self.accelerator_type and TYPE + self.accelerator_type not in node:
            return 0
        wanted = {"CPU": self.cpus, "GPU": self.gpus}
        counts = [node.get(name, 0.0) / each for name, each in wanted.items() if each]
        return math.floor(min(counts) + 1e-6)

    def __str__(self) -> str:
        gpu = f" {self.accelerator_type}" if self.accelerator_type else ""
        gpus = f" and {self.gpus:g} GPU{gpu}" if self.gpus else ""
        return f"{self.cpus:g} CPU{gpus}"


def connect(address: str | None) -> None:
    """Connect this process with a cluster, unless it is.

    Without an address that is `RAY_ADDRESS`, or the cluster that was started on this machine.
    Raises `UsageError` where none answers, and for an address beside a connection of the user's.
    """
    if ray.is_initialized():
        if address and not _is_ours():
            raise UsageError(
                f"--ray-address: got {address}, but this process is connected with a cluster; "
                "leave the address out, or call ray.shutdown() before"
            )
        return
    inherited = os.environ.get("RAY_ADDRESS", "")
    whose = "RAY_ADDRESS" if inherited and not address else "--ray-address"
    _require_cluster(address or inherited or _started_here() or "auto", whose)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Ray's own future versions
            ray.init(
                address or "auto",
                namespace=NAMESPACE,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
        why = str(error).strip().partition("\n")[0].rstrip(".")
        raise UsageError(
            f"--ray-address: no Ray cluster at {address or 'auto'}: {why}. Start one with `ray "
            "start --head`, or name one, such as --ray-address ray://HOST:10001"
        ) from error


def disconnect() -> None:
    """End the connection, unless the user has opened it."""
    if ray.is_initialized() and _is_ours():
        ray.shutdown()
        messages_printed()


def keep_messages(log: Path) -> None:
    """Append to a file what Ray tells of nodes, unless the user has opened the connection."""
    if _is_ours():
        messages_kept(log)


def _is_ours() -> bool:
    return bool(ray.get_runtime_context().namespace == NAMESPACE)


def _started_here() -> str:
    """Return the address of the cluster that was started on this machine, dead or alive."""
    folder = Path(os.environ.get("RAY_TMPDIR") or "/tmp", "ray")
    try:
        return (folder / "ray_current_cluster").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _require_cluster(address: str, whose: str) -> None:
    """Raise `UsageError` where no cluster answers: Ray itself would wait for minutes.

    Args:
        whose: the option or variable that names it, for people.
    """
    if not ADDRESS.fullmatch(address):
        raise UsageError(f"{whose}: got {address!r}; wanted: {WANTED}")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host:
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), CONNECT_S) as connection:
            is_cluster = bool(os.environ.get("RAY_USE_TLS")) or _speaks_grpc(connection)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{whose}: nothing answers at {address} ({error}); wanted: {WANTED}"
        ) from error
    if not is_cluster:
        raise UsageError(f"{whose}: what answers at {address} is no Ray cluster; wanted: {WANTED}")


def _speaks_grpc(connection: socket.socket) -> bool:
    """Whether a server answers as those of Ray do."""
    connection.sendall(HELLO)
    try:
        answer = connection.recv(SETTINGS)
    except OSError:
        return False
    return len(answer) == SETTINGS and answer[-1] == SETTINGS


def demand(
    devices: str, workers: int | None, cpus: float | None, gpus: float | None, per_trial: int = 1
) -> Demand:
    """Return what a launch asks of the cluster that this process is connected with.

    Without a number of workers there are as many as all nodes have room for. A worker whose trials
    are trained on several devices gets them all. Raises `UsageError` where no node, and none that
    the cluster may add, has room for one.
    """
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    nodes = [node["Resources"] for node in known if node["Alive"]]
    groups = _groups()
    kind, has_gpu = _kind(devices, [*nodes, *groups], gpus)
    if per_trial > 1:
        _require_devices(per_trial, cpus, gpus, has_gpu)
    cpus = float(per_trial) if cpus is None else cpus
    _require_amounts(cpus, gpus or float(has_gpu))
    wanted = Demand(workers or 1, cpus, gpus or float(has_gpu) * per_trial, kind)
    room = sum(map(wanted.room_on, nodes))
    if not room and not any(map(wanted.room_on, groups)):
        less = "--cpus-per-worker or --gpus-per-worker"
        raise UsageError(
            f"--executor ray: a worker is to have {wanted}, and no node offers that; the nodes "
            f"offer: {join_names(sorted(set(map(_described, nodes))), MOST_NAMED)}. Ask for less "
            f"with {less if per_trial == 1 else '--devices-per-trial'}"
        )
    return Demand(workers or max(1, room), wanted.cpus, wanted.gpus, kind)


def _require_amounts(cpus: float, gpus: float) -> None:
    """Raise `UsageError` for amounts that Ray reserves for no worker."""
    if gpus > 1 and not gpus.is_integer():
        raise UsageError(f"--gpus-per-worker: got {gpus:g}; allowed: parts of one, or whole GPUs")
    if not cpus and not gpus:
        raise UsageError(
            "--cpus-per-worker: got 0, and workers get no GPU: a node would have room for any "
            "number of them; allowed: more than 0"
        )


def _require_devices(per_trial: int, cpus: float | None, gpus: float | None, has_gpu: bool) -> None:
    """Raise `UsageError` where a worker is to have other devices than its trials are trained on."""
    option, given = ("--gpus-per-worker", gpus) if has_gpu else ("--cpus-per-worker", cpus)
    if given is not None and given != per_trial:
        raise UsageError(
            f"{option}: got {given:g}, and --devices-per-trial {per_trial}: each worker gets "
            f"{per_trial}; leave {option} out"
        )


def _kind(devices: str, nodes: Sequence[Resources], gpus: float | None) -> tuple[str, bool]:
    """Return the type of accelerator that workers get, and whether they get any.

    `auto` is the kind that there are most GPUs of: trials of two kinds do not compare.
    """
    counts: dict[str, float] = {}
    for node in nodes:
        for name in (key.removeprefix(TYPE) for key in node if key.startswith(TYPE)):
            counts[name] = counts.get(name, 0.0) + node.get("GPU", 0.0)
    if devices == "cpu" or (devices == "auto" and gpus == 0):
        return "", False
    if devices == "auto":
        known = [name for name, count in counts.items() if count]
        has_gpus = any(node.get("GPU") for node in nodes)
        return max(known, key=lambda name: counts[name], default=""), has_gpus or bool(gpus)
    if devices not in counts:
        allowed = ", ".join(["auto", "cpu", *counts])
        raise UsageError(f"--devices: got {devices!r}; this Ray cluster has: {allowed}")
    return devices, True


def _described(node: Resources) -> str:
    kinds = "".join(f" {key.removeprefix(TYPE)}" for key in node if key.startswith(TYPE))
    return f"{node.get('CPU', 0):g} CPU and {node.get('GPU', 0):g} GPU{kinds}"


def _groups() -> list[Resources]:
    """Return what nodes that an autoscaler may add would offer, as far as Ray says."""
    with suppress(Exception):  # of a client's connection nothing is known; Ray has no public call
        from ray._private.state import state

        config = state.get_cluster_config()
        groups = config.node_group_configs if config is not None else ()
        return [dict(group.resources) for group in groups if group.max_count]
    return []
