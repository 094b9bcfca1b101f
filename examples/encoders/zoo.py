"""Encoders of other packages as frozen front ends: `features.name: "zoo:Beats"`, and so on.

Each is called (sample_rate, **options) and turns waveforms into one vector a clip, which is
computed once and cached. Their code and weights are not here; where to get them is in each class.

Legend: B batch, T samples, D width.
"""

import torch
from torch import Tensor, nn


class Beats(nn.Module):
    """BEATs (Chen et al., 2023), by `pip install --no-deps openbeats` (MIT); D is 768.

    Tried with openbeats 0.1.1 on random weights.

    Args:
        sample_rate: 16000.
        checkpoint: file of {"cfg", "model"}, as the authors store it.
    """

    def __init__(self, sample_rate: int, checkpoint: str):
        from openbeats.beats_encoder import BeatsEncoder

        super().__init__()
        _require_rate("BEATs", sample_rate, 16000)
        # Without `weights_only` a checkpoint could run code.
        stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
        self.encoder = BeatsEncoder(input_size=0, beats_config=stored["cfg"])
        found = self.encoder.load_state_dict(stored["model"], strict=False)
        # What it learns for padded patches is in no checkpoint of the authors.
        if missing := [name for name in found.missing_keys if "_pad" not in name]:
            raise ValueError(f"{checkpoint} lacks weights of the encoder: {', '.join(missing[:3])}")
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the mean over patches of the last layer. Shape: (B, T) → (B, D, 1)"""
        lengths = torch.full((len(waveforms),), waveforms.shape[1], device=waveforms.device)
        return self.encoder(waveforms, lengths)[0].mean(1).unsqueeze(2)


class EfficientAT(nn.Module):
    """EfficientAT's MobileNets (Schmid et al., 2023; MIT): a clone of its repository on PYTHONPATH.

    Written by its `inference.py`, and not tried: it is no package, and downloads its weights.

    Args:
        sample_rate: 32000.
        name: of pretrained weights; `mn10_as` has 4.9 million.
    """

    def __init__(self, sample_rate: int, name: str = "mn10_as"):
        from helpers.utils import NAME_TO_WIDTH
        from models.mn.model import get_model
        from models.preprocess import AugmentMelSTFT

        super().__init__()
        _require_rate("EfficientAT", sample_rate, 32000)
        self.mel = AugmentMelSTFT(n_mels=128, sr=32000, win_length=800, hopsize=320)
        self.network = get_model(width_mult=NAME_TO_WIDTH(name), pretrained_name=name)
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, waveforms: Tensor) -> Tensor:
        """Return what the classifier of its network gets. Shape: (B, T) → (B, D, 1)"""
        _, features = self.network(self.mel(waveforms).unsqueeze(1))
        return features.unsqueeze(2)


class Panns(nn.Module):
    """PANNs' Cnn14 (Kong et al., 2020), by `pip install panns-inference` (MIT); D is 2048.

    Written by the source of version 0.1.1, and not tried. Its import calls wget for a list of
    labels, unless `~/panns_data/class_labels_indices.csv` is there.

    Args:
        sample_rate: 32000.
        checkpoint: file of {"model"}, as the authors store it (CC-BY-4.0).
    """

    def __init__(self, sample_rate: int, checkpoint: str):
        from panns_inference.models import Cnn14

        super().__init__()
        _require_rate("Cnn14", sample_rate, 32000)
        bands = {"window_size": 1024, "hop_size": 320, "mel_bins": 64, "fmin": 50, "fmax": 14000}
        self.network = Cnn14(sample_rate=32000, classes_num=527, **bands)
        stored = torch.load(checkpoint, map_location="cpu", weights_only=True)
        self.network.load_state_dict(stored["model"])
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the embedding before its classifier. Shape: (B, T) → (B, D, 1)"""
        return self.network(waveforms)["embedding"].unsqueeze(2)


def _require_rate(what: str, got: int, wanted: int) -> None:
    if got != wanted:
        raise ValueError(f"{what} takes {wanted} Hz, got {got} Hz; set data.sample_rate={wanted}")
