"""`WhileUnchanged`: a source that ends once what its trials run was changed."""

from collections.abc import Callable, Mapping, Sequence

from audiocls.execution.job import AnyJob
from audiocls.execution.messages import Event
from audiocls.execution.trial_source import SourceProgress
from audiocls.store import State, Study
from audiocls.studies.sources import StudySource


class WhileUnchanged:
    """Offers the trials of another source until the program is another one.

    Whatever followed would be another program's trial under the id of this one's.
    """

    def __init__(self, source: StudySource, is_outdated: Callable[[], bool]):
        self._source, self._is_outdated = source, is_outdated
        self._is_cut = False

    def next(self) -> AnyJob | None:
        """Return the next trial, `None` from the first change on."""
        self._is_cut = self._is_cut or (self._source.has_next() and self._is_outdated())
        return None if self._is_cut else self._source.next()

    def has_next(self) -> bool:
        """Whether there is a trial to start now."""
        return not self._is_cut and self._source.has_next()

    def is_over(self) -> bool:
        """Whether no further trial will come."""
        return self._is_cut or self._source.is_over()

    def tell(self, event: Event) -> None:
        """Pass on an event of a trial that was started before."""
        self._source.tell(event)

    def trials_to_stop(self) -> Sequence[str]:
        """Return those that the source names."""
        return self._source.trials_to_stop()

    def progress(self) -> SourceProgress:
        """Return that of the source."""
        return self._source.progress()

    def states(self) -> Mapping[str, State]:
        """Return the state of every trial of this launch, by trial id."""
        return self._source.states()

    @property
    def study(self) -> Study:
        """The study as it is now."""
        return self._source.study

    @property
    def max_parallel(self) -> int | None:
        """The most trials that can run at a time."""
        return self._source.max_parallel
