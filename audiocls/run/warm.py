"""`Warm`: what a worker keeps open between trials, so that the next one starts at once."""

from collections import OrderedDict
from pathlib import Path

from audiocls.audio.batches import Sounds, open_sounds
from audiocls.config import Config
from audiocls.run.devices import unpinned

CAPACITY = 8
"""Data sets kept open; they are memory maps, whose pages the system shares and reclaims."""


class Warm:
    """The data sets last used, by data, features and content."""

    def __init__(self, cache: Path):
        self._cache = cache
        self._sounds: OrderedDict[tuple[str, str, str], Sounds] = OrderedDict()

    def sounds(self, config: Config, fingerprint: str) -> Sounds:
        """The sounds of `config`, opened now if they were not among the last ones used."""
        key = (config.data.model_dump_json(), config.features.model_dump_json(), fingerprint)
        if key not in self._sounds:
            table = config.data.table(self._cache)
            with unpinned():  # a data set seen for the first time is decoded on every core
                self._sounds[key] = open_sounds(
                    config.data, config.features, table, fingerprint, self._cache
                )
            if len(self._sounds) > CAPACITY:
                self._sounds.popitem(last=False)
        self._sounds.move_to_end(key)
        return self._sounds[key]
