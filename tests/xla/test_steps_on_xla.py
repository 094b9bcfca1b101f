"""The step of every model on XLA: loss and gradients of the trainer's own step, traced once.

The step is pure (a function of weights, buffers and a batch) and its shapes are static: what a
device wants that compiles. Augmentation and order are drawn before it.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import jax
import numpy as np
import pytest
import torch
from helpers.steps import train_step
from torch import nn
from torch.func import functional_call
from torchax import default_env
from torchax.interop import jax_view, torch_view

from audiocls.audio.batches import Batch, training_batches
from audiocls.models import Model
from audiocls.training.state import TrainingState
from audiocls.training.step import batch_loss

MakeParts = Callable[..., TrainingState]
Arrays = dict[str, Any]

RAW = {"features.name": "raw"}
FAMILIES: dict[str, dict[str, Any]] = {
    "logmel_cnn": {},
    "convnext1d": {
        "model": {
            "name": "convnext1d",
            "stem_width": 4,
            "stem_stride": 1,
            "strides": [2],
            "blocks": 1,
        }
    },
    "convnext1d_causal": {"model": {"name": "convnext1d_causal", "width": 8, "blocks": 2}},
    "hifigan": {**RAW, "model": {"name": "hifigan", "width": 8}},
    "kws": {"model": {"name": "kws", "channels": [8, 8]}},
    "eat": {**RAW, "model": {"name": "eat", "size": "XS", "factors": [4], "dropout": 0.0}},
    "resnet18": {"model": {"name": "resnet18", "width": 4}},
    "resnet18 of maxima": {
        "model": {"name": "resnet18", "width": 4, "blocks": [1, 1, 1, 1], "pool": "mean_max"}
    },
    "resnet34": {"model": {"name": "resnet34", "width": 4}},
    "resnet50": {"model": {"name": "resnet50", "width": 4}},
    "efficientnet_b0": {
        "model": {"name": "efficientnet_b0", "width": 0.25, "depth": 0.3, "stochastic_depth": 0.0}
    },
    "convnext_tiny": {
        "model": {
            "name": "convnext_tiny",
            "depths": [1, 1, 1, 1],
            "widths": [8, 8, 8, 8],
            "stochastic_depth": 0.0,
        }
    },
    "linear": {"model": {"name": "linear"}},
    "mlp": {"model": {"name": "mlp", "dropout": 0.0}},
    "attention": {"model": {"name": "attention", "width": 8}},
    "leaf": {"features": {"name": "leaf", "num_filters": 8, "window": 101, "hop": 128}},
    "input batch norm": {
        "features": {"name": "raw", "normalise": "batch_norm"},
        "model": {"name": "convnext1d", "stem_width": 4, "strides": [4]},
    },
    "focal": {"train.loss": "focal"},
    "bce": {"train.loss": "bce", "augment.mixes": ["mixup"]},
    "smoothed": {"train.label_smoothing": 0.1},
}
"""A model of each family, a learned front end and the losses, none with dropout: its numbers are
jax's own. SincNet is missing: torchax differentiates sinc(x) as sin(πx)/πx, which is NaN at 0."""
SENSITIVE = {"eat", "efficientnet_b0", "resnet50"}
"""Deep ones with BatchNorm, in which two orders of summation in float32 differ by more than 1e-5
of the gradient (eager on two machines would): in float64."""


class BatchLoss(nn.Module):
    """The loss of the trainer's step, as a module whose weights can be given."""

    def __init__(self, state: TrainingState):
        super().__init__()
        self.classifier, self._state = state.classifier, state

    def forward(self, batch: Batch) -> torch.Tensor:
        return batch_loss(self._state.classifier, self._state.objective, self._state.config, batch)


class XlaStep:
    """Loss, gradients and an update by gradient descent as one compiled function."""

    def __init__(self, state: TrainingState, batch: Batch):
        self._loss, self._batch, self.traces = BatchLoss(state), batch, 0
        self.weights = arrays(dict(self._loss.named_parameters()))
        self.buffers = arrays(dict(self._loss.named_buffers()))
        self.gradients = jax.jit(jax.value_and_grad(self._of))
        self.update = jax.jit(self._updated)

    def _of(self, weights: Arrays, buffers: Arrays, inputs: Any, targets: Any) -> Any:
        self.traces += 1  # once a trace: XLA runs what it compiled
        given = torch_view((weights, buffers, inputs, targets))
        batch = dataclasses.replace(self._batch, inputs=given[2], targets=given[3])
        with default_env():
            return jax_view(functional_call(self._loss, given[:2], (batch,)))

    def _updated(self, weights: Arrays, inputs: Any, targets: Any, lr: Any) -> tuple[Any, Arrays]:
        loss, gradients = jax.value_and_grad(self._of)(weights, self.buffers, inputs, targets)
        return loss, {name: value - lr * gradients[name] for name, value in weights.items()}


