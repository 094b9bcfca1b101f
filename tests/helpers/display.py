"""A display that remembers what it was given to show."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from audiocls.execution.scheduler import Watch


def _ignore(status: object) -> None:
    """Show nothing."""


@dataclass
class Notes:
    """The notes of a launch; progress is not kept."""

    texts: list[str] = field(default_factory=list)
    watch: Callable[..., None] = _ignore

    def note(self, text: str) -> None:
        self.texts.append(text)

    def watching(self) -> AbstractContextManager[Watch]:
        return nullcontext(self.watch)
