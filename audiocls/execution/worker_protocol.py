"""The words that are not JSON in the talk between a scheduler and its workers."""

READY = "ready"
"""From the worker: torch is imported, tasks are welcome."""

STOP = "stop"
"""To the worker: end the trial in hand after its epoch, to be resumed some day."""

FINISH = "enough "
"""To the worker, with a trial's id: finish it after its epoch, with what it has learned so far."""
