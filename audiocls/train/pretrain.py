"""The pre-training stage: a configuration of its own, so that trials share it."""

from collections.abc import Mapping
from dataclasses import dataclass

from audiocls.audio.augment import Augment
from audiocls.config import Config
from audiocls.config.training import Budget, Distil, Pretraining, SelfSupervision, Training
from audiocls.optim import AdamW, Cosine, NoAveraging, Sam
from audiocls.train.parts import Parts
from audiocls.train.progress import Progress
from audiocls.train.transfer import Weights


@dataclass(frozen=True)
class Pretrained:
    """What the stage leaves: its chosen weights, and how good they were at what it learned."""

    weights: Weights
    metrics: Mapping[str, float]
    """Validation metrics at the chosen `epoch`, and the `steps` taken in all."""


def stage_of(config: Config) -> Config:
    """The stage as a configuration: what decides its weights, and nothing of the fine-tuning.

    AdamW under a cosine. Codes are learned on clips as they are, classes under the trial's own
    augmentation; the epoch is chosen by validation on the stage's own clips.
    """
    learns_codes = config.ssl.mode == "pretrain"
    source = config.ssl if learns_codes else config.pretraining
    train = config.train
    training = Training(
        epochs=source.epochs,
        batch_size=train.batch_size,
        loss=train.loss,
        focal_gamma=train.focal_gamma,
        label_smoothing=train.label_smoothing,
        precision=train.precision,
        select="val/loss" if learns_codes else train.select,
    )
    changes = {
        "data": config.pretraining.data or config.data,
        "augment": Augment() if learns_codes else config.augment,
        "fold": config.fold if config.pretraining.data is None else 1,
        "ssl": config.ssl if learns_codes else SelfSupervision(),
        "pretraining": Pretraining(),
        "init_from": None,
        "freeze": False,
        "optim": AdamW(lr=source.lr),
        "schedule": Cosine(),
        "sam": Sam(),
        "averaging": NoAveraging(),
        "train": training,
        "distil": Distil(),
        "budget": Budget(),
    }
    return config.model_copy(update=changes)


def pretrained_by(parts: Parts, progress: Progress) -> Pretrained:
    """What a finished stage leaves."""
    tensors = {name: tensor.cpu() for name, tensor in parts.classifier.state_dict().items()}
    best = progress.best_row
    metrics = {key.removeprefix("val/"): best[key] for key in best if key.startswith("val/")}
    metrics |= {"epoch": best["epoch"], "steps": float(progress.steps)}
    return Pretrained(Weights("pre-training", tensors, parts.sounds.table.labels), metrics)
