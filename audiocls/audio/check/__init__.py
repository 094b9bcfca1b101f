"""Data-set validation: files, decodability, truncation, silence, duplicates, leakage."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from audiocls.atomic import write_text
from audiocls.audio.check.findings import (
    BETWEEN_SIDES,
    TOLERATED_SHARE,
    Finding,
    findings_of,
    in_order,
)
from audiocls.audio.check.obstacles import OBSTACLES, require_trainable
from audiocls.audio.check.probe import (
    DecodedInfo,
    DecodeFailure,
    keep_probes,
    kept_probes,
    probe_all,
)
from audiocls.audio.check.unlisted import unlisted
from audiocls.audio.clips import SPLITS, ClipTable, InvalidClipTable, Validation, fingerprint
from audiocls.audio.datasets import DataSet
from audiocls.errors import DataError

__all__ = ["DataQuality", "Finding", "accept", "check", "require_ready"]


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

    `report` gets the number of clips done and of all clips. What is found is kept in `cache`, for
    launches to use.

    Raises:
        DataError: there is no table to examine: no root, another layout, errors in a list.
    """
    try:
        table = data.table(cache)
    except InvalidClipTable as error:
        table = error.listed
    probes = probe_all(table.clips, report)
    if _is_decoded(probes):
        keep_probes(probes, fingerprint(table, cache), cache)
    quality = data_quality_of(table, probes, data.validation)
    return replace(quality, findings=in_order([*quality.findings, *unlisted(data, table, cache)]))


def require_ready(
    table: ClipTable,
    known: str,
    name: str,
    cache: Path,
    folds: Collection[int],
    validation: Validation = "held_out",
) -> tuple[str, ...]:
    """Return what `check` finds in the data that a launch trains on, as notes.

    Clips are decoded unless that was done before for the same fingerprint, which is `known`.
    Recordings without labels are in no `folds`.

    Raises:
        DataError: training on `folds` would fail, or too many are degraded and nobody has
            accepted that.
    """
    ignored = OBSTACLES if folds else (*OBSTACLES, *BETWEEN_SIDES)
    if folds:
        require_trainable(table, folds, name, validation)
    probes = kept_probes(known, cache, len(table.clips))
    if probes is None:
        probes = probe_all(table.clips, lambda done, total: None)
        if _is_decoded(probes):
            keep_probes(probes, known, cache)
    every = data_quality_of(table, probes, validation).findings
    findings = [finding for finding in every if finding.kind not in ignored]
    is_accepted, num_clips = _accepted(known, cache).exists(), len(table.clips)
    stopping = [f for f in findings if f.stops(num_clips, is_accepted)]
    if stopping:
        lines = "".join(f"\n  - {finding.text}" for finding in stopping)
        raise DataError(
            f"{name}: this data cannot be trained on as it is:{lines}\n{_way_out(name)}"
        )
    return tuple(f"{name}, {finding.kind}: {finding.text}" for finding in findings)


def accept(data: DataSet, cache: Path) -> None:
    """Let launches train on this data although clips are truncated, clipped or cancelled."""
    write_text(_accepted(fingerprint(data.table(cache), cache), cache), "accepted\n")


def _way_out(name: str) -> str:
    return (
        f"See audiocls data check {name} with the same --set. Where clips are only degraded "
        f"(truncated, clipped, cancelled), at most {TOLERATED_SHARE:.0%} of them are tolerated, or "
        f"all after: audiocls data check {name} --accept."
    )


def _accepted(known: str, cache: Path) -> Path:
    return cache / "checks" / f"{known}.accepted"


def _is_decoded(probes: Iterable[DecodedInfo | DecodeFailure]) -> bool:
    """Whether all clips were decoded; a failure may have been mended, and is looked at again."""
    return all(isinstance(each, DecodedInfo) for each in probes)


def _place_of_side(counted: tuple[str, int]) -> tuple[int, int, str]:
    """Return where a fold or split is listed: folds by number, then splits as they are used."""
    side, _ = counted
    number = side.removeprefix("fold ")
    if number.isdecimal():
        return 0, int(number), ""
    return (1, SPLITS.index(side), "") if side in SPLITS else (2, 0, side)


def data_quality_of(
    table: ClipTable,
    probes: list[DecodedInfo | DecodeFailure],
    validation: Validation = "held_out",
) -> DataQuality:
    """Summarise what was listed and what was decoded, a probe for each clip."""
    decoded = [probe for probe in probes if isinstance(probe, DecodedInfo)]
    labels = Counter(label for clip in table.clips for label in clip.labels)
    lengths_s = Counter(round(probe.duration_s, 2) for probe in decoded)
    return DataQuality(
        num_clips=len(table.clips),
        classes={name: labels[i] for i, name in enumerate(table.labels)},
        sides=dict(sorted(Counter(c.side for c in table.clips).items(), key=_place_of_side)),
        rates=dict(Counter(probe.sample_rate for probe in decoded).most_common()),
        lengths_s=dict(sorted(lengths_s.items())),
        findings=findings_of(table, dict(zip(table.clips, probes, strict=True)), validation),
    )
