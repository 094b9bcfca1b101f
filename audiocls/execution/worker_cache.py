"""`WorkerCache`: data sets that a worker keeps open between trials, to start the next one fast."""

from collections import OrderedDict
from pathlib import Path

from audiocls.audio.clips import ClipTable
from audiocls.audio.clips import fingerprint as fingerprint_of
from audiocls.audio.dataset import AudioDataset, open_dataset
from audiocls.audio.datasets import DataSet, is_packed
from audiocls.audio.feature_cache import HERE, OnProgress
from audiocls.audio.remote import is_url, last_copy
from audiocls.config import Config
from audiocls.errors import DataError
from audiocls.execution.cluster.tables import sent_table
from audiocls.execution.content import require_sources
from audiocls.tracking import ServerAvailability
from audiocls.training.device import prepare_device, resolve_device

CAPACITY = 8
"""Data sets kept open; they are memory maps, whose pages the system shares and reclaims."""


class WorkerCache:
    """The last data sets used, by data, features, content and device."""

    def __init__(self, cache: Path):
        self.cache = cache
        self.reach = ServerAvailability()
        self._datasets: OrderedDict[tuple[object, ...], AudioDataset] = OrderedDict()

    def dataset(
        self,
        config: Config,
        fingerprint: str,
        table: ClipTable | None = None,
        has_codes: bool | None = None,
        on_progress: OnProgress = HERE.on_progress,
    ) -> AudioDataset:
        """Return the data set of `config`, opened now unless it is among the last ones used.

        `table` names other clips than those of `config.data`. EnCodec codes are included if the
        self-supervision of `config` is joint, or as `has_codes` says. `on_progress` is called while
        features are computed.
        """
        with_codes = config.ssl.mode == "joint" if has_codes is None else has_codes
        options = (config.data, config.features, config.device)
        key = (*options, table is None, fingerprint, with_codes)
        if key not in self._datasets:
            clips = table or self._clips(config.data, fingerprint)
            require_sources(config.data, fingerprint, self.cache)
            device = resolve_device(config.device)
            prepare_device(device)
            self._datasets[key] = open_dataset(
                config.data,
                config.features,
                clips,
                fingerprint,
                self.cache,
                device,
                with_codes,
                on_progress,
            )
            if len(self._datasets) > CAPACITY:
                self._datasets.popitem(last=False)
        self._datasets.move_to_end(key)
        return self._datasets[key]

    def _clips(self, data: DataSet, fingerprint: str) -> ClipTable:
        """Return the clips of a data set, of which a launch knows the fingerprint.

        Of data at a URL, that is first what was fetched last, so that no worker asks the network.
        """
        reads_files = is_url(data.root) and not is_packed(data)  # which are nowhere but here
        if not reads_files and (sent := sent_table(fingerprint)):
            return sent
        if not is_url(data.root):
            return data.table(self.cache)
        copy = last_copy(data.root, self.cache)
        at_hand = [data.model_copy(update={"root": str(copy)})] if copy else []
        for each in (*at_hand, data):
            table = each.table(self.cache)
            if fingerprint_of(table, self.cache) == fingerprint:
                return table
        raise DataError(
            f"data.root={data.root}: what is there has changed since the launch began. Launch "
            "again: its trials have other ids then"
        )
