"""Problems of clips, decided from what was listed and what was decoded; reads no file."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from audiocls.audio.check.obstacles import obstacles
from audiocls.audio.check.probe import DecodedInfo, DecodeFailure
from audiocls.audio.clips import (
    Clip,
    ClipTable,
    Validation,
    leaking_sources,
    split_of,
    violations,
)
from audiocls.audio.listing import look_alikes
from audiocls.audio.regular_file import ALLOWED
from audiocls.formatting import join_names

SILENT_DBFS = -80.0
"""Clips that peak below it are silent (dB relative to full scale)."""
SILENT_PEAK = 10 ** (SILENT_DBFS / 20)
CLIPPED_SHARE = 1e-3
"""Share of a clip's energy beyond full scale, -30 dB, from which clipping changes its sound."""
OVERSHOOT = 1.1
"""Peak that decoders of lossy formats seldom pass; beyond it clipping is worth a warning."""
CANCELLED_DB = 20.0
"""By how much channels may cancel in their mean before the clip is another sound."""
TOLERATED_SHARE = 0.01
"""Share of the clips that a lossy step may have degraded; beyond it a launch stops."""
_BENT = ("truncated", "clipped", "cancelled")
"""Faults of clips that can be trained on, but are not what was recorded."""
BETWEEN_SIDES = ("leaking duplicates", "absent class", "untrained class")
"""Findings about folds and splits, which say nothing of recordings without labels."""
_HARMLESS_TO_START = ("leaking duplicates", "untrained class", *_BENT)

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

    def stops(self, num_clips: int, is_accepted: bool = False) -> bool:
        """Whether no training may begin: it would fail, or too many of its clips are degraded.

        `is_accepted` is whether someone has looked at the degraded ones and accepted them.
        """
        if not self.is_fault or self.kind not in _HARMLESS_TO_START:
            return self.is_fault
        share = len(self.clips) / max(1, num_clips)
        return self.kind in _BENT and not is_accepted and share > TOLERATED_SHARE


def findings_of(table: ClipTable, probes: Probes, validation: Validation) -> tuple[Finding, ...]:
    """Return all problems, faults first, then by kind."""
    checks = (
        *(_invalid, _undecodable, _truncated, _clipped, _cancelled, _duplicates),
        *(_silent, _overshooting, _bare, _look_alike, _skipped, _remarked),
    )
    findings = [finding for check in checks for finding in check(table, probes)]
    return in_order([*findings, *_obstacles(table, validation), *_never_learned(table, validation)])


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings as they are listed: faults first, then by kind."""
    return tuple(sorted(findings, key=lambda finding: (not finding.is_fault, finding.kind)))


def _invalid(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    leaking = set(leaking_sources(table.clips))
    clips = tuple(clip.id for clip in table.clips if clip.source in leaking)
    for kind, text in violations(table).items():
        yield Finding(kind, True, text, clips if kind == "leaking" else ())


def _obstacles(table: ClipTable, validation: Validation) -> Iterator[Finding]:
    for kind, text in obstacles(table, validation=validation).items():
        yield Finding(kind, True, text, ())


def _undecodable(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    failed = [(clip, probe) for clip, probe in probes.items() if isinstance(probe, DecodeFailure)]
    missing = tuple(clip.id for clip, failure in failed if failure.is_missing)
    broken = {clip.id: failure.why for clip, failure in failed if not failure.is_missing}
    if missing:
        text = f"{_clips(missing)} listed and not there: {join_names(missing)}"
        yield Finding("missing", True, text, missing)
    if broken:
        first, *others = broken.values()
        others = [why.replace(f"; {ALLOWED}", "").rstrip(".") for why in others]
        text = f"{_clips(broken)} cannot be decoded: {first}"
        text += f" Also: {join_names(others, separator='; ')}." if others else ""
        yield Finding("undecodable", True, text, tuple(broken))


def _truncated(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    short = {c.id: info.truncation for c, info in _decoded(probes).items() if info.truncation}
    if short:
        which = join_names(f"{id_} ({truncation})" for id_, truncation in short.items())
        text = f"{_clips(short)} not as long as the header says: {which}"
        yield Finding("truncated", True, text, tuple(short))


def _clipped(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    """Yield clips of which 16 bits cut off what lies beyond full scale, to another sound."""
    peaks = {c.id: i.peak for c, i in _decoded(probes).items() if i.clipped > CLIPPED_SHARE}
    if peaks:
        text = f"{_clips(peaks)} clipped, for samples lie beyond full scale (±1): {_loud(peaks)}. "
        yield Finding("clipped", True, text + "Scale them, or export 16-bit PCM", tuple(peaks))


def _overshooting(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    peaks = {
        clip.id: info.peak
        for clip, info in _decoded(probes).items()
        if info.peak > OVERSHOOT and info.clipped <= CLIPPED_SHARE
    }
    if peaks:
        text = f"{_clips(peaks)} with a few samples beyond full scale, which are clipped: "
        yield Finding("overshooting", False, text + _loud(peaks), tuple(peaks))


def _loud(peaks: Mapping[str, float]) -> str:
    return join_names(f"{id_} (peak {peak:.4g})" for id_, peak in peaks.items())


def _cancelled(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    """Yield clips whose channels are each other's negative, more or less."""
    lost = {
        clip.id: info.cancelled_db
        for clip, info in _decoded(probes).items()
        if info.cancelled_db > CANCELLED_DB
    }
    if lost:
        which = join_names(f"{id_} (by {db:.0f} dB)" for id_, db in lost.items())
        text = f"{_clips(lost)} whose channels cancel in their mean: {which}. Keep one channel"
        yield Finding("cancelled", True, text, tuple(lost))


