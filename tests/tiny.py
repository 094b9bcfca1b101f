"""A recipe that trains in a tenth of a second."""

from typing import Any

TINY: dict[str, Any] = {
    "data": {
        "name": "synthetic",
        "num_sources": 5,
        "clips_per_source": 1,
        "sample_rate": 8000,
        "duration_s": 0.5,
    },
    "features": {"name": "logmel", "n_mels": 16, "n_fft": 256, "hop": 128},
    "model": {"name": "logmel_cnn", "channels": [8, 8, 8, 8]},
    "optim": {"name": "adamw", "lr": 3e-3},
    "schedule": {"name": "constant"},
    "train": {"epochs": 2, "batch_size": 8},
}
"""30 clips to train on, 10 to choose by, 10 to test on; ten classes; four steps an epoch."""
