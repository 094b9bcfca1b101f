"""Models that see features as a picture: ResNet, EfficientNet, ConvNeXt in two dimensions."""

import math
from collections.abc import Callable

import pytest
import torch
from helpers.audio import white_noise
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.errors import ConfigError
from audiocls.models import ConvNeXt2d, EfficientNet, ResNet
from audiocls.models.convnext2d import network as convnext
from audiocls.models.efficientnet import network as efficientnet
from audiocls.models.image import as_image
from audiocls.models.resnet import network as resnet
from audiocls.models.stochastic_depth import StochasticDepth, linear_in_depth

AnyModel = ResNet | EfficientNet | ConvNeXt2d
SMALL: list[AnyModel] = [
    ResNet(width=8),
    ResNet(name="resnet34", width=4),
    EfficientNet(width=0.25),
    ConvNeXt2d(depths=(1, 1, 2, 1), widths=(8, 16, 16, 32)),
]
EVERY_SMALL_MODEL = pytest.mark.parametrize("options", SMALL, ids=lambda options: options.name)


def built(options: AnyModel, bands: int = 20, frames: int = 33) -> nn.Module:
    torch.manual_seed(0)
    return options.build((bands, frames), 5)


@pytest.mark.parametrize("gathered", [True, False])
def test_a_picture_is_the_features_in_strides_that_only_channels_last_has(gathered: bool) -> None:
    features = white_noise(6, 20, 33)
    features = features[torch.tensor([3, 1])] if gathered else features.transpose(1, 2)
    picture = as_image(features)
    assert torch.equal(picture[:, 0], features)
    bands, frames = features.shape[1:]
    assert picture.stride() == (bands * frames, 1, frames, 1)


@EVERY_SMALL_MODEL
def test_convolutions_run_in_channels_last(options: AnyModel) -> None:
    model, ordinary = built(options), []

    def look(module: nn.Module, _: object, out: Tensor) -> None:
        if not out.is_contiguous(memory_format=torch.channels_last):
            ordinary.append(module)

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(look)
    model.eval()(white_noise(2, 20, 33))
    assert ordinary == []


@EVERY_SMALL_MODEL
@pytest.mark.parametrize(("bands", "frames"), [(2, 1), (3, 7), (31, 32), (32, 33), (65, 4)])
def test_any_picture_will_do_and_every_band_and_frame_of_it_counts(
    options: AnyModel, bands: int, frames: int
) -> None:
    x = white_noise(4, bands, frames).requires_grad_()
    model = built(options, bands, frames).eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.ones_(norm.weight)  # at 0, ResNet is its shortcuts, which skip every other point
    model(x).square().sum().backward()
    assert x.grad is not None
    counts = (x.grad != 0).any(dim=0)
    assert counts.any(dim=0).all()
    assert counts.any(dim=1).all()


@EVERY_SMALL_MODEL
def test_raw_audio_is_no_picture(options: AnyModel) -> None:
    with pytest.raises(ConfigError, match=r"got features of 1 band \(raw audio\).*name=logmel"):
        options.build((1, 16_000), 5)
    with pytest.raises(ConfigError, match="got 0 frames, allowed: 1 or more"):
        options.build((64, 0), 5)


@EVERY_SMALL_MODEL
def test_dropout_comes_right_before_the_linear(options: AnyModel) -> None:
    model, ones = built(options.model_copy(update={"dropout": 0.4})), torch.ones(10_000)
    seen: list[Tensor] = []
    dropout, head = model.get_submodule("dropout"), model.get_submodule("head")
    dropout.register_forward_hook(lambda _module, _given, out: seen.append(out))
    head.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    model(white_noise(4, 20, 33))
    assert seen[0] is seen[1]
    assert (dropout(ones) == 0).float().mean() == pytest.approx(0.4, abs=0.02)


def test_each_residual_block_starts_as_its_shortcut() -> None:
    model, x = built(ResNet(width=8)), white_noise(2, 8, 9, 16)
    block = next(m for m in model.modules() if isinstance(m, resnet.Block))
    torch.testing.assert_close(block(x), F.relu(x))
    blocks = [m for m in model.modules() if isinstance(m, resnet.Block)]
    assert not any(block.branch[-1].weight.any() for block in blocks)


@pytest.mark.parametrize(("name", "layers"), [("resnet18", 18), ("resnet34", 34)])
def test_a_resnet_has_the_layers_of_its_name(name: str, layers: int) -> None:
    model = built(ResNet.model_validate({"name": name, "width": 4}))
    weighted = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    projections = 3  # of shortcuts, which the name does not count
    assert len(weighted) - projections == layers


@pytest.mark.parametrize(
    ("width", "stem", "head"),
    [(1.0, 32, 1280), (1.1, 32, 1408), (1.2, 40, 1536), (1.4, 48, 1792), (2.0, 64, 2560)],
    ids=["b0", "b2", "b3", "b4", "b7"],
)
def test_the_width_gives_the_channels_of_the_published_siblings(
    width: float, stem: int, head: int
) -> None:
    assert [efficientnet.scaled(channels, width) for channels in (32, 1280)] == [stem, head]


@pytest.mark.parametrize(
    ("depth", "blocks"), [(1.0, 16), (1.2, 23), (1.4, 26), (1.8, 32), (3.1, 55)]
)
def test_the_depth_gives_the_blocks_of_the_published_siblings(depth: float, blocks: int) -> None:
    model = built(EfficientNet(width=0.1, depth=depth))
    assert sum(isinstance(m, efficientnet.Block) for m in model.modules()) == blocks


