"""`ReconnectingTracker`: a W&B run that outlives the death of W&B's own process."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from audiocls.tracking import Ending, FinishReport, Tracker

MOST_REVIVALS = 3
"""Of one run: a process that keeps dying has a reason that does not go away."""

Row = Mapping[str, Any]


class ReconnectingTracker:
    """After a call that raised, opens the run once more and tells it everything again.

    `open_run` takes the rows to tell at once. `restart` makes the library forget the process that
    died, which by itself it does not.
    """

    def __init__(
        self,
        open_run: Callable[[Sequence[Row]], Tracker],
        restart: Callable[[], None],
        history: Sequence[Row],
    ):
        self._open_run, self._restart = open_run, restart
        self._rows = list(history)
        self._num_left = MOST_REVIVALS
        self._run: Tracker = self._opened()

    def log(self, row: Row) -> None:
        self._rows.append(row)
        try:
            self._run.log(row)
        except Exception as error:
            self._run = self._revived(error)

    def finish(self, ending: Ending) -> FinishReport:
        try:
            return self._run.finish(ending)
        except Exception as error:
            self._run = self._revived(error)
            return self._run.finish(ending)

    def _opened(self) -> Tracker:
        try:
            return self._open_run(self._rows)
        except Exception as error:
            return self._revived(error)

    def _revived(self, error: Exception) -> Tracker:
        """Raises `error` if there have been too many revivals already."""
        if self._num_left == 0:
            raise error
        self._num_left -= 1
        self._restart()
        return self._open_run(self._rows)
