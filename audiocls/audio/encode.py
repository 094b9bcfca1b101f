"""A wave as a small file for a browser; with `decode`, the only doors to soundfile.

Legend: T samples.
"""

import io
from dataclasses import dataclass

import soundfile as sf

from audiocls.audio.decode import Waveform

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Hz; the format has no others."""
_COMPRESSION = 0.6
"""Of 0 … 1: about 9 kB a second of a busy recording at 44.1 kHz."""


@dataclass(frozen=True)
class Encoded:
    """A whole file, and its media type."""

    content: bytes
    media_type: str


def encode(wave: Waveform) -> Encoded:
    """MP3, which all browsers play on all systems; 16-bit WAV at rates that MP3 has not.

    For ears only: MP3 adds some milliseconds before the sound, and loses what ears do not miss.
    """
    file = io.BytesIO()
    if wave.sample_rate in MP3_RATES and "MP3" in sf.available_formats():
        sf.write(file, wave.samples, wave.sample_rate, format="MP3", compression_level=_COMPRESSION)
        return Encoded(file.getvalue(), "audio/mpeg")
    sf.write(file, wave.samples, wave.sample_rate, format="WAV", subtype="PCM_16")
    return Encoded(file.getvalue(), "audio/wav")
