"""Architectures: their published sizes, their arithmetic, and what every model owes."""

import subprocess
import sys

import pytest
import torch
from helpers.audio import white_noise
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from audiocls.errors import ConfigError
from audiocls.models import ConvNeXt1d, HiFiGAN, LogMelCNN, Model

AnyModel = LogMelCNN | ConvNeXt1d | HiFiGAN
SMALL_CONVNEXT = ConvNeXt1d(stem_width=8, strides=(4, 4), kernel=9)
SMALL: list[tuple[AnyModel, tuple[int, int]]] = [
    (LogMelCNN(), (40, 101)),
    (LogMelCNN(groups=8, dropout=0.0), (40, 64)),
    (SMALL_CONVNEXT, (1, 2048)),
    (ConvNeXt1d(stem_width=16, stem_stride=1, strides=(2,), blocks=1, kernel=5), (40, 33)),
    (HiFiGAN(width=16), (1, 2048)),
    (HiFiGAN(width=8, weight_norm=False), (1, 1500)),
]
EVERY_SMALL_MODEL = pytest.mark.parametrize(
    ("options", "in_shape"), SMALL, ids=lambda value: str(value)[:60]
)


def num_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def num_macs(model: nn.Module, in_shape: tuple[int, int]) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model.eval()(torch.zeros(1, *in_shape))
    return int(counter.get_total_flops()) // 2


def clips(in_shape: tuple[int, int], num_clips: int = 4) -> Tensor:
    return white_noise(num_clips, *in_shape)


@pytest.mark.parametrize("n_mels", [20, 40, 64, 80])
@pytest.mark.parametrize("num_classes", [1, 10, 50])
def test_the_default_cnn_stays_within_100_thousand_parameters(
    n_mels: int, num_classes: int
) -> None:
    assert num_parameters(LogMelCNN().build((n_mels, 101), num_classes)) <= 100_000


def test_groups_divide_convolution_parameters_and_macs_exactly() -> None:
    """The course text says that FLOPs double with the groups; the arithmetic says they halve."""
    sizes, in_shape = {}, (80, 96)
    for groups in (1, 2, 4, 8, 16):
        model = LogMelCNN(groups=groups).build(in_shape, 1)
        convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
        weights = sum(m.weight.numel() for m in convolutions)
        head = 96  # multiplications of the Linear
        sizes[groups] = (weights * groups, (num_macs(model, in_shape) - head) * groups)
    assert len(set(sizes.values())) == 1
    assert sizes[1][0] == 3 * (80 * 64 + 64 * 64 + 64 * 96 + 96 * 96)


def test_groups_that_do_not_divide_are_refused_naming_counts_and_divisors() -> None:
    options = LogMelCNN(groups=16)
    options.build((80, 101), 2)
    with pytest.raises(ConfigError) as refusal:
        options.build((20, 101), 2)
    message = str(refusal.value)
    assert "groups: got 16" in message
    assert "input (mel bands) = 20" in message
    assert "channels" not in message
    assert "allowed: 1, 2, 4 (" in message


def test_height_one_images_are_one_dimensional_convolutions() -> None:
    model = LogMelCNN(groups=4, channels=(8, 16, 8, 16), kernel=5).build((12, 77), 3).eval()
    x = hidden = clips((12, 77))
    for convolution, norm, _, _ in model.blocks:
        hidden = F.conv1d(hidden, convolution.weight.squeeze(2), padding=2, groups=4)
        statistics = norm.running_mean, norm.running_var, norm.weight, norm.bias
        hidden = F.max_pool1d(F.relu(F.batch_norm(hidden, *statistics)), 3, ceil_mode=True)
    expected = F.linear(
        hidden.mean(dim=-1) + hidden.amax(dim=-1), model.head.weight, model.head.bias
    )
    torch.testing.assert_close(model(x), expected)


def test_convnext_is_what_its_description_says_in_one_dimension() -> None:
    options = ConvNeXt1d(stem_width=4, stem_stride=3, strides=(2,), blocks=2, kernel=7, dropout=0.5)
    model = options.build((2, 100), 3).eval()
    x = clips((2, 100))

    def conv(layer: nn.Conv2d, hidden: Tensor, padding: int = 0) -> Tensor:
        weight, stride = layer.weight.squeeze(2), layer.stride[1]
        return F.conv1d(hidden, weight, layer.bias, stride, padding, groups=layer.groups)

    def normalise(norm: nn.GroupNorm, hidden: Tensor) -> Tensor:
        return F.group_norm(hidden, 1, norm.weight, norm.bias)

    hidden = normalise(model.stem[1], conv(model.stem[0], x))
    (down, *blocks) = model.stages[0]
    hidden = normalise(down[1], conv(down[0], hidden))
    for block in blocks:
        depthwise, norm, expand, _, project, *_ = block.branch
        branch = F.gelu(conv(expand, normalise(norm, conv(depthwise, hidden, padding=3))))
        hidden = hidden + conv(project, branch)
    head = F.conv1d(hidden, model.head.weight.unsqueeze(2), model.head.bias)
    torch.testing.assert_close(model(x), head.mean(dim=-1))


