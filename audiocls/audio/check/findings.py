"""Problems of clips, decided from what was listed and what was decoded; reads no file."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from audiocls.audio.check.probe import DecodedInfo, DecodeFailure
from audiocls.audio.clips import Clip, ClipTable, leaking_sources, violations
from audiocls.formatting import join_names

SILENT_DBFS = -80.0
"""Clips that peak below it are silent (dB relative to full scale)."""
SILENT_PEAK = 10 ** (SILENT_DBFS / 20)

Probes = Mapping[Clip, DecodedInfo | DecodeFailure]


@dataclass(frozen=True)
class Finding:
    """One kind of problem and the ids of the clips that have it.

    A fault makes the data unusable, or its test scores invalid; other findings are warnings.
    """

    kind: str
    is_fault: bool
    text: str
    clips: tuple[str, ...]

    @property
    def severity(self) -> str:
        return "fault" if self.is_fault else "warning"


def findings_of(table: ClipTable, probes: Probes) -> tuple[Finding, ...]:
    """Return all problems, faults first."""
    checks = (_invalid, _undecodable, _truncated, _duplicates, _silent, _bare, _skipped)
    findings = [finding for check in checks for finding in check(table, probes)]
    return tuple(sorted(findings, key=lambda finding: not finding.is_fault))


def _invalid(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    leaking = set(leaking_sources(table.clips))
    clips = tuple(clip.id for clip in table.clips if clip.source in leaking)
    for kind, text in violations(table).items():
        yield Finding(kind, True, text, clips if kind == "leaking" else ())


def _undecodable(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    failed = [(clip, probe) for clip, probe in probes.items() if isinstance(probe, DecodeFailure)]
    missing = tuple(clip.id for clip, failure in failed if failure.is_missing)
    broken = {clip.id: failure.why for clip, failure in failed if not failure.is_missing}
    if missing:
        text = f"{_clips(missing)} listed and not there: {join_names(missing)}"
        yield Finding("missing", True, text, missing)
    if broken:
        text = f"{_clips(broken)} cannot be decoded: {next(iter(broken.values()))}"
        text += f" Likewise: {join_names(list(broken)[1:])}." if len(broken) > 1 else ""
        yield Finding("undecodable", True, text, tuple(broken))


def _truncated(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    short = {c.id: info.truncation for c, info in _decoded(probes).items() if info.truncation}
    if short:
        which = join_names(f"{id_} ({truncation})" for id_, truncation in short.items())
        text = f"{_clips(short)} shorter than the header says: {which}"
        yield Finding("truncated", True, text, tuple(short))


def _duplicates(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    """Yield the same audio under several names."""
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip, info in _decoded(probes).items():
        if info.peak >= SILENT_PEAK:  # silent clips are alike without being duplicates
            groups[info.digest].append(clip)
    duplicates = [group for group in groups.values() if len(group) > 1]
    apart = [group for group in duplicates if len({clip.side for clip in group}) > 1]
    together = [group for group in duplicates if len({clip.side for clip in group}) == 1]
    at_odds = [group for group in duplicates if len({clip.labels for clip in group}) > 1]
    kinds = (
        (apart, "leaking twins", True, "in different folds or splits: in training and in test"),
        (at_odds, "at odds", False, "under different labels"),
        (together, "duplicated", False, "under several names"),
    )
    for groups_, kind, is_fault, how in kinds:
        if groups_:
            which = join_names(" = ".join(map(_with_side, group)) for group in groups_)
            count = f"{len(groups_)} recording{'s' * (len(groups_) > 1)}"
            clips = tuple(clip.id for group in groups_ for clip in group)
            yield Finding(kind, is_fault, f"{count} {how}: {which}", clips)


def _silent(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    silent = tuple(c.id for c, info in _decoded(probes).items() if info.peak < SILENT_PEAK)
    if silent:
        text = f"{_clips(silent)} never above {SILENT_DBFS:g} dBFS: {join_names(silent)}"
        yield Finding("silent", False, text, silent)


def _bare(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    """Yield classes without a clip in some fold or split: never tested there, or never learned."""
    sides = {clip.side for clip in table.clips}
    there = {(clip.side, label) for clip in table.clips for label in clip.labels}
    for side in sorted(sides):
        bare = [name for i, name in enumerate(table.labels) if (side, i) not in there]
        if bare:
            plural = "classes have" if len(bare) > 1 else "class has"
            yield Finding(
                "bare", False, f"{len(bare)} {plural} no clip in {side}: {join_names(bare)}", ()
            )


def _skipped(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    if table.left_out:
        total = len(table.left_out) + len(table.clips)
        text = f"{len(table.left_out)} of {total} listed clips skipped, since they have no file: "
        yield Finding("skipped", False, text + join_names(table.left_out), table.left_out)


def _decoded(probes: Probes) -> dict[Clip, DecodedInfo]:
    return {clip: probe for clip, probe in probes.items() if isinstance(probe, DecodedInfo)}


def _with_side(clip: Clip) -> str:
    return f"{clip.id} ({clip.side})"


def _clips(which: Mapping[str, str] | tuple[str, ...]) -> str:
    return f"{len(which)} clip{'s' * (len(which) > 1)}"
