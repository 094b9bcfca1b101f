"""The two words that are not JSON in the talk between a scheduler and its workers."""

READY = "ready"
"""From the worker: torch is imported, tasks are welcome."""

STOP = "stop"
"""To the worker: end the trial in hand after its epoch."""
