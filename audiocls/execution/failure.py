"""From an exception to a `Failure`: a cause a scheduler can act on, a line a person can."""

import traceback

from audiocls.errors import DataError
from audiocls.store import Cause, Failure


def failure_of(error: BaseException, attempt: int) -> Failure:
    """The failure that `error` amounts to."""
    return Failure(
        cause=_cause(error),
        message=f"{type(error).__name__}: {error}",
        traceback="".join(traceback.format_exception(error)),
        attempt=attempt,
    )


def _cause(error: BaseException) -> Cause:
    from torch import OutOfMemoryError

    from audiocls.training.fit import Diverged

    causes: list[tuple[type[BaseException], Cause]] = [
        (OutOfMemoryError, "out_of_memory"),
        (MemoryError, "out_of_memory"),
        (Diverged, "nan"),
        (DataError, "data"),
        (TimeoutError, "timeout"),
    ]
    return next((cause for kind, cause in causes if isinstance(error, kind)), "error")
