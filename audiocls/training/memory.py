"""Memory of a device that was short: whether an error says so, and what is free once it is met.

An error refers to the frames in which it was raised, and these to the tensors that memory was short
with. So whoever goes on after one leaves its `except` clause first, and then calls `free_memory`.
"""

import gc

import torch

from audiocls.machine.memory import is_of_memory


def is_out_of_memory(error: Exception) -> bool:
    """Whether an accelerator or the host had no memory for a step."""
    return isinstance(error, torch.OutOfMemoryError) or is_of_memory(error)


def free_memory() -> None:
    """Return what no trial holds any more to the device."""
    gc.collect()  # a step and its graph refer to each other, and an error to who raised it again
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
