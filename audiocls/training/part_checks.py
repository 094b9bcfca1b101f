"""What is wrong with a part, as sentences: tried on two clips before the first trial.

The contracts in `audiocls.testing` ask for more; these are the faults with which no trial is worth
its time. Everything runs on the CPU, and in a moment.

Legend: B batch, C channels, L frames, T samples, K classes.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from audiocls.audio.augment.clip_rng import ClipRNG
from audiocls.audio.augment.own import OwnMix, OwnTransform
from audiocls.config import Config
from audiocls.config.own import OwnMetric
from audiocls.errors import ConfigError
from audiocls.parts import OwnPart
from audiocls.parts.loading import last_line
from audiocls.parts.own import own_parts
from audiocls.training.losses import loss_of

NUM_CLIPS = 2


def faults_of(config: Config, num_classes: int) -> list[str]:
    """Return what is wrong with the own parts of a configuration; empty where nothing is."""
    if not any(own_parts(config)):
        return []
    noise = torch.randn(NUM_CLIPS, config.num_samples, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng(devices=[]):
        return list(_faults(config, num_classes, 0.1 * noise))


def _faults(config: Config, num_classes: int, waveforms: Tensor) -> Iterator[str]:
    """Yield the faults in the order in which a clip passes the parts. Shape: waveforms (B, T)"""
    for part in (*config.augment.transforms, *config.augment.mixes):
        if isinstance(part, OwnPart):
            yield from _tried(part, partial(_augmented, part, waveforms, config))
    faults = list(_tried(config.features, lambda: _front_end_faults(config, waveforms)))
    yield from faults
    if not faults:
        yield from _tried(config.model, lambda: _model_faults(config, num_classes))
    logits = torch.randn(NUM_CLIPS, num_classes, requires_grad=True)
    if isinstance(config.train.loss, OwnPart):
        yield from _tried(config.train.loss, lambda: _loss_faults(config, logits))
    for metric in config.train.metrics:
        yield from _tried(metric, partial(_metric_faults, metric, config, logits.detach()))


def _tried(part: Any, check: Callable[[], Iterator[str]]) -> Iterator[str]:
    """Yield a part's faults, each with its name; whatever it raises is one."""
    what = part.what if isinstance(part, OwnPart) else f"{part.name}"
    try:
        yield from (f"{what}: {fault}" for fault in check())
    except ConfigError as error:
        yield f"{what}: {'; '.join(error.faults)}"
    except Exception as error:
        yield f"{what}: fails on two clips: {last_line(error)}"


def _metric_faults(metric: OwnMetric, config: Config, logits: Tensor) -> Iterator[str]:
    """Yield faults of an own metric. Shape: logits (B, K)"""
    if math.isinf(value := metric.of(logits, _targets(config, logits))):
        yield f"is {value} for two clips"


def _augmented(part: OwnPart, waveforms: Tensor, config: Config) -> Iterator[str]:
    """Yield faults of a transform or a mix. Shape: waveforms (B, T)"""
    draws, rate = ClipRNG(0, torch.arange(NUM_CLIPS)), config.data.sample_rate
    once, again = (_changed(part, waveforms.clone(), draws, rate) for _ in range(2))
    if not once.isfinite().all():
        yield "makes numbers that are not finite"
    if not torch.equal(once, again):
        yield "makes another clip of the same clip and seed; draw from torch, NumPy or random"


def _changed(part: OwnPart, waveforms: Tensor, draws: ClipRNG, rate: int) -> Tensor:
    """Apply a transform or a mix at `rate` Hz. Shape: waveforms (B, T) → (B, T)"""
    if isinstance(part, OwnTransform):
        return part.applied(waveforms, draws, rate)
    assert isinstance(part, OwnMix)
    return part.mixed(waveforms, waveforms.flip(0), draws, rate)[0]


def _front_end_faults(config: Config, waveforms: Tensor) -> Iterator[str]:
    """Yield faults of the front end. Shape: waveforms (B, T)"""
    features, rate = config.features, config.data.sample_rate
    if isinstance(features, OwnPart):
        shape = features.shape(config.num_samples, rate)
        yield from output_faults(features.build(rate), waveforms, shape)
    if problems := config.model.check(config.in_shape):
        yield from (f"model {config.model.name}: {problem}" for problem in problems)


def _model_faults(config: Config, num_classes: int) -> Iterator[str]:
    """Yield faults of the model, then of the optimiser and the schedule that train it."""
    model = config.model.build(config.in_shape, num_classes)
    inputs = torch.randn(NUM_CLIPS, *config.in_shape)
    if isinstance(config.model, OwnPart):
        faults = list(output_faults(model, inputs, (num_classes,)))
        yield from faults
        if faults:
            return
    loss = loss_of(model.train()(inputs), _targets(config, inputs, num_classes), "bce")
    yield from gradient_faults(model, loss)
    optimizer = config.optim.build(model)
    schedule = config.schedule.build(optimizer, config.train.epochs, NUM_CLIPS)
    optimizer.step()
    schedule.step()
    if not schedule.lr >= 0:
        yield f"{config.schedule.name} sets the rate {schedule.lr}; wanted: 0 or more"


def _loss_faults(config: Config, logits: Tensor) -> Iterator[str]:
    """Yield faults of an own loss. Shape: logits (B, K)"""
    loss = loss_of(logits, _targets(config, logits), config.train.loss)
    if not loss.isfinite():
        yield f"is {loss.item()} for two clips"
    if loss.requires_grad:
        torch.autograd.backward(loss)
    if logits.grad is None or not logits.grad.isfinite().all():
        yield "has no gradient, or one that is not finite"


def _targets(config: Config, of: Tensor, num_classes: int | None = None) -> Tensor:
    """Return targets of two clips. Shape: of (B, …) → (B,) int64 or (B, K) float"""
    classes = torch.arange(len(of)) % (num_classes or of.shape[1])
    if not config.data.is_multi_label and num_classes is None:
        return classes
    return torch.nn.functional.one_hot(classes, num_classes or of.shape[1]).float()


def output_faults(module: nn.Module, inputs: Tensor, shape: tuple[int, ...]) -> Iterator[str]:
    """Yield faults of a module's output, which should be (B, *shape). Shape: inputs (B, …)"""
    module.eval()
    with torch.no_grad():
        once, again = module(inputs), module(inputs)
    wanted = (len(inputs), *shape)
    if not isinstance(once, Tensor) or tuple(once.shape) != wanted:
        got = tuple(once.shape) if isinstance(once, Tensor) else type(once).__name__
        yield f"maps {tuple(inputs.shape)} to {got}; wanted: {wanted}"
        return
    if not once.isfinite().all():
        yield "makes numbers that are not finite"
    elif not torch.equal(once, again):
        yield "makes another output of the same input in evaluation mode"


def gradient_faults(module: nn.Module, loss: Tensor) -> Iterator[str]:
    """Yield faults of the gradients of a loss, a number, over a module's parameters."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        return
    if loss.requires_grad:
        torch.autograd.backward(loss)
    gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
    if not gradients:
        yield "no gradient reaches its parameters"
    elif not all(gradient.isfinite().all() for gradient in gradients):
        yield "has gradients that are not finite"
