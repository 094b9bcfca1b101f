"""Front end and classifier as one module for waveforms of any length, for export.

Legend: B batch, T samples of the waveforms, N samples per clip in training, W windows, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from audiocls.training.checkpoint import Checkpoint


class AnyLength(nn.Module):
    """Window, pad and average inside the network, so that no user of its file can do it otherwise.

    A waveform is cut into windows of N samples, the last one followed by zeros, and the windows'
    probabilities are averaged, as `predict` does. What comes out are the logits of that average; of
    a single window they are the checkpoint's own.

    Shape: (B, T) in ±1 → (B, K) for any T of at least 1
    """

    def __init__(self, checkpoint: Checkpoint):
        super().__init__()
        self.front_end, self.classifier = checkpoint.front_end, checkpoint.classifier
        self.num_samples = checkpoint.num_samples
        self.is_multi_label = checkpoint.is_multi_label

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return logits. Shape: waveforms (B, T) in ±1 → (B, K)"""
        num_clips, length = waveforms.shape
        num_windows = (length + self.num_samples - 1) // self.num_samples
        padded = F.pad(waveforms, (0, num_windows * self.num_samples - length))
        windows = padded.reshape(-1, self.num_samples)
        logits: Tensor = self.classifier(self.front_end(windows))
        each = logits.reshape(num_clips, num_windows, -1)
        return _several(each) if self.is_multi_label else _exclusive(each)


def _several(logits: Tensor) -> Tensor:
    """Return the logits of the mean of sigmoids: log p - log(1 - p). Shape: (B, W, K) → (B, K)"""
    return F.logsigmoid(logits).logsumexp(1) - F.logsigmoid(-logits).logsumexp(1)


def _exclusive(logits: Tensor) -> Tensor:
    """Return logits whose softmax is the mean of the windows' softmax.

    The mean of the logarithmic sums is added again, so that one window has its own logits.

    Shape: (B, W, K) → (B, K)
    """
    sums = logits.logsumexp(2, keepdim=True)
    ones = torch.zeros_like(sums).logsumexp(1)  # log W
    return (logits - sums).logsumexp(1) - ones + sums.mean(1)
