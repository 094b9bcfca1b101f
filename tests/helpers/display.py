"""A display that remembers what it was given to show, and pages without their figures."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import pytest

from audiocls.execution.messages import Watch


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


@contextmanager
def without_figures() -> Iterator[None]:
    """Have pages show nothing of their figures: to draw them takes longer than a tiny study."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audiocls.render.formats.html.to_svg", lambda figure, name: "<svg></svg>")
        yield
