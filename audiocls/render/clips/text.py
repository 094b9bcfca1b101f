"""The answer per clip as a table, sentences, Markdown and JSON."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

from audiocls.analysis.clips.results import ArmClips, ClassChange, ClipComparison
from audiocls.formatting import (
    NONE,
    format_estimate,
    format_p,
    format_percent,
    format_signed,
    join_names,
    plural,
)
from audiocls.render.tables import Table, escaped, markdown_table, name_of

TITLE = "Clip by clip"
MEANING = (
    "This speaks of the trained models at hand: the interval says how other recordings might "
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


def clip_table(comparison: ClipComparison) -> Table:
    """One row an arm; `against` only where that is not the same for all."""
    rows = [_row(arm) for arm in comparison.arms]
    columns = _columns(comparison.alpha)
    if len({arm.against for arm in comparison.arms}) < 2:
        place = columns.index("against")
        columns, *rows = ((*row[:place], *row[place + 1 :]) for row in (columns, *rows))
    return Table(f"{comparison.study}, clip by clip", columns, tuple(rows))


def _columns(alpha: float) -> tuple[str, ...]:
    return (
        "arm",
        "against",
        "clips",
        "recordings",
        "gained",
        "lost",
        f"Δ accuracy, points [{format_percent(1 - alpha)}]",
        "p (clips)",
        "p (recordings)",
        "p (Holm)",
    )


def _row(arm: ArmClips) -> tuple[str, ...]:
    counts = (arm.num_clips, arm.num_sources, len(arm.gained), len(arm.lost))
    return (
        arm.arm,
        arm.against,
        *(map(str, counts) if arm.num_clips else [NONE] * len(counts)),
        format_estimate(arm.delta, arm.ci_low, arm.ci_high, 100, is_signed=True),
        format_p(arm.p_clips),
        format_p(arm.p_recordings),
        format_p(arm.p_holm),
    )


def notes(comparison: ClipComparison) -> list[str]:
    """Classes that differ, and whatever could not be compared, by name."""
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
    """`bell 62 % → 81 % (+19 points, p 0.0021)`."""
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
        yield f"Left out, {plural(len(names), 'trial')}: {reason}: {join_names(names)}."


def to_markdown(comparison: ClipComparison) -> str:
    """A section to follow the study's own."""
    parts = [
        f"### {TITLE}",
        escaped(MEANING),
        markdown_table(clip_table(comparison)),
        *map(escaped, notes(comparison)),
        escaped(METHOD),
    ]
    return "\n\n".join(parts) + "\n"


def to_json(comparison: ClipComparison) -> dict[str, Any]:
    """Plain JSON, every clip that changed sides included; every number is finite or null."""
    return {
        "meaning": MEANING,
        "method": METHOD,
        "arms": [asdict(arm) for arm in comparison.arms],
        "unread": [{**asdict(cell), "reason": reason} for cell, reason in comparison.unread],
    }
