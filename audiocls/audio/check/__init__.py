"""Data-set validation: files, decodability, truncation, silence, duplicates, leakage."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from audiocls.audio.check.findings import Finding, findings_of
from audiocls.audio.check.probe import DecodedInfo, DecodeFailure, probe_all
from audiocls.audio.clips import ClipTable, InvalidClipTable
from audiocls.audio.datasets import DataSet
from audiocls.errors import DataError

__all__ = ["DataQuality", "Finding", "check"]


@dataclass(frozen=True)
class DataQuality:
    """The result of a data check.

    `rates` and `lengths_s` count decoded clips by Hz and by seconds (to the hundredth), `classes`
    and `sides` (folds or splits) count listed clips.
    """

    num_clips: int
    classes: dict[str, int]
    sides: dict[str, int]
    rates: dict[int, int]
    lengths_s: dict[float, int]
    findings: tuple[Finding, ...]

    @property
    def num_faults(self) -> int:
        return sum(finding.is_fault for finding in self.findings)

    @property
    def is_usable(self) -> bool:
        return self.num_faults == 0

    @property
    def duration_s(self) -> float:
        """Total length of the decoded clips in seconds."""
        return sum(length * count for length, count in self.lengths_s.items())

    @property
    def median_s(self) -> float:
        """Median length of the decoded clips in seconds; 0 if there are none."""
        every = [length for length, count in self.lengths_s.items() for _ in range(count)]
        return median(every) if every else 0.0

    def require_usable(self, name: str) -> None:
        """Raise `DataError` if there are faults in the data set called `name`."""
        if self.num_faults:
            plural = "faults make" if self.num_faults > 1 else "fault makes"
            raise DataError(f"{name}: {self.num_faults} {plural} this data unusable as it is.")


def check(data: DataSet, cache: Path, report: Callable[[int, int], None]) -> DataQuality:
    """Decode every clip and list all problems, also those that training would stop at.

    `report` gets the number of clips done and of all clips.

    Raises:
        DataError: there is no table to examine: no root, another layout, errors in a list.
    """
    try:
        table = data.table(cache)
    except InvalidClipTable as error:
        table = error.listed
    return data_quality_of(table, probe_all([clip.path for clip in table.clips], report))


def data_quality_of(table: ClipTable, probes: list[DecodedInfo | DecodeFailure]) -> DataQuality:
    """Summarise what was listed and what was decoded, a probe for each clip."""
    decoded = [probe for probe in probes if isinstance(probe, DecodedInfo)]
    labels = Counter(label for clip in table.clips for label in clip.labels)
    lengths_s = Counter(round(probe.duration_s, 2) for probe in decoded)
    return DataQuality(
        num_clips=len(table.clips),
        classes={name: labels[i] for i, name in enumerate(table.labels)},
        sides=dict(Counter(clip.side for clip in table.clips)),
        rates=dict(Counter(probe.sample_rate for probe in decoded).most_common()),
        lengths_s=dict(sorted(lengths_s.items())),
        findings=findings_of(table, dict(zip(table.clips, probes, strict=True))),
    )
