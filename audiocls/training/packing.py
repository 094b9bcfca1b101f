"""Which trials can be trained at once, decided by their configurations alone (torch-free).

Trials of one `shape_key` can, unless there is an `obstacle` to it. Where they are placed says in
which form their steps are computed: on an NVIDIA or AMD GPU as branches of one graph, elsewhere
fused into one network.
"""

from collections.abc import Mapping
from typing import Any, Literal

from audiocls.config import Config
from audiocls.dotted import flatten
from audiocls.models.fine_tuning import FineTuning

Form = Literal["fused", "graph"]
"""How the steps of several trials are computed at once, as records have it."""
FREE_KEYS = (
    *("seed", "fold", "optim.lr", "optim.weight_decay", "train.clip_norm", "train.patience"),
    *("model.dropout", "model.stochastic_depth", "model.embedding_dropout"),
    *("augment.freq_mask", "augment.time_mask", "augment.num_masks", "sam.rho"),
)
"""What trials of one pack may differ in, for each has numbers, generators or masks of its own."""
ZERO_APART = ("sam.rho", "augment.freq_mask", "augment.time_mask")
"""Those of them whose 0 switches something off, in all trials of a pack or in none."""
FREE_PARTS = ("schedule.", "averaging.", "budget.")
"""Parts of the configuration that each trial of a pack has for itself."""
STACKED = ("adamw", "adam", "sgd")
"""Optimisers that update several trials at once."""


def form_on(kind: str) -> Form:
    """Return how packs are computed on a kind of device, as torch names it.

    >>> form_on("cuda"), form_on("cpu")
    ('graph', 'fused')
    """
    return "graph" if kind == "cuda" else "fused"


def obstacle(config: Config, form: Form = "fused") -> str:
    """Return why trials of this configuration cannot be trained at once, or an empty text."""
    of_form = _fused_obstacles(config) if form == "fused" else _graph_obstacles(config)
    augment = config.augment
    reasons = {
        "train.precision fp16: each trial scales its loss by itself": config.train.precision
        == "fp16",
        "augment.mix_p below 1: some trials mix a batch that others do not": augment.mix_p < 1,
        "a stage of pre-training comes first": config.has_stage,
        **_of_layers(config),
        **of_form,
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def graph_obstacle(config: Config) -> str:
    """Return why the step of a trial cannot be a graph, also alone, or an empty text."""
    reasons = {
        "train.precision fp16: the host has to know whether a gradient overflowed": (
            config.train.precision == "fp16"
        ),
        **_of_layers(config),
        **_graph_obstacles(config),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def _of_layers(config: Config) -> dict[str, bool]:
    """Return the reason against both, and whether it applies."""
    is_fine_tuned = isinstance(config.model, FineTuning)
    return {"model: the layers of an encoder have rates and epochs of their own": is_fine_tuned}


def _fused_obstacles(config: Config) -> dict[str, bool]:
    """Return reasons against one network for all, and whether each applies."""
    has_own_step = not hasattr(config.optim, "lr") or config.optim.name not in STACKED
    model: Any = config.model
    return {
        "train.precision bf16: BatchNorm of several trials has one type of numbers": (
            config.train.precision == "bf16"
        ),
        "model.dropout of eat: its attention draws inside the network": (
            model.name == "eat" and model.dropout > 0
        ),
        "optim: its step is one's own": has_own_step,
        "distil.teacher: a teacher takes one batch at a time": config.distil.teacher is not None,
        "augment.feature_mixup: its clips are mixed batch by batch": config.augment.feature_mixup
        > 0,
    }


def _graph_obstacles(config: Config) -> dict[str, bool]:
    """Return reasons against a graph, in which numbers of the host are constants."""
    schedule = config.schedule
    return {
        "optim: its step is one's own": config.optim.name not in (*STACKED, "lars"),
        "schedule: one's own may change more than the learning rate": ":" in schedule.name,
        "schedule.cycle_momentum: momentum is a constant of a graph": (
            schedule.name == "onecycle" and schedule.cycle_momentum is not None
        ),
        "augment.feature_mixup: its shares are drawn by the host": config.augment.feature_mixup > 0,
    }


def shape_key(config: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what trials must have in common to be trained at once, from a resolved configuration.

    The numbers of clips must agree, too: those of folds may differ.

    >>> one, other = ({"seed": s, "optim": {"lr": r}, "epochs": 3} for s, r in ((0, 0.1), (1, 0.2)))
    >>> shape_key(one) == shape_key(other)
    True
    """
    values = flatten(config)
    used = {f"{key} is used": str(values.get(key, 0) > 0) for key in ZERO_APART}
    kept = {key: str(value) for key, value in values.items() if not is_free(key)}
    return tuple(sorted((kept | used).items()))


def is_free(key: str) -> bool:
    """Whether trials of one pack may differ in an option, apart from its being 0.

    >>> is_free("optim.lr"), is_free("train.batch_size")
    (True, False)
    """
    return key in FREE_KEYS or key.startswith(FREE_PARTS)
