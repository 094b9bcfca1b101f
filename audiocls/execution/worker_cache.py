"""`WorkerCache`: what a worker keeps open between trials, so that the next one starts at once."""

from collections import OrderedDict
from pathlib import Path

from audiocls.audio.batches import AudioDataset, open_dataset
from audiocls.audio.clips import ClipTable
from audiocls.config import Config
from audiocls.execution.devices import unpinned
from audiocls.tracking import ServerAvailability
from audiocls.training.state import resolve_device

CAPACITY = 8
"""Data sets kept open; they are memory maps, whose pages the system shares and reclaims."""


class WorkerCache:
    """The data sets last used, by data, features, content and device."""

    def __init__(self, cache: Path):
        self.cache = cache
        self.reach = ServerAvailability()
        self._sounds: OrderedDict[tuple[object, ...], AudioDataset] = OrderedDict()

    def sounds(
        self,
        config: Config,
        fingerprint: str,
        table: ClipTable | None = None,
        has_codes: bool | None = None,
    ) -> AudioDataset:
        """The sounds of `config`, opened now if they were not among the last ones used.

        Of other clips than its data set's, where `table` names them; with EnCodec codes if its
        self-supervision is joint, or where the caller says so.
        """
        wants_codes = config.ssl.mode == "joint" if has_codes is None else has_codes
        options = (config.data, config.features, config.device)
        key = (*options, table is None, fingerprint, wants_codes)
        if key not in self._sounds:
            clips = table or config.data.table(self.cache)
            device = resolve_device(config.device)
            with unpinned():  # a data set seen for the first time is decoded on every core
                self._sounds[key] = open_dataset(
                    config.data,
                    config.features,
                    clips,
                    fingerprint,
                    self.cache,
                    device,
                    wants_codes,
                )
            if len(self._sounds) > CAPACITY:
                self._sounds.popitem(last=False)
        self._sounds.move_to_end(key)
        return self._sounds[key]
