"""The GPUs that the driver has, and those that `CUDA_VISIBLE_DEVICES` leaves, without torch."""

import functools
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/gpus")
"""A folder for each GPU, where the kernel's module is loaded; also without `nvidia-smi`."""
LISTED = re.compile(r"(?:GPU \d+: (.+?)|\s+(MIG \S+)\s+Device\s+\d+:) \(UUID: (\S+)\)")
"""A line of `nvidia-smi -L`: a GPU, or a part of the one above it."""


def listed_gpus() -> tuple[str, ...]:
    """Return the UUIDs of the driver's GPUs and of their MIG parts, in the order of its numbers.

    Empty without a driver, whatever the environment says.
    """
    return tuple(product_names())


@functools.lru_cache(maxsize=1)
def product_names() -> Mapping[str, str]:
    """Return UUID → product name, such as `NVIDIA H200`, of what the driver lists."""
    try:
        asked = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _of_the_kernel()
    names, gpu = {}, ""
    for found in filter(None, map(LISTED.match, asked.stdout.splitlines())):
        gpu, part, uuid = found[1] or gpu, found[2], found[3]
        names[uuid] = f"{gpu} {part}" if part else gpu
    return names


def _of_the_kernel() -> Mapping[str, str]:
    try:
        texts = [(gpu / "information").read_text() for gpu in sorted(DRIVER.iterdir())]
    except OSError:
        return {}
    found = [
        dict(re.findall(r"^(Model|GPU UUID):\s*(\S.*)$", text, re.MULTILINE)) for text in texts
    ]
    return {gpu["GPU UUID"]: gpu.get("Model", "cuda") for gpu in found if "GPU UUID" in gpu}


def visible_gpus(variable: str | None, listed: Sequence[str]) -> list[str]:
    """Return the GPUs that a process sees, each as a word for `CUDA_VISIBLE_DEVICES` itself.

    As CUDA reads the variable: none given is all; the first word that names no GPU ends the list,
    so that `-1` or an empty one hides them all; a GPU named twice hides them all too. Words are
    numbers, beginnings of UUIDs, or UUIDs of MIG parts, of one kind.

    Args:
        variable: the value of `CUDA_VISIBLE_DEVICES`, if it is set.
        listed: from `listed_gpus`.

    >>> [visible_gpus(text, ["GPU-a1", "GPU-b2"]) for text in (None, "1,0", "1,-1,0", "1,1", "")]
    [['0', '1'], ['1', '0'], ['1'], [], []]
    """
    gpus = [uuid for uuid in listed if uuid.startswith("GPU-")]
    if variable is None:
        return [str(number) for number in range(len(gpus))]
    words = [_named(word.strip(), gpus, listed) for word in variable.split(",")]
    kept = words[: words.index(None)] if None in words else words
    found = [word for word in kept if word is not None]
    return found if len(set(found)) == len(found) else []


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
