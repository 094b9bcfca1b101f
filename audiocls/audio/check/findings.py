"""What is wrong with clips, decided from what was listed and what was heard; reads nothing."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from audiocls.audio.check.probe import DecodedInfo, DecodeFailure
from audiocls.audio.clips import Clip, ClipTable, straddling, violations
from audiocls.formatting import join_names

SILENT_DBFS = -80.0
SILENT_PEAK = 10 ** (SILENT_DBFS / 20)

Hearing = Mapping[Clip, DecodedInfo | DecodeFailure]


@dataclass(frozen=True)
class Finding:
    """One kind of trouble and the clips that have it.

    A fault makes the data unusable, or its test scores untrue; a warning is worth knowing.
    """

    kind: str
    is_fault: bool
    text: str
    clips: tuple[str, ...]


def findings_of(table: ClipTable, hearing: Hearing) -> tuple[Finding, ...]:
    """All that was found, faults first."""
    finders = (_unsound, _unheard, _truncated, _twins, _silent, _bare, _left_out)
    found = [finding for finder in finders for finding in finder(table, hearing)]
    return tuple(sorted(found, key=lambda finding: not finding.is_fault))


def _unsound(table: ClipTable, hearing: Hearing) -> Iterator[Finding]:
    leaking = set(straddling(table.clips))
    clips = tuple(clip.id for clip in table.clips if clip.source in leaking)
    for kind, text in violations(table).items():
        yield Finding(kind, True, text, clips if kind == "leaking" else ())


def _unheard(table: ClipTable, hearing: Hearing) -> Iterator[Finding]:
    unheard = [(clip, each) for clip, each in hearing.items() if isinstance(each, DecodeFailure)]
    missing = tuple(clip.id for clip, each in unheard if each.is_missing)
    broken = {clip.id: each.why for clip, each in unheard if not each.is_missing}
    if missing:
        text = f"{_clips(missing)} listed and not there: {join_names(missing)}"
        yield Finding("missing", True, text, missing)
    if broken:
        text = f"{_clips(broken)} cannot be decoded: {next(iter(broken.values()))}"
        text += f" Likewise: {join_names(list(broken)[1:])}." if len(broken) > 1 else ""
        yield Finding("undecodable", True, text, tuple(broken))


def _truncated(table: ClipTable, hearing: Hearing) -> Iterator[Finding]:
    short = {c.id: each.truncation for c, each in _heard(hearing).items() if each.truncation}
    if short:
        which = join_names(f"{id_} ({truncation})" for id_, truncation in short.items())
        text = f"{_clips(short)} shorter than the header says: {which}"
        yield Finding("truncated", True, text, tuple(short))


def _twins(table: ClipTable, hearing: Hearing) -> Iterator[Finding]:
    """The same sound under several names; silence is like silence and does not count."""
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip, each in _heard(hearing).items():
        if each.peak >= SILENT_PEAK:
            groups[each.digest].append(clip)
    twins = [group for group in groups.values() if len(group) > 1]
    apart = [group for group in twins if len({clip.side for clip in group}) > 1]
    together = [group for group in twins if len({clip.side for clip in group}) == 1]
    at_odds = [group for group in twins if len({clip.labels for clip in group}) > 1]
    told = (
        (apart, "leaking twins", True, "in different folds or splits: heard in training and test"),
        (at_odds, "at odds", False, "under different labels"),
        (together, "duplicated", False, "under several names"),
    )
    for sounds, kind, is_fault, how in told:
        if sounds:
            which = join_names(" = ".join(_told(clip) for clip in group) for group in sounds)
            count = f"{len(sounds)} sound{'s' * (len(sounds) > 1)}"
            clips = tuple(clip.id for group in sounds for clip in group)
            yield Finding(kind, is_fault, f"{count} {how}: {which}", clips)


def _silent(table: ClipTable, hearing: Hearing) -> Iterator[Finding]:
    silent = tuple(c.id for c, each in _heard(hearing).items() if each.peak < SILENT_PEAK)
    if silent:
        text = f"{_clips(silent)} never above {SILENT_DBFS:g} dBFS: {join_names(silent)}"
        yield Finding("silent", False, text, silent)


def _bare(table: ClipTable, hearing: Hearing) -> Iterator[Finding]:
    """Classes that some fold or split lacks: they are never tested there, or never learned."""
    sides = {clip.side for clip in table.clips}
    there = {(clip.side, label) for clip in table.clips for label in clip.labels}
    for side in sorted(sides):
        bare = [name for i, name in enumerate(table.labels) if (side, i) not in there]
        if bare:
            plural = "classes have" if len(bare) > 1 else "class has"
            yield Finding(
                "bare", False, f"{len(bare)} {plural} no clip in {side}: {join_names(bare)}", ()
            )


def _left_out(table: ClipTable, hearing: Hearing) -> Iterator[Finding]:
    if table.left_out:
        total = len(table.left_out) + len(table.clips)
        text = (
            f"{len(table.left_out)} of {total} listed clips left out: {join_names(table.left_out)}"
        )
        yield Finding("left out", False, text, table.left_out)


def _heard(hearing: Hearing) -> dict[Clip, DecodedInfo]:
    return {clip: each for clip, each in hearing.items() if isinstance(each, DecodedInfo)}


def _told(clip: Clip) -> str:
    return f"{clip.id} ({clip.side})"


def _clips(which: Mapping[str, str] | tuple[str, ...]) -> str:
    return f"{len(which)} clip{'s' * (len(which) > 1)}"
