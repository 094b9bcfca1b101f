"""EAT: its trace of shapes, its low-pass, its transformer, and the lengths that it takes."""

import math

import pytest
import torch
from helpers.audio import white_noise
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.errors import ConfigError
from audiocls.models import EAT
from audiocls.models.eat import SIZES, network
from audiocls.models.eat.convolutions import Down, ResBlock
from audiocls.models.eat.geometry import num_tokens, shortest_clip
from audiocls.models.eat.transformer import EncoderLayer

XS = EAT(size="XS", factors=(4,))
ANY_FACTORS = pytest.mark.parametrize(
    "factors", [(1,), (2,), (3,), (4,), (5,), (4, 4), (2, 3), (3, 2), (64,), (5, 1, 7), (1, 1, 2)]
)


def built(factors: tuple[int, ...], num_samples: int) -> network.EAT:
    return network.EAT(num_samples, 3, SIZES["XS"], factors).eval()


def test_the_published_trace_of_shapes_on_esc_50() -> None:
    model, seen = EAT().build((1, 114_688), 50).eval(), []
    for layer in (*model.convolutions, model.project):
        layer.register_forward_hook(lambda layer, _, out: seen.append((type(layer), out.shape[1:])))
    with torch.no_grad():
        model(torch.zeros(1, 1, 114_688))
    assert [tuple(shape) for layer, shape in seen if layer is not ResBlock] == [
        (16, 114_688),
        (32, 28_672),
        (64, 7_168),
        (128, 1_792),
        (256, 448),
        (512, 224),
        (1024, 112),
        (128, 112),
    ]
    order = "".join("DR"[layer is ResBlock] for layer, _ in seen[1:-1])
    assert order == "DR" + "D" + "DR" + "D" + "RRRD" + "RRRD"
    dilations = [m.depthwise[0].dilation[0] for m in model.modules() if isinstance(m, ResBlock)]
    assert dilations == [1, 1, 1, 3, 9, 1, 3, 9]


@ANY_FACTORS
def test_positions_are_as_many_as_the_tokens_of_any_length(factors: tuple[int, ...]) -> None:
    shortest = shortest_clip(factors)
    for num_samples in (shortest, shortest + 1, shortest + math.prod(factors) + 5):
        model = built(factors, num_samples)
        audio = white_noise(1, 1, num_samples)
        assert model.convolutions(audio).shape[-1] == num_tokens(num_samples, factors)
        assert model(audio).isfinite().all()


@ANY_FACTORS
def test_a_shorter_clip_could_not_be_reflected_and_is_refused(factors: tuple[int, ...]) -> None:
    too_short = shortest_clip(factors) - 1
    with pytest.raises(RuntimeError, match=r"[Pp]adding size should be less"):
        built(factors, too_short)(torch.zeros(1, 1, too_short))
    with pytest.raises(ConfigError, match=rf"got {too_short} frames, allowed: {too_short + 1} or"):
        EAT(size="XS", factors=factors).build((1, too_short), 3)


def test_another_length_is_refused_naming_both() -> None:
    model = XS.build((1, 2048), 3)
    with pytest.raises(ConfigError, match="got clips of 2047 samples, allowed: 2048 samples"):
        model(torch.zeros(1, 1, 2047))


def test_features_are_refused_naming_raw() -> None:
    with pytest.raises(ConfigError, match=r"got features of 64 channels.*use features.name=raw"):
        XS.build((64, 101), 3)


@pytest.mark.parametrize("wrong", [{"size": "L"}, {"factors": []}, {"factors": [0]}])
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        EAT.model_validate(wrong)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_what_would_fold_down_to_zero_is_attenuated_by_the_triangle(factor: int) -> None:
    """At the new sampling rate its gain is ((factor + 1)⁻¹)²: two boxes of factor + 1 taps."""
    down = Down(1, factor)
    down.widen = nn.Identity()
    steps = torch.arange(60 * factor, dtype=torch.float32)
    tone = torch.cos(2 * torch.pi / factor * steps).expand(1, 2, -1)
    heard, inner = down(tone), slice(2, -2)  # where nothing is reflected
    expected = torch.full_like(heard, (factor + 1.0) ** -2)
    torch.testing.assert_close(heard[..., inner], expected[..., inner], atol=1e-5, rtol=0)
    torch.testing.assert_close(down(torch.ones(1, 2, 50)).unique(), torch.ones(1))


