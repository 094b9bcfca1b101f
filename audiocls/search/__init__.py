"""Searches: from a W&B sweep and what was tried so far, what to try next and what to stop.

Pure: no clock, no disk, no network, no torch. A search can be rebuilt from its store at any time.
"""

from audiocls.search.sweep import (
    Categorical,
    Constant,
    Hyperband,
    Metric,
    Nested,
    Numeric,
    Parameter,
    Sweep,
    Tried,
)

__all__ = [
    "Categorical",
    "Constant",
    "Hyperband",
    "Metric",
    "Nested",
    "Numeric",
    "Parameter",
    "Sweep",
    "Tried",
]
