"""Ray clusters on this machine, with as many nodes as a test wants."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.processes import ROOT

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

NO_TOKEN = {"RAY_AUTH_MODE": "disabled"}
"""Environment of nodes and launches; otherwise Ray writes a token into the user's home."""
AGENTS = (
    "metrics_agent_port",
    "metrics_export_port",
    "dashboard_agent_listen_port",
    "runtime_env_agent_port",
)


@contextmanager
def ray_cluster(num_nodes: int, cache: Path) -> Iterator["Cluster"]:
    """A head without cores and nodes of one core each, whose caches are not this process's."""
    from ray.cluster_utils import Cluster

    with _environment(cache):
        head = {"num_cpus": 0, "include_dashboard": False, **_free_ports()}
        cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(num_nodes):
            add_node(cluster, cache)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: "Cluster", cache: Path, num_cpus: int = 1) -> Any:
    """Add a node of one core, or of more; return it."""
    with _environment(cache):
        return cluster.add_node(num_cpus=num_cpus, **_free_ports())


def _free_ports() -> dict[str, int]:
    """Return ports for a node's agents: where they choose them, a node waits 15 s and dies."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in AGENTS]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {name: s.getsockname()[1] for name, s in zip(AGENTS, sockets, strict=True)}


@contextmanager
def _environment(cache: Path) -> Iterator[None]:
    """What nodes inherit; paths of Ray's sockets may have 107 bytes."""
    before = dict(os.environ)
    os.environ |= {"AUDIOCLS_CACHE": str(cache), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": "/tmp"}
    os.environ |= {"PYTHONPATH": str(ROOT), **NO_TOKEN}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def require_ray(cache: Path) -> None:
    """Connect this process with a cluster of two workers' room, which goes with it."""
    import ray

    if not ray.is_initialized():
        with _environment(cache):
            ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
