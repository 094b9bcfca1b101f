"""How many frames a spectrogram has (torch-free)."""

from audiocls.errors import ConfigError


def num_frames(num_samples: int, n_fft: int, hop: int, name: str = "logmel") -> int:
    """Frames of a centred, reflect-padded spectrogram; refuses clips that it cannot pad.

    `name` is the front end that the refusal speaks of.

    >>> num_frames(16000, n_fft=400, hop=160)
    101
    """
    padding = n_fft // 2
    if num_samples <= padding:
        fault = (
            f"got a clip of {num_samples} samples, allowed: {padding + 1} or more (n_fft // 2 + 1);"
            " use longer clips or a smaller n_fft"
        )
        raise ConfigError(f"features {name}", [fault])
    return (num_samples + 2 * padding - n_fft) // hop + 1
