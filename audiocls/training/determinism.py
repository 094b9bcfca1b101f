"""Deterministic algorithms on a GPU, on which equal bits after a resumption and inert arms rest.

On a CPU everything is deterministic already, and nothing is set.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from audiocls.errors import ConfigError

WORKSPACE = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""What cuBLAS wants of the environment; workers have it from their start."""


@contextmanager
def determinism(is_wanted: bool, device: torch.device) -> Iterator[None]:
    """Let torch choose deterministic algorithms only, if that is wanted on this device.

    Raises:
        ConfigError: an operation of the trial has no such algorithm.
    """
    if not is_wanted or device.type != "cuda":
        yield
        return
    for name, value in WORKSPACE.items():
        os.environ.setdefault(name, value)
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False  # it would choose by the clock
    torch.use_deterministic_algorithms(True)
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise ConfigError("train", [_fault(error)]) from error
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed torch's generators that a training on this device draws from.

    On a CPU its one generator alone: `torch.manual_seed` also notes, with a stack trace, what to
    seed on accelerators should they be used later.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def _fault(error: RuntimeError) -> str:
    first = str(error).split(".")[0].splitlines()[0]
    return (
        f"deterministic: {first}; set train.deterministic=false, after which numbers differ in "
        "their last bits from run to run"
    )
