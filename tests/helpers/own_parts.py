"""A package of somebody's own parts, as files: one module a kind."""

from pathlib import Path

MODULES = {
    "__init__": '"""My own parts."""\n',
    "layers": """
from torch import nn


def block(channels, width):
    return nn.Sequential(nn.Conv1d(channels, width, 3, padding=1), nn.BatchNorm1d(width), nn.ReLU())
""",
    "nets": '''
from torch import nn

from my_pkg.layers import block


class MyNet(nn.Module):
    """A small net."""

    def __init__(self, in_channels: int, num_classes: int, width: int = 8, dropout: float = 0.0):
        super().__init__()
        self.body, self.dropout = block(in_channels, width), nn.Dropout(dropout)
        self.head = nn.Linear(width, num_classes)

    def forward(self, features):
        return self.head(self.dropout(self.body(features).mean(2)))


def by_shape(in_shape, num_classes):
    """A net that needs the frames too."""
    return nn.Sequential(nn.Flatten(), nn.Linear(in_shape[0] * in_shape[1], num_classes))
''',
    "front": '''
import torch
from torch import nn


class Energies(nn.Module):
    """Log energy of frames."""

    def __init__(self, sample_rate: int, bands: int = 8, learned: bool = False):
        super().__init__()
        self.hop = sample_rate // 100
        self.mix = nn.Parameter(torch.rand(bands, self.hop), requires_grad=learned)

    def forward(self, waveforms):
        frames = waveforms.unfold(1, self.hop, self.hop)
        return (frames.abs() @ self.mix.T + 1e-3).log().transpose(1, 2)
''',
    "data": '''
import math
import wave
from array import array
from pathlib import Path


def tones(root, num: int = 6):
    """Low and high tones, in three folds."""
    folder = Path(root)
    folder.mkdir(exist_ok=True)
    for number in range(num):
        for label, hz in (("low", 300), ("high", 1200)):
            path = folder / f"{label}{number}.wav"
            if not path.exists():
                write(path, hz + 9 * number)
            yield {"path": path.name, "label": label, "fold": number % 3 + 1}


def write(path, hz):
    samples = array("h", (int(8000 * math.sin(math.tau * hz * t / 8000)) for t in range(4000)))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 4000, "NONE", ""))
        file.writeframes(samples.tobytes())
''',
    "losses": '''
import torch.nn.functional as F


def tempered(logits, targets, temperature: float = 1.0):
    """Cross-entropy at a temperature."""
    return F.cross_entropy(logits / temperature, targets, reduction="none")


class Powered:
    """A class whose objects are called."""

    def __init__(self, power: float = 1.0):
        self.power = power

    def __call__(self, logits, targets):
        return F.cross_entropy(logits, targets, reduction="none") ** self.power


def scalar(logits, targets):
    return F.cross_entropy(logits, targets)
''',
    "metrics": '''
def hits(logits, targets):
    """Share of hits."""
    return (logits.argmax(1) == targets).double().mean()


def certainty(logits, targets, scale: float = 1.0):
    return scale * logits.softmax(1).gather(1, targets[:, None]).mean()
''',
    "optim": '''
import torch


class SignSGD(torch.optim.Optimizer):
    """The sign of the gradient, with momentum."""

    def __init__(self, params, lr: float = 1e-3, weight_decay: float = 0.0, beta: float = 0.5):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "beta": beta})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.mul_(group["beta"]).add_(p.grad)
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(group["lr"] * mean.sign())


def falling(num_epochs, epoch_steps, end: float = 0.1):
    """Linearly from 1 to the end."""
    return lambda step: 1 - (1 - end) * min(step / (num_epochs * epoch_steps), 1)


def stepped(optimizer, epoch_steps):
    return torch.optim.lr_scheduler.StepLR(optimizer, epoch_steps, 0.5)
''',
    "aug": '''
import torch


def quieter(waveforms, sample_rate, least: float = 0.5):
    """A random gain."""
    return waveforms * (least + (1 - least) * torch.rand(len(waveforms), 1))


def halves(first, second, sample_rate):
    """The first half of one, the second half of the other."""
    half = first.shape[1] // 2
    return torch.cat([first[:, :half], second[:, half:]], 1), 0.5


def shorter(waveforms, sample_rate):
    return waveforms[:, 1:]
''',
    "bad": """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, in_channels, num_classes):
        super().__init__()
        self.head = nn.Linear(in_channels, num_classes)

    def forward(self, features):
        return self.head(features.mean(2))


class Wide(Net):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes + 1)


class Detached(Net):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)

    def forward(self, features):
        return super().forward(features).detach()


class Random(Net):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)

    def forward(self, features):
        return super().forward(features) + torch.rand(1)


class Infinite(Net):
    def __init__(self, in_channels, num_classes):
        super().__init__(in_channels, num_classes)

    def forward(self, features):
        return super().forward(features) / 0


def raising(in_channels, num_classes):
    raise KeyError("layer9")


def number(in_channels, num_classes):
    return 3


def few(logits):
    return logits


WORD = "no callable"
""",
    "broken": "import no_such_thing\n\n\ndef part(in_channels, num_classes):\n    pass\n",
}


def write_package(folder: Path, name: str = "my_pkg") -> Path:
    """Write the package into a folder; return its own folder."""
    package = folder / name
    package.mkdir(parents=True)
    for module, text in MODULES.items():
        (package / f"{module}.py").write_text(text.replace("my_pkg", name).lstrip())
    return package
