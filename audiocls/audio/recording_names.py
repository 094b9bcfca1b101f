"""Sources in the names of files: found by a regular expression, or proposed from what repeats."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from audiocls.audio.clips import Clip
from audiocls.audio.listing import Remark
from audiocls.formatting import join_names

_WORDS = "speaker|spk|subject|subj|session|sess|recording|rec|device|dev|site|bird|patient|actor"
KNOWN = (
    r"(XC\d+)",  # recordings of xeno-canto
    r"^([0-9a-fA-F]+)_nohash_",  # speakers of Speech Commands
    rf"(?<![A-Za-z])((?:{_WORDS})[-_]?\d+)(?!\d)",
    rf"^((?:{_WORDS})[-_][A-Za-z0-9]+)",
)
"""Where names say by themselves what their source is."""
_LEADING = (r"^([^_]+)_", r"^([^-]+)-", r"^(.+)_[^_]+$", r"^(.+)-[^-]+$")
_LATER = (r"^[^_]+_([^_.]+)", r"^[^-]+-([^-.]+)")
_MOST_NAMES = 20_000
"""Names that are looked at, the first of a list: what repeats, repeats in them."""
_LEAST_SHARE = 0.95
"""Of the names that a pattern has to match, to be proposed."""
_LARGEST_SHARE = 0.5
"""Of the clips that may have a source of their own: else names do not repeat."""

_FEWEST_NUMBERS = 10
"""Numbers of speakers; of fewer, they are rather those of folds."""


def source_in(path: str, pattern: str) -> str | None:
    """Return what `pattern` finds in a file's name, or else in its path: its group, or all of it.

    >>> source_in("robin/XC123-4.wav", r"^(XC\\d+)"), source_in("site1/a.wav", r"^[^/]+")
    ('XC123', 'a.wav')
    """
    match = re.search(pattern, PurePosixPath(path).name) or re.search(pattern, path)
    if match is None:
        return None
    return next((group for group in match.groups() if group), match[0])


def proposal(clips: Sequence[Clip]) -> Iterator[Remark]:
    """Yield how sources might be found in names that repeat, where that would change the folds."""
    if any(clip.source != clip.id for clip in clips):
        return  # segments of one recording, which are together already
    named = [(PurePosixPath(clip.id).stem, clip) for clip in clips[:_MOST_NAMES]]
    tried = [(pattern, _groups(named, pattern)) for pattern in (*KNOWN, *_LEADING, *_LATER)]
    known = [(pattern, groups) for pattern, groups in tried if groups is not None]
    # A speaker says several words, which tells more than a recording that has one class.
    for pattern, groups in [*filter(_is_of_speakers, known), *filter(_is_of_recordings, known)]:
        apart = sum(len({clip.use for clip in group}) > 1 for group in groups.values())
        if apart:
            yield _proposed(groups, pattern, apart)
            return


def _groups(named: Sequence[tuple[str, Clip]], pattern: str) -> dict[str, list[Clip]] | None:
    """Return clips by what `pattern` finds in their names; none where it misses too many."""
    groups: dict[str, list[Clip]] = defaultdict(list)
    num_missed, most = 0, (1 - _LEAST_SHARE) * len(named)
    for name, clip in named:
        match = re.search(pattern, name)
        if match is None:
            num_missed += 1
            if num_missed > most:
                return None
        else:
            groups[match[1]].append(clip)
    return groups


Pattern = tuple[str, dict[str, list[Clip]]]
"""A regular expression, and clips by what it finds."""


def _is_of_speakers(named: Pattern) -> bool:
    """Whether these may be speakers, or recordings of several classes, rather than counters."""
    pattern, groups = named
    if not _repeats(groups) or pattern in KNOWN:
        return _repeats(groups)
    kinds = {name: {clip.labels for clip in group} for name, group in groups.items()}
    if all(len(labels) == 1 for labels in kinds.values()):
        return False
    # A number that counts the clips of each class occurs once with each; one of few, in each, is
    # rather that of a fold.
    is_number = all(name.isdecimal() for name in groups)
    recurs = any(len(group) > len(kinds[name]) for name, group in groups.items())
    return len(groups) >= _FEWEST_NUMBERS and recurs if is_number else len(groups) > 2


def _is_of_recordings(named: Pattern) -> bool:
    """Whether these may be recordings of one class each, rather than the classes."""
    groups = named[1]
    kinds = [{clip.labels for clip in group} for group in groups.values()]
    num_classes = len(set[tuple[int, ...]]().union(*kinds))
    is_inside = all(len(labels) == 1 for labels in kinds)
    return _repeats(groups) and is_inside and len(groups) >= 2 * num_classes


def _repeats(groups: dict[str, list[Clip]]) -> bool:
    num_clips = sum(map(len, groups.values()))
    return 2 <= len(groups) <= _LARGEST_SHARE * num_clips


def _proposed(groups: dict[str, list[Clip]], pattern: str, num_apart: int) -> Remark:
    num_clips = sum(map(len, groups.values()))
    quoted = pattern.replace("'", "''")
    text = (
        f"no source is given, and the names of {num_clips} clips share {len(groups)} parts: "
        f"{join_names(sorted(groups))}. If these are speakers or recordings, {num_apart} of them "
        f"lie in more than one fold or split, and test scores are too good. Keep each together: "
        f"--set data.source='{quoted}' (in a recipe, data: {{source: '{quoted}'}})"
    )
    return Remark("source", text)