def test_the_low_pass_is_published_and_never_learned() -> None:
    down = Down(3, 4)
    expected = torch.tensor([1.0, 2, 3, 4, 5, 4, 3, 2, 1]) / 25
    assert torch.equal(down.triangle, expected.expand(6, 1, 9))
    assert not any(down.triangle is parameter for parameter in down.parameters())
    assert dict(down.named_buffers())["triangle"] is down.triangle


def test_a_residual_block_is_the_sum_of_three_branches_and_nothing_after() -> None:
    torch.manual_seed(0)
    block, x = ResBlock(4, dilation=3).eval(), white_noise(2, 4, 50)
    for norm in (block.pointwise[1], block.depthwise[1]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)

    def finish(branch: nn.Sequential, hidden: Tensor) -> Tensor:
        statistics = branch[1].running_mean, branch[1].running_var
        return F.leaky_relu(F.batch_norm(hidden, *statistics), 0.2)

    linear = F.conv1d(x, block.linear.weight, block.linear.bias)
    pointwise = finish(block.pointwise, F.conv1d(x, block.pointwise[0].weight))
    around = F.pad(x, (21, 21), mode="reflect")
    spread = F.conv1d(around, block.depthwise[0].weight, dilation=3, groups=4)
    expected = linear + pointwise + finish(block.depthwise, spread)
    torch.testing.assert_close(block(x), expected)


def twins(width: int = 16, heads: int = 4) -> tuple[EncoderLayer, nn.TransformerEncoderLayer]:
    """Ours and torch's, of the same weights."""
    torch.manual_seed(0)
    ours = EncoderLayer(width, heads, feedforward=24, dropout=0.0)
    theirs = nn.TransformerEncoderLayer(
        width, heads, 24, dropout=0.0, activation="gelu", batch_first=True
    )
    pairs = zip(parts_of(ours), theirs_in_that_order(theirs), strict=True)
    with torch.no_grad():
        for source, target in pairs:
            target.copy_(torch.randn_like(source))
            source.copy_(target)
    return ours, theirs


def parts_of(ours: EncoderLayer) -> list[nn.Parameter]:
    expand, _, _, contract = ours.feedforward
    attention = ours.attention.mix_in, ours.attention.mix_out
    layers = (*attention, expand, contract, ours.norm1, ours.norm2)
    return [p for m in layers for p in (m.weight, m.bias)]


def theirs_in_that_order(theirs: nn.TransformerEncoderLayer) -> list[nn.Parameter]:
    attention = theirs.self_attn
    assert attention.in_proj_weight is not None
    layers = (attention.out_proj, theirs.linear1, theirs.linear2, theirs.norm1, theirs.norm2)
    rest = [p for m in layers for p in (m.weight, m.bias)]
    return [attention.in_proj_weight, attention.in_proj_bias, *rest]


@pytest.mark.parametrize("training", [True, False])
def test_an_encoder_layer_is_torchs_post_norm_layer(training: bool) -> None:
    ours, theirs = twins()
    x = white_noise(2, 7, 16)
    torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x))


def test_an_encoder_layer_starts_as_widely_as_torchs() -> None:
    torch.manual_seed(0)
    ours = EncoderLayer(128, 8, feedforward=512)
    theirs = nn.TransformerEncoderLayer(128, 8, 512, activation="gelu", batch_first=True)
    for mine, other in zip(parts_of(ours), theirs_in_that_order(theirs), strict=True):
        torch.testing.assert_close(mine.std(), other.std(), rtol=0.15, atol=1e-7)


def test_the_start_is_the_published_one() -> None:
    torch.manual_seed(0)
    model = EAT(size="S", factors=(4, 4)).build((1, 8192), 5)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv1d)]
    for conv in convs:
        assert conv.weight.detach().std() == pytest.approx(0.02, rel=0.2)
        assert conv.bias is None or not conv.bias.any()
    assert not model.positions.any()
    assert not model.token.any()


def test_dropout_is_the_transformers_alone() -> None:
    model = EAT(size="XS", factors=(4,), dropout=0.5).build((1, 2048), 3).train()
    x = white_noise(4, 1, 2048)
    assert torch.equal(model.convolutions(x), model.convolutions(x))
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


def test_the_number_of_clips_stays_free_when_the_graph_is_exported() -> None:
    model, free = XS.build((1, 2048), 3).eval(), {0: torch.export.Dim("clips")}
    exported = torch.export.export(
        model, (white_noise(2, 1, 2048),), dynamic_shapes=(free,)
    ).module()
    x = white_noise(5, 1, 2048)
    torch.testing.assert_close(exported(x), model(x))
