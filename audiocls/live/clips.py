"""Clips to listen to: those that arms and what they are compared with answer differently.

They are read behind the page. While a study runs, its clips are of the pairs that are in, and the
tests of them are withheld like its verdicts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from audiocls.analysis.unfinished import of_pairs_so_far
from audiocls.errors import AudioclsError
from audiocls.live.behind import Behind
from audiocls.live.watched import View
from audiocls.render.build.clips import clip_blocks, section_of
from audiocls.render.document import Block, Note, Section
from audiocls.studies.options import cache_folder

WAIT_S = 2.0
SO_FAR = (
    "Of the pairs so far, without the tests of clips, which come with the verdicts. Reload the "
    "page for newer ones."
)
NONE_YET = "No clip can be played: no pair is in yet, or its trials kept no predictions."


@dataclass
class Clips:
    """The clips of each study, as far as they were read."""

    _behind: dict[str, Behind[tuple[Block, ...]]] = field(default_factory=dict)

    def of(self, view: View) -> tuple[Sequence[Block] | None, str]:
        """Return the clips as blocks, and a remark on them; `None` until they are read."""
        behind = self._behind.setdefault(view.name, Behind())
        records = view.answer.records if view.answer else {}
        is_final = bool(view.answer and view.answer.is_final)
        key = (is_final, hash(frozenset(records)))
        blocks = behind.get(key, lambda: _blocks(view, is_final), WAIT_S)
        if blocks is None:
            return None, ""
        return blocks, "" if is_final else SO_FAR


def _blocks(view: View, is_final: bool) -> tuple[Block, ...]:
    folder, records = view.status.folder, view.answer.records if view.answer else {}
    study = view.study if is_final else of_pairs_so_far(view.study)
    try:
        section = section_of(folder, study, records, cache_folder(), num_threads=1)
    except (AudioclsError, OSError) as error:
        return (Note(f"No clip can be played: {error}"),)
    blocks = clip_blocks(section)
    shown = blocks if is_final else tuple(_playable(blocks))
    return tuple(map(_opened, shown)) or (Note(NONE_YET),)


def _playable(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield what can be listened to, and remarks, without any test."""
    for block in blocks:
        if isinstance(block, Section):
            yield from (each for each in block.blocks if isinstance(each, Section | Note))


def _opened(block: Block) -> Block:
    return replace(block, is_folded=False) if isinstance(block, Section) else block
