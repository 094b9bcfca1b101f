"""The figures of an answer, one a module.

Colour never carries a meaning alone: shape, position or a word says the same.
"""

from audiocls.render.figures.cost import cost_per_arm
from audiocls.render.figures.curves import Histories, has_curve, learning_curves, validation_key
from audiocls.render.figures.effects import effect_intervals, interactions
from audiocls.render.figures.fronts import metric_against_cost
from audiocls.render.figures.pairs import paired_differences
from audiocls.render.figures.rows import MAX_ARMS

__all__ = [
    "MAX_ARMS",
    "Histories",
    "cost_per_arm",
    "effect_intervals",
    "has_curve",
    "interactions",
    "learning_curves",
    "metric_against_cost",
    "paired_differences",
    "validation_key",
]
