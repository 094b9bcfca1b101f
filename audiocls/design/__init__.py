"""Experimental designs: from a question in YAML to its trials. Pure: no torch, clock or disk.

ablation    the schema of a file: question, factors, blocks, metric, statistics
validation  every error of a file at once; `designs` has those of its design
arms, fraction, designs   factors ─▶ arms and their references
plan        arms × blocks
tuning      what each arm chooses for itself before the arms are compared
register    an ablation as a sweep of W&B
"""

from audiocls.design.ablation import Ablation
from audiocls.design.arms import BASELINE
from audiocls.design.designs import Arms, arms_of, roman
from audiocls.design.plan import Plan, plan, widened, within_folds
from audiocls.design.register import program_sweep, wandb_sweep
from audiocls.design.validation import MAX_ARMS, load_ablation

__all__ = [
    "BASELINE",
    "MAX_ARMS",
    "Ablation",
    "Arms",
    "Plan",
    "arms_of",
    "load_ablation",
    "plan",
    "program_sweep",
    "roman",
    "wandb_sweep",
    "widened",
    "within_folds",
]
