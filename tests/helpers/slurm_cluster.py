"""A SLURM cluster of two nodes on this machine: a controller, two `slurmd`, a key of its own.

Each node has a host name of its own, so that to leases they are two machines.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from helpers.processes import ROOT, wait_until

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "runuser", "unshare")
LEASE_S, HEARTBEAT_S = 6.0, 1.5
"""Instead of a minute: the same on both nodes, and in the process of the test."""

CONFIGURATION = """
ClusterName=here
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
JobRequeue=1
KillWait=5
MinJobAge=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs=2 \
CoresPerSocket=2 RealMemory=1000 State=UNKNOWN
PartitionName=work Nodes=n[1-2] Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=urgent Nodes=n[1-2] PriorityTier=10 PreemptMode=OFF
"""
"""`cred_expire`: a job that is requeued waits until its last credential has expired, else 2 min."""

PYTHON = """#!/bin/bash
exec unshare --uts bash -c 'hostname "$SLURMD_NODENAME"; exec "$0" "$@"' {python} "$@"
"""
SHORT_LEASES = f"""
from audiocls.store import lease
lease.LEASE_S, lease.HEARTBEAT_S = {LEASE_S}, {HEARTBEAT_S}
"""


def missing() -> str:
    """Return why there can be no cluster here; empty where there can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)} here: run .ci/slurm"
    return "" if os.getuid() == 0 else "the daemons of two nodes need root"


@dataclass(frozen=True)
class Cluster:
    """Two nodes, n1 and n2, of two cores each; partitions `work`, and `urgent` before it."""

    folder: Path
    python: Path
    """The `python` of the profile, which gives a task the host name of its node."""
    places: str
    """`PYTHONPATH` of whatever shares a study there."""

    def submit(self, script: str, *options: str) -> str:
        """Submit somebody else's job; return its id."""
        words = ["sbatch", "--parsable", "--output=/dev/null", *options]
        given = f"#!/bin/bash\n{script}\n"
        return subprocess.run(words, input=given, capture_output=True, text=True, check=True).stdout

    def queue(self) -> list[str]:
        """Return the states of all tasks."""
        words = ["squeue", "--noheader", "--array", "--format=%T"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()

    def clear(self) -> None:
        """Cancel all that there is, and wait until it has gone."""
        for force in ([], ["--signal=KILL", "--full"]):
            jobs = ["squeue", "--noheader", "--array", "--format=%i"]
            ids = subprocess.run(jobs, capture_output=True, text=True, check=True).stdout.split()
            if ids:
                subprocess.run(["scancel", *force, *ids], check=False)
        wait_until(lambda: not self.queue(), 30)


@contextmanager
def cluster_in(folder: Path) -> Iterator[Cluster]:
    """Start the daemons, and end those that were started."""
    os.environ["SLURM_CONF"] = str(_configure(folder))
    munge = folder / "munge"
    words = [f"--{name}={munge}/{file}" for name, file in _MUNGE.items()]
    munged = ["runuser", "-u", "munge", "--", "munged", "--foreground", *words]
    started = [subprocess.Popen(munged, stderr=subprocess.DEVNULL)]
    try:
        wait_until((munge / "socket").exists)
        started.append(subprocess.Popen(["slurmctld", "-D"], stderr=subprocess.DEVNULL))
        for node in ("n1", "n2"):
            daemon = ["slurmd", "-D", "-N", node]
            started.append(subprocess.Popen(daemon, stderr=subprocess.DEVNULL))
        wait_until(lambda: _idle_nodes() == 2, 30)
        yield Cluster(folder, folder / "python", f"{folder}/site{os.pathsep}{ROOT}")
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=20)
        del os.environ["SLURM_CONF"]


_MUNGE = {
    "key-file": "key",
    "socket": "socket",
    "pid-file": "pid",
    "log-file": "log",
    "seed-file": "seed",
}


def _configure(folder: Path) -> Path:
    """Write the configuration and the key; nodes and controller listen on free ports."""
    for name in ("state", "spool.n1", "spool.n2", "munge", "site"):
        (folder / name).mkdir()
    for above in (folder, *folder.parents):  # munged looks at who may write where its key lies
        if above.stat().st_uid == os.getuid() and above != Path("/"):
            above.chmod(above.stat().st_mode | 0o055 & ~0o022)
    port, first, last = _free_ports()
    named = {"folder": folder, "host": socket.gethostname().partition(".")[0]}
    file = folder / "slurm.conf"
    file.write_text(CONFIGURATION.format(**named, port=port, first=first, last=last))
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    key = folder / "munge/key"
    key.write_bytes(os.urandom(64))
    key.chmod(0o400)
    for path in (key, key.parent):
        shutil.chown(path, "munge")
    python = folder / "python"
    python.write_text(PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    (folder / "site/sitecustomize.py").write_text(SHORT_LEASES)
    return file


def _free_ports() -> tuple[int, int, int]:
    """Return three ports in a row that nobody listens on."""
    for port in range(17000, 18000, 3):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                for each, number in ((one, port), (two, port + 1), (three, port + 2)):
                    each.bind(("", number))
            except OSError:
                continue
            return port, port + 1, port + 2
    raise OSError("no free ports")


def _idle_nodes() -> int:
    words = ["sinfo", "--noheader", "--Node", "--partition=work", "--format=%T"]
    told = subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()
    time.sleep(0.1)
    return told.count("idle")
