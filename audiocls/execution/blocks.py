"""`Blocks`: the trials of a block are trained on one kind of device; pairs of two do not compare.

A block is a seed on a fold. The first launch that takes one of its trials notes its kind of device
in `blocks/`; launches on another kind leave the block alone, unless nothing of it has a result or
is being trained.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audiocls.atomic import publish, write_text
from audiocls.store import Cell, Study, StudyFolder

Block = tuple[int, int]


@dataclass
class Blocks:
    """The blocks of a study, as a launch on one kind of device sees them."""

    folder: StudyFolder
    study: Callable[[], Study]
    kind: str
    """Product name of this launch's devices, or `cpu`."""
    others: set[str] = field(default_factory=set)
    """Kinds of device that blocks are left to."""
    _cells: Sequence[Cell] = ()
    _of_block: dict[Block, list[str]] = field(default_factory=dict)
    _block_of: dict[str, Block] = field(default_factory=dict)

    def admits(self, trial_id: str) -> bool:
        """Whether a trial, which this launch holds, may be trained on its devices."""
        self._index()
        block = self._block_of.get(trial_id)
        if block is None:
            return True  # of a search, whose trials are no pairs
        kind = self._kind_of(block)
        if kind != self.kind and self._is_free(block, trial_id):
            with self.folder.planning():
                write_text(self._file(block), self.kind)
            kind = self.kind
        if kind != self.kind:
            self.others.add(kind)
        return kind == self.kind

    def sentence(self) -> str:
        """Return why trials were left, and to whom."""
        return (
            f"this launch is on {self.kind}; blocks that were begun on {', '.join(self.others)} "
            f"are left to launches there ({self.folder.path / 'blocks'}): pairs of two kinds of "
            "device do not compare"
        )

    def _index(self) -> None:
        cells = self.study().cells
        if cells is not self._cells:  # a study grows
            self._cells = cells
            self._block_of = {cell.id: cell.block for cell in cells}
            self._of_block = {}
            for cell in cells:
                self._of_block.setdefault(cell.block, []).append(cell.id)

    def _kind_of(self, block: Block) -> str:
        """Return the kind that a block has, by now at the latest."""
        file = self._file(block)
        if not file.exists():
            publish(file, (self._recorded(block) or self.kind).encode(), is_synced=False)
        return file.read_text(encoding="utf-8")

    def _recorded(self, block: Block) -> str:
        """Return the device of the block's first record that names one, of early versions too."""
        records = (self.folder.trial(each).record() for each in self._of_block[block])
        return next((r.provenance.device for r in records if r and r.provenance.device), "")

    def _is_free(self, block: Block, trial_id: str) -> bool:
        """Whether no other trial of the block has a result or is being trained."""
        states = (
            self.folder.trial(each).state() for each in self._of_block[block] if each != trial_id
        )
        return not any(state in ("done", "running") for state in states)

    def _file(self, block: Block) -> Path:
        return self.folder.path / "blocks" / f"seed{block[0]}-fold{block[1]}"
