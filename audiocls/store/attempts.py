"""`Attempts`: how often a trial was begun, what the present attempt goes back to, and its losses.

A loss is an attempt whose process died. It is counted in the store, for the next attempt may be
another host's; one that got further than the attempt lost before it counts as the first.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from audiocls.atomic import write_text
from audiocls.store.content import Attempt, attempt_in
from audiocls.store.stored_file import Damaged, read

MAX_LOSSES = 3
"""Deaths after which a trial counts as failed."""


@dataclass(frozen=True)
class Attempts:
    """The counter of one trial, `attempt` in its folder."""

    folder: Path
    require_mine: Callable[[], None]
    """Raises `LeaseLost` where another launch counts them now."""

    def last(self) -> Attempt:
        """Return the last attempt; before the first one, number 0.

        Where the counter is damaged, it is the last one that failed.
        """
        try:
            return read(self.folder / "attempt", attempt_in) or Attempt(0, origin=1)
        except Damaged:
            number = len(list(self.folder.glob("failure-*.json")))
            return Attempt(number, origin=number + 1)

    def begin(self) -> Attempt:
        """Count one more."""
        last = self.last()
        return self.write(replace(last, number=last.number + 1, is_open=True))

    def close(self) -> None:
        """Note that the present attempt was stopped in order: it can be no loss any more."""
        if (last := self.last()).is_open:
            self.write(replace(last, is_open=False))

    def lose(self, num_epochs: int) -> int:
        """Count a death; return how many in a row had no further epoch, of `num_epochs` so far."""
        last = self.last()
        is_first = not last.losses or num_epochs > last.epochs
        losses = 1 if is_first else last.losses + 1
        self.write(replace(last, losses=losses, epochs=num_epochs, is_open=False))
        return losses

    def start_over(self) -> Attempt:
        """Make the present attempt the first of its own, which goes back to none before it."""
        last = self.last()
        return self.write(replace(last, origin=last.number))

    def reset(self) -> None:
        """Make the next attempt begin from the first epoch, as if none had been lost."""
        number = self.last().number
        self.write(Attempt(number, origin=number + 1))

    def write(self, attempt: Attempt) -> Attempt:
        self.require_mine()
        write_text(self.folder / "attempt", attempt.to_text())
        return attempt
