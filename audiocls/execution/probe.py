"""Own parts, tried on two clips before anything is trained: `python -m audiocls.execution.probe`.

A launch runs no code of the user's and has no torch; a process of its own tries the parts of all
arms at once. It reads a line of JSON for each configuration, and writes its faults as one. What
was sound is remembered in the cache, by code and options.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiocls.atomic import write_text
from audiocls.config import Config, identity_config
from audiocls.errors import ConfigError
from audiocls.parts import KEPT, own_parts

DECIDING = ("data", "features", "model", "augment", "optim", "schedule", "train")


@dataclass(frozen=True)
class Tried:
    """A configuration to try, and how many classes its data has."""

    config: Config
    num_classes: int

    @property
    def key(self) -> str:
        """Digest of all that decides whether its parts are sound."""
        known = identity_config(self.config)
        facts = [self.num_classes, {name: known[name] for name in DECIDING}]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def line(self) -> str:
        """Return it as one line of JSON."""
        config = self.config.model_dump(mode="json")
        return json.dumps({"config": config, "num_classes": self.num_classes})


def require_sound(where: str, tried: Iterable[Tried], cache: Path, is_here: bool = False) -> None:
    """Raise `ConfigError` with the faults of all own parts; nothing has been trained by then.

    `is_here`: whether trials are trained in this process, so that parts may be tried in it as well.
    """
    new = {each.key: each for each in tried if any(own_parts(each.config))}
    new = {key: each for key, each in new.items() if not _memo(cache, key).exists()}
    if not new:
        return
    lines = [each.line() for each in new.values()]
    answers = list(answers_to(lines)) if is_here else _ask(lines)
    if faults := list(dict.fromkeys(fault for answer in answers for fault in answer)):
        raise ConfigError(f"{where}: own parts, tried on two clips", faults)
    for key in new:
        write_text(_memo(cache, key), "sound\n")


def require_sound_here(tried: Tried, cache: Path) -> None:
    """Raise `ConfigError` for parts that no launch has tried, or whose code has changed since.

    In this process, which imports them: a worker, before a trial that a server has ordered, say.
    """
    for _, part in own_parts(tried.config):
        if part.is_changed():
            fault = f"{part.module} was changed since this trial was planned; launch it again"
            raise ConfigError(part.what, [fault])
    if any(own_parts(tried.config)) and not _memo(cache, tried.key).exists():
        from audiocls.training.part_checks import faults_of

        if faults := faults_of(tried.config, tried.num_classes):
            raise ConfigError("own parts, tried on two clips", faults)
        write_text(_memo(cache, tried.key), "sound\n")


def _memo(cache: Path, key: str) -> Path:
    return cache / "sound-parts" / key


def _ask(lines: Sequence[str]) -> list[list[str]]:
    """Return the faults of each configuration, from a process of its own."""
    words = [sys.executable, "-m", "audiocls.execution.probe"]
    given = "".join(f"{line}\n" for line in lines)
    ran = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        return [[f"the process that tries own parts ended: {last}"]]
    return [json.loads(line) for line in ran.stdout.splitlines()]


def answers_to(lines: Iterable[str]) -> Iterable[list[str]]:
    """Yield the faults of the configuration in each line."""
    from audiocls.training.part_checks import faults_of

    for line in lines:
        request: dict[str, Any] = json.loads(line)
        config = Config.model_validate(request["config"], context=KEPT)
        yield faults_of(config, request["num_classes"])


def main() -> None:
    """Answer every line; what the user's code prints goes to standard error."""
    import torch

    torch.set_num_threads(1)
    channel, sys.stdout = sys.stdout, sys.stderr
    for answer in answers_to(sys.stdin):
        print(json.dumps(answer), file=channel, flush=True)


if __name__ == "__main__":
    main()
