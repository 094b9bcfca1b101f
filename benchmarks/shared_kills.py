"""Random kills of launches that share one study, as `kills.py --launches N` makes them.

Every other study is one of several hosts: each launch has a host's name of its own, and a holder
that died is known by its silence alone. With `--no-flock` the kernel's lock does nothing in them,
as on many network file systems.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

LEASE_S = 3.0
"""Of studies on several hosts; a minute would make the benchmark last for hours."""
PROGRAM = f"""
from audiocls.store import lease
lease.LEASE_S, lease.HEARTBEAT_S = {LEASE_S}, {LEASE_S / 4}
from audiocls.__main__ import main
main()
"""
SITE = """
import fcntl, os, socket
if os.environ.get("KILLS_NO_FLOCK"):
    fcntl.flock = lambda fd, operation: None
if host := os.environ.get("KILLS_HOST"):
    socket.gethostname = lambda: host
"""
PARTS = ("worker", "scheduler", "group", "everything", "pause")
LONGEST_STUDY_S = 900.0


@dataclass
class Fleet:
    """Launches of one study that are restarted until it is complete."""

    folder: Path
    name: str
    root: Path
    num: int
    has_flock: bool
    has_hosts: bool
    pause_s: float
    """Longest between two kills: none is to come before anything is trained, every time."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    paused: list[tuple[float, list[psutil.Process]]] = field(default_factory=list)

    def start(self, number: int) -> subprocess.Popen[bytes]:
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(SITE)
        words = ["sweep", "launch", "killed.yaml", "--study", self.name, "--workers", "1"]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{site}{os.pathsep}{self.root}",
            "AUDIOCLS_CACHE": str(self.folder / "cache"),
            "KILLS_NO_FLOCK": "" if self.has_flock else "1",
            "KILLS_HOST": f"host{number}" if self.has_hosts else "",
        }
        program = ["-c", PROGRAM] if self.has_hosts else ["-m", "audiocls"]
        with (self.folder / f"{self.name}.{number}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *program, *words, "--wandb", "disabled"],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, drawn: random.Random, kills: Counter[str], num_kills: int) -> list[str]:
        """Kill and restart until a launch ends well; return what was wrong with the others."""
        deadline = time.monotonic() + LONGEST_STUDY_S
        self.processes = [self.start(number) for number in range(self.num)]
        while all(each.poll() != 0 for each in self.processes):
            if time.monotonic() > deadline:
                return [f"{self.name}: not complete after {LONGEST_STUDY_S:.0f} s"]
            time.sleep(drawn.uniform(0.2, self.pause_s))
            self.resume()
            if kills.total() < num_kills and (target := self.kill(drawn)):
                kills[target] += 1
            for number, process in enumerate(self.processes):
                if process.poll() not in (None, 0):
                    self.processes[number] = self.start(number)
        self.resume(is_at_once=True)
        return [fault for each in self.processes if (fault := self.ended(each))]

    def ended(self, process: subprocess.Popen[bytes]) -> str:
        try:
            code = process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"{self.name}: a launch waits although all is done"
        is_well = code in (0, -signal.SIGKILL)
        return "" if is_well else f"{self.name}: a launch ended with {code}"

    def kill(self, drawn: random.Random) -> str:
        """Kill or pause a part of a launch; return which, if there was such a part."""
        process, target = drawn.choice(self.processes), drawn.choice(PARTS)
        if process.poll() is not None or (target == "pause" and not self.has_hosts):
            return ""
        with suppress(psutil.NoSuchProcess):
            scheduler = psutil.Process(process.pid)
            children = scheduler.children(recursive=True)
            victims = {
                "worker": children[:1],
                "scheduler": [scheduler],
                "everything": [scheduler, *children],
                "pause": [scheduler, *children],
            }
            if target == "group":
                os.killpg(process.pid, signal.SIGKILL)
                return target
            return target if self.strike(target, victims[target]) else ""
        return ""

    def strike(self, target: str, victims: list[psutil.Process]) -> bool:
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.suspend() if target == "pause" else victim.kill()
        if target == "pause":
            self.paused.append((time.monotonic() + 2 * LEASE_S, victims))
        return bool(victims)

    def resume(self, is_at_once: bool = False) -> None:
        """Let those go on that were paused for long enough to lose what they held."""
        due = [one for one in self.paused if is_at_once or one[0] < time.monotonic()]
        self.paused = [one for one in self.paused if one not in due]
        for _, victims in due:
            for victim in victims:
                with suppress(psutil.NoSuchProcess):
                    victim.resume()