def arrays(tensors: dict[str, torch.Tensor]) -> Arrays:
    return {name: jax.numpy.asarray(each.detach().numpy()) for name, each in tensors.items()}


def batches_of(state: TrainingState, epoch: int = 0) -> list[Batch]:
    seed = state.seed("order", epoch)
    clips = state.split.train
    return list(training_batches(state.dataset, clips, state.batching, epoch, seed))


LONGER = {"resnet101", "resnet152", "resnet200"}
"""Than `resnet50`, of the same blocks."""
PRETRAINED = {"hf", "timm"}
"""Networks of other packages, whose steps are theirs."""


def test_every_model_is_tried():
    tried = {changes.get("model", {}).get("name", "logmel_cnn") for changes in FAMILIES.values()}
    kinds = get_args(get_args(Model)[0])
    names = {name for kind in kinds for name in get_args(kind.model_fields["name"].annotation)}
    assert tried == names - LONGER - PRETRAINED


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_a_step_are_those_of_torch(tiny_parts: MakeParts, family: str):
    state = tiny_parts(FAMILIES[family])
    dtype = torch.float64 if family in SENSITIVE else torch.float32
    batch = batches_of(state)[0]
    batch = dataclasses.replace(batch, inputs=batch.inputs.to(dtype))
    state.classifier.to(dtype).train()
    step = XlaStep(state, batch)
    inputs, targets = (jax.numpy.asarray(each.numpy()) for each in (batch.inputs, batch.targets))
    loss, gradients = step.gradients(step.weights, step.buffers, inputs, targets)
    step.gradients(step.weights, step.buffers, inputs, targets)
    assert step.traces == 1
    expected = batch_loss(state.classifier, state.objective, state.config, batch)
    expected.backward()
    assert float(loss) == pytest.approx(float(expected.detach()), rel=1e-6)
    named = dict(state.classifier.named_parameters())
    known = {f"classifier.{name}": each.grad for name, each in named.items()}
    # Of the largest one: a bias before a BatchNorm has a gradient of rounding errors alone.
    largest = max(float(each.abs().max()) for each in known.values() if each is not None)
    for name, each in known.items():
        wanted = 0.0 if each is None else each.numpy()
        assert np.abs(np.asarray(gradients[name]) - wanted).max() <= 1e-5 * largest, name


def test_an_epoch_is_traced_once_whatever_the_learning_rate(tiny_parts: MakeParts):
    changes = {**FAMILIES["convnext1d"], "optim": {"name": "sgd", "lr": 0.1, "momentum": 0.0}}
    changes |= {"optim.weight_decay": 0.0, "schedule.name": "onecycle", "train.drop_last": True}
    state = tiny_parts(changes)
    state.classifier.train()
    batches = [batches_of(state, epoch) for epoch in range(2)]
    step, rates = XlaStep(state, batches[0][0]), []
    weights = step.weights
    for batch in (batch for epoch in batches for batch in epoch):
        lr = state.schedule.lr
        inputs, targets = (
            jax.numpy.asarray(each.numpy()) for each in (batch.inputs, batch.targets)
        )
        on_xla, weights = step.update(weights, inputs, targets, np.float32(lr))
        assert float(on_xla) == pytest.approx(float(train_step(state, [batch]).loss), rel=1e-5)
        rates.append(lr)
    assert len(set(rates)) == len(rates) > 4
    assert step.traces == 1
    for name, each in state.classifier.named_parameters():
        assert np.allclose(weights[f"classifier.{name}"], each.detach().numpy(), atol=1e-5), name


def test_scoring_is_traced_once(tiny_parts: MakeParts):
    state, traces = tiny_parts(), []
    state.classifier.eval()
    given = {**dict(state.classifier.named_parameters()), **dict(state.classifier.named_buffers())}

    @jax.jit
    def logits(weights: Arrays, inputs: Any) -> Any:
        traces.append(1)
        with default_env():
            return jax_view(functional_call(state.classifier, *torch_view((weights, (inputs,)))))

    for clips in (state.split.val, state.split.test):
        inputs = state.dataset.unaugmented(clips)
        expected = state.classifier(inputs).detach().numpy()
        on_xla = logits(arrays(given), jax.numpy.asarray(inputs.numpy()))
        assert np.abs(np.asarray(on_xla) - expected).max() <= 1e-5 * np.abs(expected).max()
    assert len(traces) == 1
