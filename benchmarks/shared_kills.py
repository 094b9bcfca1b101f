"""Random kills of launches that share one study, as `kills.py --launches N` makes them.

Every other study is one of several hosts: each launch has a host's name of its own, and a holder
that died is known by its silence alone. With `--no-flock` the kernel's lock does nothing in them,
as on many network file systems. A trial that was killed three times within an epoch has failed, as
it should, and is retried by the command that its launch prints.
"""

import json
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
        words = ["launch", "killed.yaml", "--study", self.name, "--workers", "1"]
        return self.sweep([*words, "--wandb", "disabled"], number)

    def sweep(self, words: list[str], number: int) -> subprocess.Popen[bytes]:
        """Run a command on the host of a launch, with its locks and its lease."""
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        (site / "sitecustomize.py").write_text(SITE)
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
                [sys.executable, *program, "sweep", *words],
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
            faults = failures_beside_kills(self.folder / "runs" / self.name)
            if time.monotonic() > deadline:
                faults.append(f"{self.name}: not complete after {LONGEST_STUDY_S:.0f} s")
            if faults:
                self.end()
                return faults
            time.sleep(drawn.uniform(0.2, self.pause_s))
            self.resume()
            if kills.total() < num_kills and (target := self.kill(drawn)):
                kills[target] += 1
            for number, process in enumerate(self.processes):
                if process.poll() not in (None, 0):
                    if failed(self.folder / "runs" / self.name):
                        self.sweep(["retry", self.name], number).wait()
                    self.processes[number] = self.start(number)
        self.resume(is_at_once=True)
        return [fault for each in self.processes if (fault := self.ended(each))]

    def end(self) -> None:
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

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


def failures_beside_kills(study: Path) -> list[str]:
    """Return the failures of a study that no kill explains."""
    faults = []
    for file in failed(study):
        with suppress(FileNotFoundError):  # another launch may have finished it meanwhile
            failure = json.loads(file.read_text())
            if failure["cause"] != "signal":
                why = f"{failure['cause']}: {failure['message']}"
                faults.append(f"{study.name}: {file.parent.name} failed, {why}")
    return faults


def failed(study: Path) -> list[Path]:
    return list(study.glob("trials/*/failure.json"))