def _duplicates(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    """Yield the same audio under several names."""
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip, info in _decoded(probes).items():
        if info.peak >= SILENT_PEAK:  # silent clips are alike without being duplicates
            groups[info.digest].append(clip)
    duplicates = [group for group in groups.values() if len(group) > 1]
    apart = [group for group in duplicates if len({clip.use for clip in group}) > 1]
    together = [group for group in duplicates if len({clip.use for clip in group}) == 1]
    at_odds = [group for group in duplicates if len({clip.labels for clip in group}) > 1]
    kinds = (
        (
            apart,
            "leaking duplicates",
            True,
            "in different folds or splits: in training and in test",
        ),
        (at_odds, "conflicting labels", False, "under different labels"),
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
                "absent class",
                False,
                f"{len(bare)} {plural} no clip in {side}: {join_names(bare)}",
                (),
            )


def _never_learned(table: ClipTable, validation: Validation) -> Iterator[Finding]:
    """Yield classes without a clip to train on when some fold is tested: their split is none.

    With several labels a clip, rare ones are left to the warning of `_bare`.
    """
    missing: dict[int, list[str]] = {}
    for fold in () if table.is_multi_label else table.folds:
        trained = {
            label
            for clip in table.clips
            if split_of(clip, fold, table.folds, validation) == "train"
            for label in clip.labels
        }
        for i, name in enumerate(table.labels):
            if i not in trained and trained:
                missing.setdefault(fold, []).append(name)
    if missing:
        which = "; ".join(f"fold {f}: {join_names(names)}" for f, names in missing.items())
        text = f"classes without a clip to train on, by the fold tested on: {which}. "
        advice = "Add recordings of these classes, or set folds that spread them"
        yield Finding("untrained class", True, text + advice, ())


def _look_alike(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    """Yield classes whose names differ in case, blanks or Unicode form alone."""
    groups = look_alikes(table.labels)
    if groups:
        which = join_names(" = ".join(map(ascii, group)) for group in groups)
        yield Finding("similar labels", False, f"labels that may be the same class: {which}", ())


def _remarked(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    for remark in table.remarks:
        yield Finding(remark.kind, False, remark.text, remark.names)


def _skipped(table: ClipTable, probes: Probes) -> Iterator[Finding]:
    if table.left_out:
        total = len(table.left_out) + len(table.clips)
        text = f"{len(table.left_out)} of {total} listed clips skipped, since they have no file: "
        yield Finding("skipped", False, text + join_names(table.left_out), table.left_out)


def _decoded(probes: Probes) -> dict[Clip, DecodedInfo]:
    return {clip: probe for clip, probe in probes.items() if isinstance(probe, DecodedInfo)}


def _with_side(clip: Clip) -> str:
    return f"{clip.id} ({clip.side})"


def _clips(which: Collection[str]) -> str:
    return f"{len(which)} clip{'s' * (len(which) > 1)}"
