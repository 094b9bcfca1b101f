"""What every model owes.

Legend: B batch, C channels, L frames, K classes.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.errors import ConfigError
from audiocls.models import OwnModel
from audiocls.testing.part import part_of
from audiocls.training.cost import macs
from audiocls.training.part_checks import gradient_faults, output_faults

NUM_CLASSES = 5
Shape = tuple[int, int]
"""(channels, frames)."""


def model_contract(
    model: Any,
    in_shape: Shape,
    has_head: bool = True,
    num_first_steps: int = 0,
    **options: Any,
) -> None:
    """Raise `AssertionError` if a model breaks a rule on features of (channels, frames).

    Args:
        model: an import string, or a shipped model's options.
        has_head: whether its last layer is called `head`, as transfer to other classes needs.
        num_first_steps: steps after which a gradient reaches every parameter.
        options: of the import string's callable.
    """
    part = part_of(OwnModel, model, options)
    for rule in RULES:
        rule(part, in_shape)
    a_gradient_reaches_every_parameter(part, in_shape, num_first_steps)
    if has_head:
        the_head_alone_depends_on_the_classes(part, in_shape)
    channels, frames = in_shape
    works_or_refuses(part, channels, (frames - 1, frames, frames + 1))


def built(model: Any, in_shape: Shape, seed: int = 0) -> nn.Module:
    """Return the network of five classes, initialised by `seed`."""
    torch.manual_seed(seed)
    network: nn.Module = model.build(in_shape, NUM_CLASSES)
    return network


def batch(in_shape: Shape, num_clips: int = 4) -> Tensor:
    """Return noise. Shape: → (B, C, L)"""
    generator = torch.Generator().manual_seed(1)
    return 0.5 * torch.randn(num_clips, *in_shape, generator=generator)


def loss_of(network: nn.Module, x: Tensor) -> Tensor:
    """Return the cross-entropy of classes in turn. Shape: x (B, C, L) → ()"""
    return F.cross_entropy(network(x), torch.arange(len(x)) % NUM_CLASSES)


def losses(network: nn.Module, x: Tensor, num_steps: int) -> list[float]:
    """Train for some steps; return the loss before each. Shape: x (B, C, L)"""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    seen = []
    for _ in range(num_steps):
        optimizer.zero_grad()
        loss = loss_of(network, x)
        torch.autograd.backward(loss)
        optimizer.step()
        seen.append(loss.item())
    return seen


def features_become_one_finite_logit_a_class_for_each_clip(model: Any, in_shape: Shape) -> None:
    """In evaluation, of one clip and of three; the same each time."""
    network = built(model, in_shape)
    for num_clips in (1, 3):
        faults = list(output_faults(network, batch(in_shape, num_clips), (NUM_CLASSES,)))
        assert faults == []
        assert network(batch(in_shape, num_clips)).dtype == torch.float32


def evaluation_does_not_mix_clips(model: Any, in_shape: Shape) -> None:
    """A clip's logits are those that it has alone."""
    network, x = built(model, in_shape).eval(), batch(in_shape)
    alone = torch.cat([network(clip[None]) for clip in x])
    torch.testing.assert_close(network(x), alone, atol=1e-5, rtol=1e-4)


def silence_has_finite_logits_and_gradients(model: Any, in_shape: Shape) -> None:
    """Zeros break nothing."""
    network = built(model, in_shape)
    faults = gradient_faults(network, loss_of(network, torch.zeros_like(batch(in_shape))))
    assert list(faults) == []


def the_same_seed_gives_the_same_losses_bit_for_bit(model: Any, in_shape: Shape) -> None:
    """And another seed others."""
    x = batch(in_shape)
    runs = [losses(built(model, in_shape, seed), x, 3) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


def ten_steps_reduce_the_loss(model: Any, in_shape: Shape) -> None:
    """On one batch, by Adam."""
    seen = losses(built(model, in_shape), batch(in_shape), 11)
    assert seen[-1] < seen[0]


def multiply_accumulates_are_counted(model: Any, in_shape: Shape) -> None:
    """They are those of one clip, and no fewer for a longer one."""
    channels, frames = in_shape
    one = macs(model, in_shape, NUM_CLASSES)
    assert one > 0
    assert macs(model, (channels, 2 * frames), NUM_CLASSES) >= one


def the_same_options_build_the_same_shapes(model: Any, in_shape: Shape) -> None:
    """Whatever the seed is."""
    shapes = [
        {name: value.shape for name, value in built(model, in_shape, seed).state_dict().items()}
        for seed in (0, 1)
    ]
    assert shapes[0] == shapes[1]


def a_gradient_reaches_every_parameter(
    model: Any, in_shape: Shape, num_first_steps: int = 0
) -> None:
    """After some steps, where an initialisation shuts a branch off on purpose."""
    network, x = built(model, in_shape), batch(in_shape)
    losses(network, x, num_first_steps)
    network.zero_grad()
    torch.autograd.backward(loss_of(network, x))
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert without == []


def the_head_alone_depends_on_the_classes(model: Any, in_shape: Shape) -> None:
    """What transfer between data sets leaves out and freezing lets learn is called `head`."""
    few, many = (model.build(in_shape, num_classes).state_dict() for num_classes in (3, 7))
    differing = {name for name in few if few[name].shape != many[name].shape}
    assert differing, "no layer depends on the number of classes"
    assert all(name.startswith("head.") for name in differing), differing


def works_or_refuses(model: Any, channels: int, lengths: Iterable[int]) -> list[int]:
    """Return the lengths that work; others are refused in words when the model is built."""
    taken = []
    for length in lengths:
        try:
            network = model.build((channels, length), NUM_CLASSES).eval()
        except ConfigError as error:
            assert f"got {length} frames" in str(error)  # noqa: PT017
            continue
        assert network(torch.randn(2, channels, length)).isfinite().all()
        taken.append(length)
    return taken


RULES: tuple[Callable[[Any, Shape], None], ...] = (
    features_become_one_finite_logit_a_class_for_each_clip,
    evaluation_does_not_mix_clips,
    silence_has_finite_logits_and_gradients,
    the_same_seed_gives_the_same_losses_bit_for_bit,
    ten_steps_reduce_the_loss,
    multiply_accumulates_are_counted,
    the_same_options_build_the_same_shapes,
)
"""Rules without further arguments."""
