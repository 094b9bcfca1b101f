"""Examining a data set before it is trusted: what is listed, what is there, what it sounds like."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from audiocls.audio.check.findings import Finding, findings_of
from audiocls.audio.check.probe import DecodedInfo, DecodeFailure, probe_all
from audiocls.audio.clips import ClipTable, InvalidClipTable
from audiocls.audio.datasets import DataSet

__all__ = ["DataQuality", "Finding", "check"]


@dataclass(frozen=True)
class DataQuality:
    """A data set as it was found.

    `rates` and `lengths_s` count what was heard, by Hz and by seconds to the hundredth; `classes`
    and `sides` (folds or lists) count what was listed.
    """

    num_clips: int
    classes: dict[str, int]
    sides: dict[str, int]
    rates: dict[int, int]
    lengths_s: dict[float, int]
    findings: tuple[Finding, ...]

    @property
    def is_usable(self) -> bool:
        return not any(finding.is_fault for finding in self.findings)

    @property
    def duration_s(self) -> float:
        return sum(length * count for length, count in self.lengths_s.items())

    @property
    def median_s(self) -> float:
        every = [length for length, count in self.lengths_s.items() for _ in range(count)]
        return median(every) if every else 0.0


def check(data: DataSet, cache: Path, report: Callable[[int, int], None]) -> DataQuality:
    """Decode every clip and say what is wrong, also of data that a training would refuse.

    Raises:
        DataError: there is no table to examine: no root, another layout, faults in a list.
    """
    try:
        table = data.table(cache)
    except InvalidClipTable as error:
        table = error.listed
    return data_quality_of(table, probe_all([clip.path for clip in table.clips], report))


def data_quality_of(table: ClipTable, hearing: list[DecodedInfo | DecodeFailure]) -> DataQuality:
    """The sums over what was listed and heard, clip by clip."""
    heard = [each for each in hearing if isinstance(each, DecodedInfo)]
    labels = Counter(label for clip in table.clips for label in clip.labels)
    return DataQuality(
        num_clips=len(table.clips),
        classes={name: labels[i] for i, name in enumerate(table.labels)},
        sides=dict(Counter(clip.side for clip in table.clips)),
        rates=dict(Counter(each.sample_rate for each in heard).most_common()),
        lengths_s=dict(sorted(Counter(round(each.duration_s, 2) for each in heard).items())),
        findings=findings_of(table, dict(zip(table.clips, hearing, strict=True))),
    )


def as_values(health: DataQuality) -> dict[str, Any]:
    """The same as plain values, for JSON."""
    return {
        "is_usable": health.is_usable,
        "num_clips": health.num_clips,
        "duration_s": round(health.duration_s, 2),
        "median_s": health.median_s,
        "classes": health.classes,
        "sides": health.sides,
        "rates": {str(rate): count for rate, count in health.rates.items()},
        "lengths_s": {f"{length:g}": count for length, count in health.lengths_s.items()},
        "findings": [
            {"kind": f.kind, "is_fault": f.is_fault, "text": f.text, "clips": list(f.clips)}
            for f in health.findings
        ],
    }
