"""Pretrained encoders: where their files are, what they hear, and how they are loaded.

source      a Hub name with its revision, or a folder: digest, licence, processor (torch-free)
options     the options that name one, and who may let it run its own code (torch-free)
hub         the one place that downloads
loaded      transformers' networks and their processors, as one interface
images      timm's networks, which take a spectrogram as an image
adapters    low-rank adaptation (LoRA)
depth       which layer a parameter belongs to: unfreezing, and learning rates by layer
pooling     statistics over frames, and where a clip's sound ends

A frozen encoder is a feature (`audio/features/{hf,timm,hear}`), a trained one a model
(`models/{hf,timm}`). Weights are read from safetensors alone, which run no code.
"""

from audiocls.encoders.options import Pretrained
from audiocls.encoders.source import Source, source_of

__all__ = ["Pretrained", "Source", "source_of"]
