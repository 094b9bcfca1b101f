"""ConvNeXt that hears the past only: its size, its memory, and stochastic depth beside it."""

import pytest
import torch
from helpers.audio import white_noise
from torch import Tensor, nn
from torch.nn import functional as F

from audiocls.errors import ConfigError
from audiocls.models import ConvNeXt1d, ConvNeXt1dCausal
from audiocls.models.stochastic_depth import StochasticDepth, linear_in_depth
from audiocls.training.cost import num_params

CHANNELS, FRAMES = 6, 24
OPTIONS = ConvNeXt1dCausal(width=8, blocks=3, kernel=5, num_codebooks=2)
MEMORY = 3 * (5 - 1) + 1


def clips(num_clips: int = 2, channels: int = CHANNELS, frames: int = FRAMES) -> Tensor:
    return white_noise(num_clips, channels, frames)


def built(options: ConvNeXt1dCausal = OPTIONS, channels: int = CHANNELS) -> nn.Module:
    torch.manual_seed(0)
    return options.build((channels, FRAMES), 3).eval()


@pytest.mark.parametrize(
    ("num_codebooks", "parameters"),
    [(2, 1_377_586), (0, 1_377_586 - 129 * 2048), (32, 1_377_586 + 129 * 1024 * 30)],
)
def test_published_parameters_with_two_codebooks(num_codebooks: int, parameters: int) -> None:
    model = ConvNeXt1dCausal(num_codebooks=num_codebooks).build((128, 375), 50)
    assert num_params(model) == parameters


@pytest.mark.parametrize("frame", range(FRAMES))
def test_a_frame_is_foretold_without_hearing_it_or_what_follows(frame: int) -> None:
    model, x = built(), clips()
    changed = x.clone()
    changed[..., frame] += 100.0
    (classes, codes), (other_classes, other_codes) = map(model.with_codes, (x, changed))
    seen = slice(frame + 1, frame + 1 + MEMORY)
    assert torch.equal(codes[..., : frame + 1], other_codes[..., : frame + 1])
    assert (codes[..., seen] != other_codes[..., seen]).any(dim=(0, 1, 2)).all()
    # The class hears the last frames, as many as the memory holds.
    assert torch.equal(classes, other_classes) == (frame < FRAMES - MEMORY)


def test_the_default_memory_holds_five_seconds_of_encodec_frames() -> None:
    options = ConvNeXt1dCausal()
    assert options.blocks * (options.kernel - 1) + 1 >= 5 * 75


def test_a_longer_clip_begins_with_the_code_logits_of_a_shorter_one() -> None:
    model, x = built(), clips()
    torch.testing.assert_close(model.with_codes(x[..., :10])[1], model.with_codes(x)[1][..., :10])


def test_the_first_frame_is_foretold_alike_for_every_clip() -> None:
    codes = built().with_codes(clips(5))[1]
    torch.testing.assert_close(codes[:, ..., 0], codes[:1, ..., 0].expand(5, -1, -1))


@pytest.mark.parametrize("num_codebooks", [1, 2, 8])
def test_code_logits_are_as_cross_entropy_takes_them(num_codebooks: int) -> None:
    model = built(OPTIONS.model_copy(update={"num_codebooks": num_codebooks}))
    _, codes = model.with_codes(clips())
    assert codes.shape == (2, num_codebooks, 1024, FRAMES)
    heads = model.code_head.weight.unflatten(0, (num_codebooks, 1024))
    assert heads.shape[-1] == OPTIONS.width
    for book in codes.unbind(1):
        loss = F.cross_entropy(book, torch.zeros(2, FRAMES, dtype=torch.long))
        assert 5 < loss < 9  # untrained: near ln 1024


def test_under_the_mean_the_class_hears_every_frame_and_codes_hear_no_more() -> None:
    torch.manual_seed(0)
    model, x = built(OPTIONS.model_copy(update={"readout": "mean"})), clips()
    changed = x.clone()
    changed[..., 0] += 100.0
    assert not torch.equal(model(x), model(changed))
    assert torch.equal(model(x), model.with_codes(x)[0])
    assert torch.equal(built().with_codes(x)[1], model.with_codes(x)[1])


