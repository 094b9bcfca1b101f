"""Plans: from a question in YAML to its trials. Pure: no torch, no clock, no disk."""

from audiocls.plan.ablation import Ablation
from audiocls.plan.arms import BASELINE
from audiocls.plan.design import Arms, arms_of, roman
from audiocls.plan.load import load_ablation
from audiocls.plan.register import wandb_sweep
from audiocls.plan.trials import Plan, plan, widened, within_folds

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
