"""What a study's page shows clip by clip: the comparison, and the sounds to go with it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audiocls.analysis.clips.results import ClipComparison, ClipSection
from audiocls.dotted import flatten
from audiocls.render.clips import text
from audiocls.store import Record, Study, StudyFolder
from audiocls.studies.reports import MOST_TRIALS, read_clips

MOST_SHOWN = 9
"""Clips on each side of each arm; the rest are counted."""


def section_of(
    folder: StudyFolder,
    study: Study,
    records: Mapping[str, Record],
    cache: Path,
    data_root: str | None = None,
    *,
    is_asked: bool = False,
) -> ClipSection:
    """Of all trials, or of none where there are too many to read them unasked.

    `data_root` is where the recordings lie now, if not where they were trained on.
    """
    if len(study.arms) < 2:
        return ClipSection()
    num_trials = len(records)
    if num_trials > MOST_TRIALS and not is_asked:
        return ClipSection(
            reason=f"The predictions of {num_trials} trials are not read unless asked for: "
            f"audiocls report {study.name} --format html --clips"
        )
    comparison = read_clips(folder, study, records)
    wanted = clips_to_hear(comparison)
    if not wanted:
        return ClipSection(comparison)
    from audiocls.render.clips.sound import sounds_of

    data = _data(folder, study, records, data_root)
    return ClipSection(comparison, sounds_of(data, cache, wanted))


def clips_to_hear(comparison: ClipComparison) -> list[str]:
    """The most decided clips of every arm and side first, then the next ones of each."""
    return [
        side[rank].clip
        for rank in range(MOST_SHOWN)
        for arm in comparison.arms
        for side in (arm.gained, arm.lost)
        if rank < len(side)
    ]


def _data(
    folder: StudyFolder, study: Study, records: Mapping[str, Record], data_root: str | None
) -> dict[str, Any]:
    """The baseline's data set. Where it lay is no part of a trial, but may be one of the study."""
    cells = [cell for cell in study.cells if cell.id in records]
    own = [cell for cell in cells if cell.arm == study.baseline] or cells
    data: dict[str, Any] = folder.trial(own[0].id).config()["data"]
    chosen = flatten({**study.overrides, **study.arms[study.baseline]})
    root = data_root or chosen.get("data.root")
    return {**data, "root": root} if root else data


def told(section: ClipSection) -> dict[str, Any]:
    """What the page's template writes."""
    comparison = section.comparison
    return {
        "reason": section.reason,
        "arms": comparison.arms if comparison else (),
        "table": text.clip_table(comparison) if comparison else None,
        "notes": text.notes(comparison) if comparison else (),
        "meaning": text.MEANING,
        "method": text.METHOD,
        "most_shown": MOST_SHOWN,
        "sounds": section.sounds,
    }
