"""The classifiers; the union `Model` is their registry, and admits models of one's own.

A model is a folder: its options (torch-free, with `check(in_shape)` and `build(in_shape,
num_classes)`) in `__init__.py`, its network in `network.py`, imported when it is built. Every model
maps (B, C, L) to logits (B, K), whose softmax (or sigmoid, for several labels per clip) are
probabilities; `in_shape` is (channels, frames): (1, T) for raw audio, (F, L) for log-mel bands.
"""

from typing import Annotated

from pydantic import Field

from audiocls.models.attention import Attention
from audiocls.models.convnext1d import ConvNeXt1d
from audiocls.models.convnext1d_causal import ConvNeXt1dCausal
from audiocls.models.convnext2d import ConvNeXt2d
from audiocls.models.eat import EAT
from audiocls.models.efficientnet import EfficientNet
from audiocls.models.hf import HFModel
from audiocls.models.hifigan import HiFiGAN
from audiocls.models.kws import Kws
from audiocls.models.linear import Linear
from audiocls.models.logmel_cnn import LogMelCNN
from audiocls.models.mlp import MLP
from audiocls.models.own import OwnModel
from audiocls.models.resnet import ResNet
from audiocls.models.timm import TimmModel
from audiocls.parts import OrOwn

Model = Annotated[
    LogMelCNN
    | ConvNeXt1d
    | ConvNeXt1dCausal
    | HiFiGAN
    | Kws
    | EAT
    | ResNet
    | EfficientNet
    | ConvNeXt2d
    | Linear
    | MLP
    | Attention
    | HFModel
    | TimmModel,
    Field(discriminator="name"),
    OrOwn(OwnModel),
]

__all__ = [
    "EAT",
    "MLP",
    "Attention",
    "ConvNeXt1d",
    "ConvNeXt1dCausal",
    "ConvNeXt2d",
    "EfficientNet",
    "HFModel",
    "HiFiGAN",
    "Kws",
    "Linear",
    "LogMelCNN",
    "Model",
    "OwnModel",
    "ResNet",
    "TimmModel",
]
