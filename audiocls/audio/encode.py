"""Encoding a waveform as a small file for a browser; only here and in `decode` is soundfile used.

Legend: T samples.
"""

import io
from dataclasses import dataclass

import soundfile as sf

from audiocls.audio.decode import Waveform

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Hz; the only rates of the format."""
_COMPRESSION = 0.6
"""In 0 … 1, smallest file at 1: about 9 kB per second of a dense recording at 44.1 kHz."""


@dataclass(frozen=True)
class Encoded:
    """The content of a file, and its media type."""

    content: bytes
    media_type: str


def encode(waveform: Waveform) -> Encoded:
    """Encode as MP3, which all browsers play, or as 16-bit WAV at rates that MP3 lacks.

    For listening only: MP3 is lossy and adds some milliseconds of silence at the beginning.
    """
    file = io.BytesIO()
    if waveform.sample_rate in MP3_RATES and "MP3" in sf.available_formats():
        sf.write(
            file,
            waveform.samples,
            waveform.sample_rate,
            format="MP3",
            compression_level=_COMPRESSION,
        )
        return Encoded(file.getvalue(), "audio/mpeg")
    sf.write(file, waveform.samples, waveform.sample_rate, format="WAV", subtype="PCM_16")
    return Encoded(file.getvalue(), "audio/wav")
