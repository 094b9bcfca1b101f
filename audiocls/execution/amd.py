"""AMD's GPUs, as the kernel lists them, and those that ROCm's variables leave, without torch.

Derived from AMD's and torch's documents; no such GPU has run this.
"""

import functools
from collections.abc import Mapping
from pathlib import Path

from audiocls.execution.gpus import Gpu, visible_gpus

TOPOLOGY = Path("/sys/class/kfd/kfd/topology/nodes")
"""A folder for each processor; those of CPUs have the GPU id 0."""


@functools.lru_cache(maxsize=1)
def installed_amd_gpus() -> tuple[Gpu, ...]:
    """Return AMD's GPUs in the order of the kernel's numbers, named by architecture: `gfx942`."""
    try:
        nodes = sorted(TOPOLOGY.iterdir(), key=lambda node: int(node.name))
        facts = [_properties(node) for node in nodes if int((node / "gpu_id").read_text())]
    except (OSError, ValueError):
        return ()
    return tuple(
        Gpu(str(number), _architecture(known), f"GPU-{known.get('unique_id', 0):016x}")
        for number, known in enumerate(facts)
    )


def _properties(node: Path) -> dict[str, int]:
    lines = (node / "properties").read_text().splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines if line.strip())}


def _architecture(known: Mapping[str, int]) -> str:
    """Return the target of AMD's compilers: version 90402 is `gfx942`, 100300 `gfx1030`."""
    version = known.get("gfx_target_version", 0)
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"


def visible_amd_gpus(variables: Mapping[str, str]) -> list[Gpu]:
    """Return the GPUs that a process sees, in the order of torch's numbers.

    `ROCR_VISIBLE_DEVICES` chooses first; `HIP_VISIBLE_DEVICES`, or without it CUDA's variable,
    chooses among what is left.
    """
    left = _chosen(variables.get("ROCR_VISIBLE_DEVICES"), list(installed_amd_gpus()))
    name = "HIP_VISIBLE_DEVICES" if "HIP_VISIBLE_DEVICES" in variables else "CUDA_VISIBLE_DEVICES"
    return _chosen(variables.get(name), left)


def amd_variables(variables: Mapping[str, str], index: int) -> dict[str, str]:
    """Return the variables that leave a process the GPU of torch's number `index` alone."""
    left = _chosen(variables.get("ROCR_VISIBLE_DEVICES"), list(installed_amd_gpus()))
    number = str(left.index(visible_amd_gpus(variables)[index]))
    # Both: torch refuses to run where the two differ in number.
    return {"HIP_VISIBLE_DEVICES": number, "CUDA_VISIBLE_DEVICES": number}


def _chosen(variable: str | None, among: list[Gpu]) -> list[Gpu]:
    numbers = visible_gpus(variable, [gpu.uuid for gpu in among])
    return [among[int(number)] for number in numbers]
