"""The pre-training stage: a configuration of its own, so that trials share it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audiocls.audio.augment import Augment
from audiocls.audio.datasets import DataSet
from audiocls.config import Config
from audiocls.config.training import Budget, Distil, Pretraining, SelfSupervision, Training
from audiocls.optim import AdamW, Cosine, NoAveraging, Sam
from audiocls.training.cost import Spent
from audiocls.training.init_from import Weights
from audiocls.training.progress import Progress
from audiocls.training.state import TrainingState


@dataclass(frozen=True)
class Pretrained:
    """What the stage leaves: its chosen weights, how good they were, and what they took."""

    weights: Weights
    metrics: Mapping[str, float]
    """Validation metrics at the chosen `epoch`, and the `steps` taken in all."""
    spent: Spent


def stage_of(config: Config) -> Config:
    """The stage as a configuration: what decides its weights, and nothing of the fine-tuning.

    AdamW under a cosine. Codes are learned on clips as they are, classes under the trial's own
    augmentation; the epoch is chosen by validation on the stage's own clips. Clips of its own
    are the same for every fold of the trials that share it.
    """
    learns_codes = config.ssl.mode == "pretrain"
    data = config.pretraining.data or config.data
    hears_own = learns_codes and config.ssl.clips is None
    changes = {
        "data": data,
        "augment": Augment() if learns_codes else config.augment,
        "fold": config.fold if hears_own else 1,
        "ssl": config.ssl if learns_codes else SelfSupervision(),
        "pretraining": Pretraining(),
        "init_from": None,
        "freeze": False,
        "optim": AdamW(lr=config.ssl.lr if learns_codes else config.pretraining.lr),
        "schedule": Cosine(),
        "sam": Sam(),
        "averaging": NoAveraging(),
        "train": _code_training(config) if learns_codes else _class_training(config, data),
        "distil": Distil(),
        "budget": Budget(),
    }
    return config.model_copy(update=changes)


def _code_training(config: Config) -> Training:
    train = config.train
    return Training(
        epochs=config.ssl.epochs,
        batch_size=train.batch_size,
        label_smoothing=train.label_smoothing,
        precision=train.precision,
        select="val/loss",
    )


def _class_training(config: Config, data: DataSet) -> Training:
    """The trial's loss and choice of the epoch, unless the stage's clips have several labels."""
    kept = {"batch_size", "label_smoothing", "precision", "loss", "focal_gamma", "select"}
    options: dict[str, Any] = config.train.model_dump(include=kept & config.train.changed())
    if data.is_multi_label and not config.data.is_multi_label:
        options |= {"loss": "focal" if config.train.loss == "focal" else "bce"}
        options |= {"select": "val/map"}
    return Training(epochs=config.pretraining.epochs, **options)


def pretrained_by(parts: TrainingState, progress: Progress) -> Pretrained:
    """What a finished stage leaves."""
    tensors = {name: tensor.cpu() for name, tensor in parts.classifier.state_dict().items()}
    best = progress.best_row
    metrics = {key.removeprefix("val/"): best[key] for key in best if key.startswith("val/")}
    metrics |= {"epoch": best["epoch"], "steps": float(progress.steps)}
    learned_codes = parts.config.ssl.mode == "pretrain"
    labels = () if learned_codes else parts.sounds.table.labels
    return Pretrained(Weights(named(progress), tensors, labels), metrics, progress.spent)


def named(progress: Progress) -> str:
    """What a trial says that its weights come from."""
    return f"pre-training ({progress.epoch} epochs, {progress.steps} steps)"
