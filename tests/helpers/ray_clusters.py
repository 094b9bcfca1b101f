"""Ray clusters on this machine, with as many nodes as a test wants."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from helpers.processes import ROOT


@contextmanager
def ray_cluster(num_nodes: int, cache: Path, **node: float) -> Iterator[Cluster]:
    """A head without cores and nodes of one core each, whose caches are not this process's.

    `node` are further resources of each.
    """
    before = dict(os.environ)
    os.environ |= {
        "AUDIOCLS_CACHE": str(cache),
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(ROOT),
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_TMPDIR": "/tmp",  # paths of sockets may have 107 bytes
        "TMPDIR": "/tmp",
    }
    try:
        cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
        )
        for _ in range(num_nodes):
            cluster.add_node(num_cpus=1, **node)
        cluster.wait_for_nodes()
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def join(cluster: Cluster) -> None:
    """Connect this process with a cluster."""
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
