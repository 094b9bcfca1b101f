"""Builders: one function from an analysis to a `Document`, one module an analysis.

Cheap to import: figures are drawn, and matplotlib is loaded, when a format shows them.
"""

from audiocls.render.build.ablation import ablation
from audiocls.render.build.cross_study import cross_study
from audiocls.render.build.noise import noise
from audiocls.render.build.plan import plan, search_plan
from audiocls.render.build.ranking import ranking

__all__ = ["ablation", "cross_study", "noise", "plan", "ranking", "search_plan"]
