"""Searches: given a W&B sweep and its trials so far, which trial is next and which to stop.

Pure: no clock, no disk, no network, no torch. A search can be rebuilt from its store at any time.
"""

from audiocls.search.alike import Alike, Ended, alike
from audiocls.search.blocks import block_of, without_blocks
from audiocls.search.grid import grid_size, num_remaining, remaining
from audiocls.search.hyperband import bands, to_stop
from audiocls.search.importance import Importance, importance
from audiocls.search.load import Checked, check_sweep, load_sweep
from audiocls.search.objective_values import best, has_reached_target
from audiocls.search.parameters import fixed_keys
from audiocls.search.propose import is_over, propose
from audiocls.search.sweep import (
    Categorical,
    Constant,
    Hyperband,
    Metric,
    Nested,
    Numeric,
    Parameter,
    Sweep,
    TrialResult,
    for_wandb,
)

__all__ = [
    "Alike",
    "Categorical",
    "Checked",
    "Constant",
    "Ended",
    "Hyperband",
    "Importance",
    "Metric",
    "Nested",
    "Numeric",
    "Parameter",
    "Sweep",
    "TrialResult",
    "alike",
    "bands",
    "best",
    "block_of",
    "check_sweep",
    "fixed_keys",
    "for_wandb",
    "grid_size",
    "has_reached_target",
    "importance",
    "is_over",
    "load_sweep",
    "num_remaining",
    "propose",
    "remaining",
    "to_stop",
    "without_blocks",
]
