"""The device of a training: found by torch, refused where it lacks what a recipe asks for.

Only CPUs were seen at work, so any other kind has to show first that clips draw the same random
numbers there. Torch-free until a device is asked for.
"""

import functools
import os
import warnings
from typing import TYPE_CHECKING, Any

from audiocls.errors import ConfigError

if TYPE_CHECKING:
    import torch

DEVICE_VARIABLE = "AUDIOCLS_DEVICE"
"""Environment variable by which a launch tells its worker the kind of its device, such as `mps`."""
KINDS = ("cuda", "xpu", "tpu", "mps")
"""As torch names them, in the order in which `auto` chooses."""
PROBED = 5, 2**20 + 1
"""Clips, and a count that float32 does not hold exactly times a draw."""


def resolve_device(name: str) -> "torch.device":
    """Return the device of that name; `auto` is where the launch put this worker.

    Without a launch `auto` is an accelerator that torch can use, or else the CPU.

    Raises:
        ConfigError: torch cannot use the device, or the launch chose another kind.
    """
    import torch

    assigned = os.environ.get(DEVICE_VARIABLE, "")
    if name == "auto":
        name = assigned or next((kind for kind in KINDS if is_available(kind)), "cpu")
    elif assigned and name != assigned:
        raise ConfigError("device", [f"got {name}, but --devices put this trial on {assigned}"])
    if not is_available(name):
        allowed = ", ".join(["auto", "cpu", *filter(is_available, KINDS)])
        raise ConfigError("device", [f"got {name}, which torch does not see; allowed: {allowed}"])
    return torch.device(name)


def is_available(kind: str) -> bool:
    """Whether torch can use devices of a kind; AMD's are `cuda` to a torch that knows them."""
    import torch

    if kind == "tpu":  # torch_tpu adds it when torch is imported
        accelerator = (
            torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        )
        return accelerator is not None and accelerator.type == "tpu"
    module: Any = torch.cpu if kind == "cpu" else getattr(torch, kind)
    return bool(module.is_available())


def prepare_device(device: "torch.device") -> None:
    """Make float32 mean float32 on a TPU, and require of an accelerator that it draws right.

    Raises:
        ConfigError: random numbers on the device are not those of the CPU.
    """
    import torch

    if device.type == "tpu":  # its default rounds the factors of products to bfloat16
        torch.set_float32_matmul_precision("highest")
    if device.type != "cpu" and not _draws_alike(device):
        raise ConfigError(
            "device",
            [
                f"{device.type} computes other random numbers than the CPU, so its trials would "
                "pair with nothing; use another device, and report this with `audiocls doctor`"
            ],
        )


@functools.lru_cache
def _draws_alike(device: "torch.device") -> bool:
    import torch

    from audiocls.audio.augment.clip_rng import ClipRNG

    clips, count = torch.arange(PROBED[0]) * 2**60, PROBED[1]  # negative words among them
    here, there = ClipRNG(7, clips), ClipRNG(7, clips, device=device)
    return torch.equal(here.uniform("probe", 3), there.uniform("probe", 3).cpu()) and torch.equal(
        here.integers("probe", count), there.integers("probe", count).cpu()
    )


def require_precision(precision: str, device: "torch.device") -> None:
    """Raise `ConfigError` for a precision that the device, or torch on it, lacks."""
    import torch

    # Older GPUs emulate it, slower than fp32; torch calls that supported too.
    if device.type == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported(False):
        gpu = torch.cuda.get_device_name(device)
        raise ConfigError("train", [f"precision: got bf16, which {gpu} lacks; use fp16 or fp32"])
    if device.type in ("cpu", "cuda") or precision == "fp32":
        return
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    if not _autocasts(device.type, half) or (precision == "fp16" and not _scales_losses(device)):
        raise ConfigError(
            "train",
            [f"precision: got {precision}, which torch {torch.__version__} lacks on {device.type}"],
        )


def _autocasts(kind: str, half: "torch.dtype") -> bool:
    """Whether torch computes in a half precision there; where it does not, it warns and goes on."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.autocast(kind, half):
                return torch.is_autocast_enabled(kind)
        except RuntimeError:
            return False


def _scales_losses(device: "torch.device") -> bool:
    """Whether `GradScaler` has its kernels there."""
    import torch
    from torch.amp.grad_scaler import GradScaler

    weight = torch.nn.Parameter(torch.ones(1, device=device))
    scaler = GradScaler(device.type)
    try:
        torch.autograd.backward(scaler.scale(weight.sum()))
        scaler.unscale_(torch.optim.SGD([weight]))
    except RuntimeError:
        return False
    return True