@EVERY_SMALL_MODEL
@pytest.mark.parametrize("num_classes", [1, 7])
def test_every_model_gives_a_finite_logit_per_class(
    options: AnyModel, in_shape: tuple[int, int], num_classes: int
) -> None:
    model = options.build(in_shape, num_classes)
    for num_clips in (1, 3):
        logits = model(clips(in_shape, num_clips))
        assert logits.shape == (num_clips, num_classes)
        assert logits.isfinite().all()


@EVERY_SMALL_MODEL
def test_gradient_reaches_every_parameter(options: AnyModel, in_shape: tuple[int, int]) -> None:
    model = options.build(in_shape, 5)
    F.cross_entropy(model(clips(in_shape)), torch.arange(4)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@EVERY_SMALL_MODEL
def test_ten_steps_reduce_the_loss(options: AnyModel, in_shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model, x, labels = options.build(in_shape, 4), clips(in_shape), torch.arange(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(11):
        loss = F.cross_entropy(model(x), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0]


@EVERY_SMALL_MODEL
def test_a_state_dict_rebuilds_the_model(options: AnyModel, in_shape: tuple[int, int]) -> None:
    first, second = (options.build(in_shape, 5) for _ in range(2))
    x = clips(in_shape)
    first(x)  # moves running statistics, which must travel too
    second.load_state_dict(first.state_dict())
    assert all(tensor.is_contiguous() for tensor in first.state_dict().values())
    assert torch.equal(first.eval()(x), second.eval()(x))


@pytest.mark.parametrize("options", [SMALL_CONVNEXT, HiFiGAN(width=16)])
def test_without_dropout_training_equals_evaluation(options: AnyModel) -> None:
    model, x = options.build((1, 2048), 5), clips((1, 2048))
    assert torch.equal(model.train()(x), model.eval()(x))


@pytest.mark.parametrize(
    ("options", "in_shape"),
    [
        (SMALL_CONVNEXT.model_copy(update={"dropout": 0.5}), (1, 2048)),
        (LogMelCNN(dropout=0.5), (40, 64)),
    ],
)
def test_dropout_acts_in_training_only(options: AnyModel, in_shape: tuple[int, int]) -> None:
    model, x = options.build(in_shape, 5), clips(in_shape)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize(
    ("options", "channels", "minimum"),
    [(LogMelCNN(), 40, 1), (SMALL_CONVNEXT, 1, 256), (HiFiGAN(width=8), 1, 1)],
)
def test_the_shortest_clip_works_and_a_shorter_one_is_refused(
    options: AnyModel, channels: int, minimum: int
) -> None:
    for frames in (minimum, minimum + 1, 2 * minimum - 1):
        assert options.build((channels, frames), 3)(clips((channels, frames))).isfinite().all()
    with pytest.raises(ConfigError, match=rf"{minimum - 1} frames, allowed: {minimum} or more"):
        options.build((channels, minimum - 1), 3)


@pytest.mark.parametrize("width", [8, 16, 24, 40, 64, 128, 256])
def test_hifigan_is_buildable_at_every_width_with_wide_groups(width: int) -> None:
    model = HiFiGAN(width=width, weight_norm=False).build((1, 1000), 5)
    grouped = [m for m in model.modules() if isinstance(m, nn.Conv1d) and m.groups > 1]
    assert all(m.in_channels // m.groups >= 8 for m in grouped)


def test_weight_norm_changes_the_parameters_but_not_the_function() -> None:
    normed = HiFiGAN(width=16).build((1, 1000), 5)
    plain = HiFiGAN(width=16, weight_norm=False).build((1, 1000), 5)
    for source, target in zip(
        [*normed.layers, normed.head], [*plain.layers, plain.head], strict=True
    ):
        target.load_state_dict({"weight": source.weight.detach(), "bias": source.bias.detach()})
    x = clips((1, 1000))
    torch.testing.assert_close(normed(x), plain(x))


def test_the_name_picks_the_model_and_nonsense_is_refused() -> None:
    registry: TypeAdapter[AnyModel] = TypeAdapter(Model)
    assert registry.validate_python({"name": "convnext1d", "strides": [4, "2"]}) == ConvNeXt1d(
        strides=(4, 2)
    )
    for wrong in ({"kernel": 8}, {"strides": []}, {"dropout": 1.0}, {"widht": 8}):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            registry.validate_python({"name": "convnext1d", **wrong})
    with pytest.raises(ValidationError, match="multiple of 8"):
        HiFiGAN(width=12)


def test_reading_options_does_not_import_torch() -> None:
    code = "import sys, audiocls.models as m; m.ConvNeXt1d(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
