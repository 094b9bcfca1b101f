"""How deep a parameter lies: which layers are trained, and how fast.

Depth 0 is all before the first block, k block k, and one more than there are blocks all after them.
"""

import re
from collections.abc import Callable, Mapping

from torch import nn

Depths = Mapping[str, int]
"""Name of each parameter of an encoder → its depth."""


def depths_by_blocks(network: nn.Module, blocks: str) -> dict[str, int]:
    """Return the depths of a network's parameters, whose blocks are the list of that name.

    >>> net = nn.Module()
    >>> net.stem, net.layers = nn.Linear(1, 1), nn.ModuleList([nn.Linear(1, 1)])
    >>> net.norm = nn.LayerNorm(1)
    >>> list(depths_by_blocks(net, "layers").values())
    [0, 0, 1, 1, 2, 2]
    """
    inside = re.compile(re.escape(blocks) + r"\.(\d+)\.")
    depths, count = {}, 0
    has_begun = False
    for name, _ in network.named_parameters():
        if match := inside.match(name):
            has_begun, count = True, max(count, int(match[1]) + 1)
            depths[name] = int(match[1]) + 1
        else:
            depths[name] = -1 if has_begun else 0
    return {name: count + 1 if depth < 0 else depth for name, depth in depths.items()}


def depths_by_groups(network: nn.Module, group_of: Callable[[str], int]) -> dict[str, int]:
    """Return the depths of parameters whose network numbers its groups from the input on."""
    return {name: group_of(name) for name, _ in network.named_parameters()}


def trained_from(depths: Depths, unfreeze: str | int) -> int:
    """Return the least depth that is trained: of all, of none before the head, of the last n.

    What lies after the last block is trained with it.

    >>> depths = {"stem": 0, "layers.0": 1, "layers.1": 2, "norm": 3}
    >>> [trained_from(depths, what) for what in ("all", "head", 1, 2)]
    [0, 4, 2, 1]
    """
    deepest = max(depths.values())
    if unfreeze == "all":
        return 0
    return deepest + 1 if unfreeze == "head" else max(0, deepest - int(unfreeze))


def rate_scales(depths: Depths, decay: float) -> dict[str, float]:
    """Return the factor of each parameter's learning rate: `decay` for each layer down.

    The last block has 1, and so has what follows it (Clark et al., ELECTRA, 2020, section 3.2).

    >>> rate_scales({"stem": 0, "layers.0": 1, "layers.1": 2, "norm": 3}, 0.5)
    {'stem': 0.25, 'layers.0': 0.5, 'layers.1': 1.0, 'norm': 1.0}
    """
    top = max(depths.values()) - 1
    return {name: decay ** max(0, top - depth) for name, depth in depths.items()}
