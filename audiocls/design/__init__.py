"""Plans: from a question in YAML to its trials. Pure: no torch, no clock, no disk."""

from audiocls.design.ablation import Ablation
from audiocls.design.arms import BASELINE
from audiocls.design.designs import Arms, arms_of, roman
from audiocls.design.load import load_ablation
from audiocls.design.plan import Plan, plan, widened, within_folds
from audiocls.design.register import wandb_sweep

__all__ = [
    "BASELINE",
    "Ablation",
    "Arms",
    "Plan",
    "arms_of",
    "load_ablation",
    "plan",
    "roman",
    "wandb_sweep",
    "widened",
    "within_folds",
]
