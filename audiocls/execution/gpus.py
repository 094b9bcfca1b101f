"""The GPUs that the driver has, and those that `CUDA_VISIBLE_DEVICES` leaves, without torch."""

import functools
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
"""A folder for each GPU, where the kernel's module is loaded; also without `nvidia-smi`."""
LISTED = re.compile(r"(?:GPU (\d+): (.+?) |\s+(MIG \S+)[^(]*)\(UUID: (\S+)\)")
"""A line of `nvidia-smi -L`, of a GPU or of a part of the last one."""
KNOWN_TO_THE_KERNEL = re.compile(r"Model:\s*(.+?)\s*\n.*?GPU UUID:\s*(\S+)", re.DOTALL)


@dataclass(frozen=True)
class Gpu:
    """A GPU that the driver lists, or a MIG part of one."""

    index: str
    """The driver's number; of a part, its UUID."""
    name: str
    """Product name as torch says it, such as `NVIDIA H200`, and `MIG 1g.18gb` of a part."""
    uuid: str


@functools.lru_cache(maxsize=1)
def installed_gpus() -> tuple[Gpu, ...]:
    """Return the driver's GPUs and their MIG parts, in the order of its numbers.

    Empty without a driver, whatever the environment says.
    """
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _of_the_kernel()
    gpus: list[Gpu] = []
    whole = ""
    for line in map(LISTED.match, listing.stdout.splitlines()):
        if line is None:
            continue
        number, name, part, uuid = line.groups()
        whole = name or whole
        gpus.append(Gpu(uuid, f"{whole} {part}", uuid) if part else Gpu(number, name, uuid))
    return tuple(gpus)


def _of_the_kernel() -> tuple[Gpu, ...]:
    try:
        texts = [(gpu / "information").read_text() for gpu in sorted(DRIVER.iterdir())]
    except OSError:
        return ()
    known = [match for text in texts if (match := KNOWN_TO_THE_KERNEL.search(text))]
    return tuple(Gpu(str(number), *match.groups()) for number, match in enumerate(known))


def visible_gpus(variable: str | None, listed: Sequence[str]) -> list[str]:
    """Return the GPUs that a process sees, each as a word for `CUDA_VISIBLE_DEVICES` itself.

    As CUDA reads the variable: none given is all; the first word that names no GPU ends the list,
    so that `-1` or an empty one hides them all; a GPU named twice hides them all too. Words are
    numbers, beginnings of UUIDs, or UUIDs of MIG parts, of one kind.

    Args:
        variable: the value of `CUDA_VISIBLE_DEVICES`, if it is set.
        listed: UUIDs, in the driver's order.

    >>> [visible_gpus(text, ["GPU-a1", "GPU-b2"]) for text in (None, "1,0", "1,-1,0", "1,1", "")]
    [['0', '1'], ['1', '0'], ['1'], [], []]
    """
    gpus = [uuid for uuid in listed if uuid.startswith("GPU-")]
    if variable is None:
        return [str(number) for number in range(len(gpus))]
    words = [_named(word.strip(), gpus, listed) for word in variable.split(",")]
    kept = words[: words.index(None)] if None in words else words
    visible = [word for word in kept if word is not None]
    return visible if len(set(visible)) == len(visible) else []


def _named(word: str, gpus: Sequence[str], listed: Sequence[str]) -> str | None:
    """Return the number of a GPU or the UUID of a part of one that a word names, if it does."""
    if word.startswith("MIG-"):
        return word if word in listed else None
    if word.startswith("GPU-"):
        named = [number for number, uuid in enumerate(gpus) if uuid.startswith(word)]
        return str(named[0]) if len(named) == 1 else None
    number = re.match(r"[+-]?\d+", word)  # CUDA reads `1st` as 1
    is_there = number is not None and 0 <= int(number[0]) < len(gpus)
    return str(int(number[0])) if number is not None and is_there else None