def test_the_squeeze_is_a_quarter_of_what_enters_its_block_without_bias() -> None:
    model = EfficientNet().build((64, 101), 5)
    entering = [32, 16, 24, 24, 40, 40, 80, 80, 80, 112, 112, 112, 192, 192, 192, 192]
    gates = [m.gate for m in model.modules() if isinstance(m, efficientnet.Excitation)]
    assert [gate[0].out_channels for gate in gates] == [n // 4 for n in entering]
    assert all(gate[0].bias is None and gate[2].bias is None for gate in gates)


def test_a_batch_of_silence_does_not_overflow_efficientnet() -> None:
    model = built(EfficientNet())
    F.cross_entropy(model(torch.zeros(4, 20, 33)), torch.arange(4)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "rate", "num_blocks"),
    [
        (EfficientNet(width=0.1), 0.2, 16),
        (ConvNeXt2d(widths=(8, 8, 8, 8)), 0.1, 18),
        (SMALL[3].model_copy(update={"stochastic_depth": 0.4}), 0.4, 5),
    ],
    ids=["efficientnet_b0", "convnext_tiny", "convnext of five blocks"],
)
def test_stochastic_depth_is_wired_linearly_in_depth(
    options: AnyModel, rate: float, num_blocks: int
) -> None:
    drops = [m.p for m in built(options).modules() if isinstance(m, StochasticDepth)]
    assert drops == linear_in_depth(rate, num_blocks)


def convnext_block(channels: int, drop: float) -> convnext.Block:
    block = convnext.Block(channels, drop)
    nn.init.ones_(block.scale)
    return block


def mbconv_block(channels: int, drop: float) -> efficientnet.Block:
    return efficientnet.Block(channels, efficientnet.Stage(1, 3, 1, channels, 1), drop)


@pytest.mark.parametrize("block_of", [convnext_block, mbconv_block])
def test_training_drops_whole_branches_and_keeps_their_expectation(
    block_of: Callable[[int, float], convnext.Block | efficientnet.Block],
) -> None:
    torch.manual_seed(0)
    block, drop, num_clips = block_of(8, 0.25).eval(), 0.25, 4000
    x = white_noise(1, 8, 3, 3).expand(num_clips, -1, -1, -1)
    with torch.no_grad():
        branch = block(x[:1]) - x[:1]
        block.drop.train()  # and not the BatchNorms, whose statistics would change the branch
        in_training = block(x) - x
    is_dropped = (in_training == 0).flatten(1).all(dim=1)
    assert is_dropped.float().mean() == pytest.approx(drop, abs=4 * math.sqrt(0.19 / num_clips))
    kept = in_training[~is_dropped]
    torch.testing.assert_close(kept, (branch / (1 - drop)).expand_as(kept), atol=1e-4, rtol=1e-3)
    scale = float(branch.abs().max())
    torch.testing.assert_close(in_training.mean(0), branch[0], atol=0.05 * scale, rtol=0)


def test_evaluation_drops_nothing() -> None:
    for options in SMALL[2:]:
        heavy = built(options.model_copy(update={"stochastic_depth": 0.9})).eval()
        none = built(options.model_copy(update={"stochastic_depth": 0.0})).eval()
        x = white_noise(3, 20, 33)
        assert torch.equal(heavy(x), none(x))


def test_a_block_that_changes_its_shape_is_never_dropped() -> None:
    """It has no shortcut: dropping it would lose the clip."""
    wider = efficientnet.Block(8, efficientnet.Stage(6, 3, 1, 16, 1), drop=0.999).train()
    assert wider(white_noise(8, 8, 4, 4)).flatten(1).any(dim=1).all()


def test_patches_are_filled_up_with_zeros_at_the_end() -> None:
    torch.manual_seed(0)
    patches, x = convnext.Patches(2, 3, 4), white_noise(2, 2, 5, 10)
    filled = torch.zeros(2, 2, 8, 12)
    filled[..., :5, :10] = x
    torch.testing.assert_close(patches(x), patches.conv(filled))


def test_each_convnext_branch_starts_at_a_millionth_and_no_norm_precedes_the_linear() -> None:
    model, x = built(SMALL[3]).eval(), white_noise(2, 20, 33)
    blocks = [m for m in model.modules() if isinstance(m, convnext.Block)]
    assert all((block.scale == 1e-6).all() for block in blocks)
    embedding = model.stages(model.stem(as_image(x))).mean(dim=(2, 3))
    torch.testing.assert_close(model(x), model.head(embedding))


def test_nonsense_is_refused() -> None:
    for part, wrong in (
        (ResNet, {"name": "resnet20"}),
        (ResNet, {"width": 0}),
        (EfficientNet, {"width": 0.0}),
        (ConvNeXt2d, {"depths": [3, 3, 9]}),
        (ConvNeXt2d, {"stochastic_depth": 1.0}),
    ):
        with pytest.raises(ValidationError, match=next(iter(wrong))):
            part.model_validate(wrong)


def test_a_resnet_of_other_blocks_is_as_deep_as_they_say() -> None:
    model = built(ResNet(width=4, blocks=(1, 2, 1, 1)))
    assert [len(stage) for stage in model.get_submodule("stages").children()] == [1, 2, 1, 1]


def test_a_maximum_beside_the_mean_finds_one_place_of_a_large_picture() -> None:
    moved = {}
    quiet = torch.zeros(1, 64, 512)
    event = quiet.clone()
    event[:, 20:40, 100:110] = 5.0
    for pool in ("mean", "mean_max"):
        model = built(ResNet.model_validate({"width": 8, "pool": pool}), 64, 512).eval()
        moved[pool] = (model(event) - model(quiet)).norm()
    assert moved["mean_max"] > 3 * moved["mean"]
