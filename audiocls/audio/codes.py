"""EnCodec's codes of whole clips, computed once and memory-mapped: what a language model reads.

Legend: N clips, Q codebooks, L frames.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audiocls.audio.feature_cache import key_of, normalised, open_rows, write_rows
from audiocls.audio.features.encodec import SAMPLE_RATE, Encodec
from audiocls.audio.features.identity import identity
from audiocls.audio.pack import Pack


def open_codes(
    pack: Pack, pack_name: str, features: Encodec, num_samples: int, cache: Path
) -> NDArray[np.int16]:
    """The codes of every clip's middle `num_samples` samples, made first if need be.

    The same whether `features` puts out embeddings or codes. Frames are those of the features:
    L = `features.shape(num_samples)[1]`.

    Shape: → (N, Q, L), memory-mapped
    """

    def make(file: Path) -> None:
        front_end = features.build(SAMPLE_RATE).eval()
        shape = (features.num_codebooks, features.shape(num_samples)[1])
        of_waves = normalised(features, front_end.codes)
        write_rows(file, pack, num_samples, shape, np.int16, of_waves)

    key = key_of(pack_name, identity(features) | {"output": "codes"}, num_samples)
    return open_rows(cache / f"codes-{features.name}-{key}", "codes.npy", make)
