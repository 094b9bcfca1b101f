"""The comparison clip by clip: what is read for it, and its section of a document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from audiocls.analysis.clips.results import (
    ArmClips,
    ChangedClip,
    ClassChange,
    ClipComparison,
    MeanPrediction,
)
from audiocls.dotted import flatten
from audiocls.formatting import (
    NONE,
    command_line,
    format_p,
    format_percent,
    format_signed,
    join_names,
    plural,
)
from audiocls.render.build.verdicts import name_of
from audiocls.render.document import Audio, Block, Note, Section, Sound, Text
from audiocls.render.table import Cell, Column, Depth, Estimate, PValue, Table
from audiocls.store import Record, Study, StudyFolder
from audiocls.store.data_roots import root_of
from audiocls.studies.reports import MOST_TRIALS, read_clips

MOST_SHOWN = 9
"""Clips on each side of each arm; the rest are counted."""
TITLE = "Clip by clip"
MEANING = (
    "This applies to the trained models at hand: the interval says how other recordings might "
    "differ, not how new trainings would. Verdicts rest on pairs of trials, not on this."
)
METHOD = (
    "Each clip is heard once a seed. Gained: right with more seeds of the arm than of what it is "
    "compared with; lost: with fewer. p (clips): McNemar's exact test of the answers gained and "
    "lost, as if clips were independent. p (recordings): the same test of whole source recordings, "
    "since clips cut from one are alike; p (Holm) corrects it over the arms. Interval: bootstrap "
    "of the recordings (BCa, Efron 1987). Classes: recall by the test of recordings, corrected "
    "over every class of every arm."
)
BESIDE = (
    "Beside each clip stand the likeliest class, its probability (the mean over seeds) and how "
    "many seeds were right."
)


@dataclass(frozen=True)
class Excerpt:
    """A clip as a page holds it."""

    address: str
    """`data:audio/mpeg;base64,…`."""
    outline: str
    """SVG path of the wave, x in 0 … 160, y in ±1 of its own peak."""


@dataclass(frozen=True)
class AudioSnippets:
    """Recordings that a page plays."""

    excerpts: Mapping[str, Excerpt] = field(default_factory=dict)
    """By clip."""
    note: str = ""
    """Why some clips have no excerpt."""


NO_CONFIG = "no excerpts: no config.yaml of a trial says which data it had"


@dataclass(frozen=True)
class ClipSection:
    """What a page shows clip by clip, or the reason why it shows nothing."""

    comparison: ClipComparison | None = None
    sounds: AudioSnippets = field(default_factory=AudioSnippets)
    reason: str = ""


@dataclass(frozen=True)
class ClipsRequest:
    """Whether clips are requested, and where their recordings are now if they were moved."""

    is_requested: bool = False
    data_root: str | None = None


def section_of(
    folder: StudyFolder,
    study: Study,
    records: Mapping[str, Record],
    cache: Path,
    data_root: str | None = None,
    *,
    is_requested: bool = False,
    num_threads: int | None = None,
) -> ClipSection:
    """Read the clips of all trials, and sounds; none where there are too many to read unasked.

    `data_root` is where the recordings lie now, if not where they were trained on; sounds are
    encoded on `num_threads`, or one a core.
    """
    if len(study.arms) < 2:
        return ClipSection()
    num_trials = len(records)
    if num_trials > MOST_TRIALS and not is_requested:
        words = "report", folder.name, "--format", "html", "--clips"
        why = f"The predictions of {num_trials} trials are not read by default: "
        return ClipSection(reason=why + command_line(*words, runs=folder.path.parent))
    comparison = read_clips(folder, study, records)
    wanted = clips_to_play(comparison)
    if not wanted:
        return ClipSection(comparison)
    from audiocls.render.build.sounds import audio_snippets

    data = _data(folder, study, records, data_root)
    if data is None:
        return ClipSection(comparison, AudioSnippets(note=NO_CONFIG))
    return ClipSection(comparison, audio_snippets(data, cache, wanted, num_threads))


def clips_to_play(comparison: ClipComparison) -> list[str]:
    """Return the most decided clips of every arm and side first, then the next ones of each."""
    return [
        side[rank].clip
        for rank in range(MOST_SHOWN)
        for arm in comparison.arms
        for side in (arm.gained, arm.lost)
        if rank < len(side)
    ]


def _data(
    folder: StudyFolder, study: Study, records: Mapping[str, Record], data_root: str | None
) -> dict[str, Any] | None:
    """Return the baseline's data set, and where it lay when the study was launched last.

    `None` where no trial's configuration can be read.
    """
    cells = [cell for cell in study.cells if cell.id in records]
    cells.sort(key=lambda cell: cell.arm != study.baseline)
    configs = ((cell, folder.trial(cell.id).config().get("data")) for cell in cells)
    cell, data = next((each for each in configs if each[1]), (None, None))
    if cell is None or not isinstance(data, dict):
        return None
    chosen = flatten({**study.overrides, **study.arms[study.baseline]})
    known = root_of(folder.path, records[cell.id].provenance.data)
    root = data_root or known or chosen.get("data.root")
    return {**data, "root": root} if root else data


def clip_blocks(section: ClipSection) -> tuple[Block, ...]:
    """Return the section of a document, or nothing where there is nothing to compare."""
    if section.reason:
        return (Section(TITLE, (Note(section.reason, Depth.PAGE),)),)
    comparison = section.comparison
    if comparison is None or not comparison.arms:
        return ()
    blocks: tuple[Block, ...] = (
        Text(MEANING),
        clip_table(comparison),
        *map(Text, notes(comparison)),
        *([Note(section.sounds.note, Depth.PAGE)] if section.sounds.note else []),
        Text(METHOD, Depth.TEXT),
        *_listening(comparison, section.sounds),
    )
    return (Section(TITLE, blocks),)


def clip_table(comparison: ClipComparison) -> Table:
    """Return one row for each arm; `against` only where that is not the same for all."""
    table = Table(
        columns=_columns(comparison.alpha),
        rows=tuple(_row(arm) for arm in comparison.arms),
        label=f"{comparison.study}-clips",
        caption=(f"{comparison.study}, clip by clip.", MEANING, METHOD),
        notes=tuple(notes(comparison)),
    )
    is_same = len({arm.against for arm in comparison.arms}) < 2
    return table.without("against") if is_same else table


def _columns(alpha: float) -> tuple[Column, ...]:
    return (
        Column("arm", "name"),
        Column("against", "name"),
        Column("clips", drop=2),
        Column("recordings", drop=1),
        Column("gained"),
        Column("lost"),
        Column("Δ accuracy", unit="points", level=format_percent(1 - alpha)),
        Column("p (clips)", is_detail=True, drop=3),
        Column("p (recordings)"),
        Column("p (Holm)", drop=4),
    )


def _row(arm: ArmClips) -> tuple[Cell, ...]:
    counts = (arm.num_clips, arm.num_sources, len(arm.gained), len(arm.lost))
    return (
        arm.arm,
        arm.against,
        *(map(str, counts) if arm.num_clips else [NONE] * len(counts)),
        Estimate(arm.delta, arm.ci_low, arm.ci_high, 100, is_signed=True),
        PValue(arm.p_clips),
        PValue(arm.p_recordings),
        PValue(arm.p_holm),
    )


def notes(comparison: ClipComparison) -> list[str]:
    """Return the classes that differ, and whatever could not be compared, by name."""
    return [*_of_classes(comparison), *_of_arms(comparison), *_of_trials(comparison)]


def _of_classes(comparison: ClipComparison) -> Iterator[str]:
    compared = [arm for arm in comparison.arms if arm.num_clips]
    for arm in compared:
        changes = comparison.different_classes(arm)
        if changes:
            yield f"{arm.arm}: recall of {', '.join(map(class_change, changes))}."
    if compared and not any(map(comparison.different_classes, compared)):
        yield "No class's recall differs after correction."


def class_change(change: ClassChange) -> str:
    """Return `bell 62 % → 81 % (+19 points, p 0.0021)`."""
    before, after = 100 * change.recall_before, 100 * change.recall_after
    moved = f"{format_signed(after - before, 1)} points, p {format_p(change.p_holm)}"
    return f"{change.label} {before:.0f} % → {after:.0f} % ({moved})"


def _of_arms(comparison: ClipComparison) -> Iterator[str]:
    for arm in comparison.arms:
        if arm.reason:
            yield f"{arm.arm}: {arm.reason}."
        if arm.num_sources == 1:
            yield f"{arm.arm}: all clips are of one recording, so there is no interval."


def _of_trials(comparison: ClipComparison) -> Iterator[str]:
    by_reason = sorted(comparison.unread, key=lambda item: item[1])
    for reason, group in groupby(by_reason, key=lambda item: item[1]):
        names = [name_of(cell) for cell, _ in group]
        yield f"Skipped {plural(len(names), 'trial')}: {reason}: {join_names(names)}."


def _listening(comparison: ClipComparison, sounds: AudioSnippets) -> Iterator[Section]:
    """Yield a section for each arm, with the clips that it gained and lost."""
    for arm in comparison.arms:
        sides = [
            _side(arm, side, word, sounds)
            for word, side in (("Gained", arm.gained), ("Lost", arm.lost))
            if side
        ]
        if sides:
            title = f"{arm.arm} against {arm.against}: listen to the clips that changed sides"
            inner: tuple[Block, ...] = (*sides, Note(BESIDE, Depth.PAGE))
            yield Section(title, inner, is_folded=True, depth=Depth.PAGE)


def _side(
    arm: ArmClips, changed: Sequence[ChangedClip], word: str, sounds: AudioSnippets
) -> Section:
    most = f", the {MOST_SHOWN} most decided" if len(changed) > MOST_SHOWN else ""
    shown = tuple(_sound(arm, clip, word, sounds) for clip in changed[:MOST_SHOWN])
    return Section(f"{word}: {len(changed)} of {arm.num_clips} clips{most}", (Audio(shown),))


def _sound(arm: ArmClips, clip: ChangedClip, word: str, sounds: AudioSnippets) -> Sound:
    excerpt = sounds.excerpts.get(clip.clip)
    return Sound(
        title=clip.truth,
        file=clip.clip,
        is_gain=word == "Gained",
        facts=(
            (arm.against, _predicted(clip.before, clip.num_heard)),
            (arm.arm, _predicted(clip.after, clip.num_heard)),
        ),
        address=excerpt.address if excerpt else "",
        outline=excerpt.outline if excerpt else "",
    )


def _predicted(side: MeanPrediction, num_seeds: int) -> str:
    """Return `rain 80 % · 1 of 3 right`."""
    right = f" · {side.num_right} of {num_seeds} right" if num_seeds > 1 else ""
    return f"{side.label} {100 * side.probability:.0f} %{right}"