def test_the_class_is_the_same_with_and_without_codes() -> None:
    model, x = built(), clips()
    assert torch.equal(model(x), model.with_codes(x)[0])


def test_it_is_what_its_description_says_in_one_dimension() -> None:
    model, x = built(), clips()
    hidden = F.conv1d(F.pad(x, (1, 0)), model.stem.weight.squeeze(2), model.stem.bias)
    for block in model.blocks:
        norm, expand, _, project, _ = block.perceptron
        weight, bias = block.depthwise.weight.squeeze(2), block.depthwise.bias
        frames = F.conv1d(F.pad(hidden, (4, 0)), weight, bias, groups=8).transpose(1, 2)
        normed = F.layer_norm(frames, (8,), norm.weight, norm.bias)
        hidden = hidden + project(F.gelu(expand(normed))).transpose(1, 2)
    torch.testing.assert_close(model(x), model.head(hidden[..., -1]))
    codes = model.code_head(hidden[..., :-1].transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(model.with_codes(x)[1], codes.unflatten(1, (2, 1024)))


def test_the_sum_of_both_losses_reaches_every_parameter() -> None:
    model, x = built().train(), clips()
    classes, codes = model.with_codes(x)
    loss = F.cross_entropy(classes, torch.tensor([0, 1]))
    loss = loss + F.cross_entropy(codes.transpose(1, 2), torch.zeros(2, 2, FRAMES).long())
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_features_as_wide_as_the_model_need_no_convolution_first() -> None:
    assert isinstance(built(channels=8).stem, nn.Identity)
    assert built(channels=6).stem.weight.shape[:2] == (8, 6)


def test_an_empty_clip_is_refused() -> None:
    with pytest.raises(ConfigError, match="got 0 frames, allowed: 1 or more"):
        OPTIONS.build((CHANNELS, 0), 3)


def test_stochastic_depth_drops_whole_clips_and_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    branches = StochasticDepth(0.3)(torch.ones(20_000, 2, 1, 3)).flatten(1)
    assert torch.equal(branches.amin(dim=1), branches.amax(dim=1))
    assert abs((branches == 0).float().mean() - 0.3) < 0.015
    torch.testing.assert_close(branches.mean(), torch.tensor(1.0), atol=0.02, rtol=0)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_stochastic_depth_is_nothing_in_evaluation_or_at_zero(p: float) -> None:
    branch, drop = torch.rand(4, 2, 1, 3), StochasticDepth(p)
    drop.train(p == 0.0)
    state = torch.get_rng_state()
    assert drop(branch) is branch
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("num_blocks", [1, 2, 12])
def test_depth_drops_rise_by_equal_steps_to_the_deepest(num_blocks: int) -> None:
    drops = torch.tensor([0.0, *linear_in_depth(0.4, num_blocks)])
    torch.testing.assert_close(drops.diff(), torch.full((num_blocks,), 0.4 / num_blocks))


def test_convnext_wires_stochastic_depth_block_by_block() -> None:
    options = ConvNeXt1d(stem_width=4, strides=(2, 2), blocks=2, kernel=5, stochastic_depth=0.4)
    model = options.build((1, 256), 3)
    drops = [m.p for m in model.modules() if isinstance(m, StochasticDepth)]
    assert drops == linear_in_depth(0.4, 4)
    x = clips(8, 1, 256)
    torch.manual_seed(0)
    assert not torch.equal(model.train()(x), model(x))
    assert torch.equal(model.eval()(x), model(x))


def test_convnext_with_all_branches_dropped_is_its_patches_alone() -> None:
    options = ConvNeXt1d(stem_width=4, strides=(2,), blocks=1, kernel=5, stochastic_depth=0.999)
    torch.manual_seed(0)
    model, x = options.build((1, 256), 3).train(), clips(4, 1, 256)
    hidden = model.stages[0][0](model.stem(x.unsqueeze(2)))
    torch.testing.assert_close(model(x), model.head(hidden.mean(dim=(2, 3))))
