"""The pre-training stage: a configuration of its own, so that trials can share its result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiocls.audio.augment import Augment
from audiocls.audio.datasets import DataSet
from audiocls.config import Config
from audiocls.config.training import Budget, Distil, Pretraining, SelfSupervision, Training
from audiocls.optim import AdamW, Cosine, NoAveraging, Sam

if TYPE_CHECKING:  # a plan counts stages without torch
    from audiocls.training.init_from import Weights
    from audiocls.training.progress import Progress, Spent
    from audiocls.training.state import TrainingState


@dataclass(frozen=True)
class Pretrained:
    """The result of the stage: its best weights, their metrics and their cost."""

    weights: "Weights"
    metrics: Mapping[str, float]
    """Validation metrics at the best `epoch`, and the number of `steps` of the whole stage."""
    spent: "Spent"


def stage_of(config: Config) -> Config:
    """Return the stage as a configuration: all that decides its weights, and no fine-tuning option.

    AdamW under a cosine; what contrastive stages have of their own: `_contrastive_stage`. Codes are
    learned from unaugmented clips, classes under the trial's own augmentation; the epoch is chosen
    by validation on the stage's own clips. A stage on a data set of its own is the same for every
    fold of the trials that share it.
    """
    learns_codes = config.ssl.mode == "pretrain"
    data = config.pretraining.data or config.data
    is_on_own_clips = config.ssl.is_stage and config.ssl.clips is None
    changes = {
        "data": data,
        "augment": Augment() if learns_codes else config.augment,
        "fold": config.fold if is_on_own_clips else 1,
        "ssl": config.ssl if config.ssl.is_stage else SelfSupervision(),
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
    if config.ssl.is_contrastive:
        changes |= _contrastive_stage(config)
    return config.model_copy(update=changes)


def _code_training(config: Config) -> Training:
    """Return the training options of a stage that predicts codes."""
    train = config.train
    return Training(
        epochs=config.ssl.epochs,
        batch_size=train.batch_size,
        label_smoothing=train.label_smoothing,
        precision=train.precision,
        loss_scale=train.loss_scale,
        deterministic=train.deterministic,
        select="val/loss",
    )


def _contrastive_stage(config: Config) -> dict[str, Any]:
    """Return what a contrastive stage of `config` has of its own, by the fields of a `Config`.

    Views are the stage's clips, so that the model is built for their length. AdamW, which decays
    all parameters, under a linear warm-up and a cosine; the last epoch is kept: audax' choices.
    """
    ssl, train = config.ssl, config.train
    return {
        "data": config.data.model_copy(update={"duration_s": ssl.crop_s}),
        "augment": Augment(),
        "optim": AdamW(lr=ssl.lr, weight_decay=ssl.weight_decay, decays="all"),
        "schedule": Cosine(warmup_epochs=ssl.warmup_epochs, from_zero=ssl.warmup_epochs > 0),
        "train": Training(
            epochs=ssl.epochs,
            batch_size=ssl.batch_size or train.batch_size,
            drop_last=True,
            precision=train.precision,
            loss_scale=train.loss_scale,
            deterministic=train.deterministic,
            select="last",
        ),
    }


def _class_training(config: Config, data: DataSet) -> Training:
    """Return the trial's loss and selection metric, or those for several labels if needed."""
    kept = {"batch_size", "label_smoothing", "smoothing_over", "precision", "loss_scale", "loss"}
    kept |= {"focal_gamma", "mixed_loss", "reduction", "drop_last", "deterministic", "select"}
    train = config.train
    options: dict[str, Any] = {name: getattr(train, name) for name in kept & train.changed()}
    if data.is_multi_label and not config.data.is_multi_label:
        options |= {"loss": "focal" if config.train.loss == "focal" else "bce"}
        options |= {"select": "val/map"}
        options.pop("mixed_loss", None)
    return Training(epochs=config.pretraining.epochs, **options)


def pretrained_by(state: "TrainingState", progress: "Progress") -> Pretrained:
    """Return the result of a finished stage."""
    from audiocls.training.init_from import Weights

    tensors = {name: tensor.cpu() for name, tensor in state.classifier.state_dict().items()}
    best = progress.best_row
    metrics = {key.removeprefix("val/"): best[key] for key in best if key.startswith("val/")}
    metrics |= {"epoch": best["epoch"], "steps": float(progress.steps)}
    labels = () if state.config.ssl.is_stage else state.dataset.table.labels
    return Pretrained(Weights(source_name(progress), tensors, labels), metrics, progress.spent)


def source_name(progress: "Progress") -> str:
    """Return the name of the stage in the notes of trials that start from its weights."""
    return f"pre-training ({progress.epoch} epochs, {progress.steps} steps)"
