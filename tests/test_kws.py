"""The tiny keyword spotter: its published costs, its arithmetic, what it refuses."""

import pytest
import torch
from helpers.audio import white_noise
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.errors import ConfigError
from audiocls.models import Kws
from audiocls.training.cost import macs, num_params

IN_SHAPE, NUM_CLASSES = (64, 101), 5
SHALLOW = Kws(channels=(32, 32), activation="relu")
DEEP = Kws(channels=(32,) * 6 + (16,) * 4, kernels=(6,) * 6 + (3,) * 4, strides=(1,), head="conv")
TABLE = pytest.mark.parametrize(
    ("options", "parameters", "published_macs"),
    [(SHALLOW, 3_205, 82_992), (DEEP, 9_861, 793_344)],
    ids=["shallow and wide", "deep and narrow"],
)


def clips(num_clips: int = 4, in_shape: tuple[int, int] = IN_SHAPE) -> Tensor:
    return white_noise(num_clips, *in_shape)


def operations_of_norms_and_mean(options: Kws) -> int:
    """What the source's counter adds: 4 for a value of BatchNorm, 1 + L for each mean of L."""
    frames, total = IN_SHAPE[1], 0
    for channels, kernel, stride in options.layers:
        frames = (frames - kernel) // stride + 1
        total += 4 * channels * frames
        frames //= stride
    return total + options.channels[-1] * (frames + 1)


@TABLE
def test_published_parameters(options: Kws, parameters: int, published_macs: int) -> None:
    assert num_params(options.build(IN_SHAPE, NUM_CLASSES)) == parameters


@TABLE
def test_published_macs_are_ours_and_the_operations_of_norms_and_mean(
    options: Kws, parameters: int, published_macs: int
) -> None:
    ours = macs(options, IN_SHAPE, NUM_CLASSES)
    assert ours + operations_of_norms_and_mean(options) == published_macs


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "silu"])
@pytest.mark.parametrize("head", ["conv", "fc"])
def test_it_is_what_its_description_says_in_one_dimension(activation: str, head: str) -> None:
    torch.manual_seed(0)
    options = Kws.model_validate(
        {"channels": (16, 8), "kernels": (5, 3), "activation": activation, "head": head}
    )
    model = options.build((32, 50), 3).eval()
    act = getattr(F, activation)
    x = hidden = clips(in_shape=(32, 50))
    for depthwise, _, pointwise, norm, *_ in model.layers:
        weight, groups = depthwise.weight.squeeze(2), depthwise.out_channels
        hidden = act(F.conv1d(hidden, weight, depthwise.bias, stride=2, groups=groups))
        hidden = F.conv1d(hidden, pointwise.weight.squeeze(2), pointwise.bias)
        statistics = norm.running_mean, norm.running_var, norm.weight, norm.bias
        hidden = F.max_pool1d(act(F.batch_norm(hidden, *statistics)), 2)
    if head == "conv":
        weight, bias = model.head.weight.unsqueeze(2), model.head.bias
        expected = F.conv1d(hidden, weight, bias).mean(dim=-1)
    else:
        into, _, out = model.head
        expected = out(act(into(hidden.mean(dim=-1))))
    torch.testing.assert_close(model(x), expected)


def test_the_shortest_clip_leaves_each_last_layer_one_frame() -> None:
    many = [
        SHALLOW,
        DEEP,
        Kws(channels=(8,), kernels=(1,), strides=(1,)),
        Kws(channels=(8, 8, 8), kernels=(7, 2, 5), strides=(1, 3, 2)),
    ]
    for options in many:
        shortest = options.min_frames
        model = options.build((64, shortest), 5).eval()
        assert model.layers(torch.zeros(1, 64, 1, shortest)).shape[-1] == 1
        with pytest.raises(RuntimeError, match="size"):
            model(torch.zeros(1, 64, shortest - 1))


def test_a_clip_too_short_is_refused_with_the_length_allowed() -> None:
    with pytest.raises(ConfigError, match=r"(?s)model kws.*got 38 frames, allowed: 39 or more"):
        DEEP.build((64, 38), 5)


def test_one_entry_for_all_layers_is_one_each() -> None:
    one = Kws(channels=(8, 8, 4), kernels=(5,), strides=(1,))
    each = Kws(channels=(8, 8, 4), kernels=(5, 5, 5), strides=(1, 1, 1))
    assert one.layers == each.layers == ((8, 5, 1), (8, 5, 1), (4, 5, 1))


def test_a_pool_of_one_frame_is_no_layer() -> None:
    pools = [m for m in DEEP.build(IN_SHAPE, 5).modules() if isinstance(m, nn.MaxPool2d)]
    assert pools == []


@pytest.mark.parametrize("n_mels", [1, 20, 40, 64])
@pytest.mark.parametrize("channels", [(32, 32), (64, 16), (24, 96)])
def test_groups_are_the_most_that_divide_both_sides(n_mels: int, channels: tuple[int, int]) -> None:
    model = Kws(channels=channels).build((n_mels, 101), 5)
    for layer in model.layers:
        depthwise, sides = layer[0], (layer[0].in_channels, layer[0].out_channels)
        fitting = [n for n in range(1, max(sides) + 1) if not any(side % n for side in sides)]
        assert depthwise.groups == fitting[-1]


def test_batch_norm_at_the_input_forgets_the_scale_and_offset_of_each_band() -> None:
    model = Kws(input_norm="batch_norm").build(IN_SHAPE, 5).train()
    x = clips(16)
    scale = torch.linspace(0.5, 20, 64).unsqueeze(1)
    torch.testing.assert_close(model(x), model(scale * x - 7), atol=1e-3, rtol=1e-3)
    plain = Kws().build(IN_SHAPE, 5).train()
    assert not torch.allclose(plain(x), plain(scale * x - 7), atol=1e-2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"channels": (8, 8, 8), "kernels": (3, 3)},
            "kernels: got 2 entries, allowed: 1 entry, or",
        ),
        ({"channels": (8,), "strides": (2, 2)}, "strides: got 2 entries, allowed: 1, as"),
        ({"head": "conv", "hidden": 32}, "hidden: got 32, but head conv has no hidden layer"),
        ({"channels": ()}, "channels"),
        ({"kernels": (0,)}, "kernels"),
    ],
    ids=str,
)
def test_options_that_contradict_each_other_are_refused(
    wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Kws.model_validate(wrong)


def test_all_contradictions_are_told_at_once() -> None:
    wrong = {"channels": (8, 8, 8), "kernels": (3, 3), "strides": (1, 2), "head": "conv"}
    with pytest.raises(ValidationError, match=r"kernels: .*; strides: .*; hidden: "):
        Kws.model_validate({**wrong, "hidden": 8})


def test_logits_are_no_log_probabilities() -> None:
    """Cross-entropy normalises them: normalised once already, they would sum to 1."""
    torch.manual_seed(0)
    sums = SHALLOW.build(IN_SHAPE, NUM_CLASSES).eval()(clips()).exp().sum(dim=1)
    assert ((sums - 1).abs() > 0.1).all()
