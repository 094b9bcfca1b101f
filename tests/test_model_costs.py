"""What models cost, against what is published: parameters to the unit, MACs within one per cent.

A new model joins with a row.
"""

from typing import NamedTuple

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from audiocls.models import EAT, ConvNeXt1d, ConvNeXt2d, EfficientNet, HiFiGAN, Model, ResNet
from audiocls.training.cost import WHOLE, macs, macs_by_module, num_params


class Row(NamedTuple):
    what: str
    model: Model
    in_shape: tuple[int, int]
    num_classes: int
    params: int | None
    gmacs: float | None = None
    """Billions of multiply-accumulates of one clip."""


def eat(what: str, model: EAT, num_samples: int, classes: int, params: int, gflops: float) -> Row:
    return Row(what, model, (1, num_samples), classes, params, gflops / 2)


def picture(model: Model, gmacs_in_colour: float, stem_positions: int, stem_weights: int) -> Row:
    """What is published for photographs, less the stem's multiplications of two of the colours."""
    gmacs = gmacs_in_colour - 2 * stem_positions * stem_weights / 1e9
    return Row(f"{model.name} ImageNet", model, (224, 224), 1000, None, gmacs)


ENCODEC = ConvNeXt1d(stem_width=256, stem_stride=4, strides=(2, 2))
EAT_S, EAT_M = EAT(size="S"), EAT(size="M")
SPEECH, ESC50 = (64, 101), (1, 220_500)
ROWS = [
    eat("eat S ESC-50", EAT_S, 114_688, 50, 5_183_618, 5.02),
    eat("eat S UrbanSound8K", EAT_S, 90_112, 10, 5_175_386, 3.94),
    eat("eat S AudioSet", EAT_S, 221_184, 527, 5_258_463, 9.68),
    eat("eat S Speech Commands", EAT(factors=(4, 4, 4)), 16_384, 35, 1_971_955, 0.717),
    eat("eat M ESC-50", EAT_M, 114_688, 50, 25_302_738, 20.9),
    eat("eat M AudioSet", EAT_M, 221_184, 527, 25_451_951, 40.3),
    Row("resnet18", ResNet(), SPEECH, 35, 11_188_195),
    Row("resnet34", ResNet(name="resnet34"), SPEECH, 35, 21_278_400 + 513 * 35),
    Row("efficientnet_b0", EfficientNet(), SPEECH, 35, 4_042_467),
    Row("convnext_tiny", ConvNeXt2d(), SPEECH, 35, 27_842_435),
    picture(ResNet(), 1.814, 112**2, 64 * 7**2),
    picture(ResNet(name="resnet34"), 3.664, 112**2, 64 * 7**2),
    picture(EfficientNet(), 0.386, 112**2, 32 * 3**2),
    picture(ConvNeXt2d(), 4.456, 56**2, 96 * 4**2),
    Row("convnext1d raw", ConvNeXt1d(), ESC50, 50, 36_595_186),
    Row("convnext1d encodec", ENCODEC, (128, 375), 50, 33_218_354),
    Row("hifigan", HiFiGAN(), ESC50, 50, 10_024_932),
    Row("hifigan without weight norm", HiFiGAN(weight_norm=False), ESC50, 50, 10_020_786),
]


def rows(having: str) -> pytest.MarkDecorator:
    chosen = [row for row in ROWS if getattr(row, having) is not None]
    return pytest.mark.parametrize("row", chosen, ids=lambda row: row.what)


@rows("params")
def test_published_parameters(row: Row) -> None:
    assert num_params(row.model.build(row.in_shape, row.num_classes)) == row.params


@rows("gmacs")
def test_published_multiply_accumulates(row: Row) -> None:
    counted = macs(row.model, row.in_shape, row.num_classes) / 1e9
    assert counted == pytest.approx(row.gmacs, rel=0.01)


@pytest.mark.parametrize(
    ("model", "params"), [(ResNet(), 11_170_240), (EfficientNet(), 3_997_632)], ids=["18", "b0"]
)
def test_published_parameters_of_the_encoder_alone(model: Model, params: int) -> None:
    network = model.build(SPEECH, 35)
    assert num_params(network) - num_params(network.get_submodule("head")) == params


@pytest.mark.parametrize(
    ("options", "num_samples", "tokens", "share"),
    [(EAT(factors=(4, 4, 4)), 16_384, 64, 0.012), (EAT_S, 90_112, 88, 0.004)],
    ids=["Speech Commands", "UrbanSound8K"],
)
def test_the_products_of_attention_are_all_that_eats_count_leaves_out(
    options: EAT, num_samples: int, tokens: int, share: float
) -> None:
    """2 · L² · D a layer, of which the published figures know nothing either."""
    network, clip = options.build((1, num_samples), 5).eval(), torch.zeros(1, 1, num_samples)
    counted = macs_by_module(network, clip)[WHOLE]
    with sdpa_kernel(SDPBackend.MATH):  # runs them as plain products, which are counted
        everything = macs_by_module(network, clip)[WHOLE]
    assert everything - counted == 4 * 2 * (tokens + 1) ** 2 * 128
    assert (everything - counted) / everything == pytest.approx(share, rel=0.1)
