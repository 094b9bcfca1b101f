"""`Status`: where a launch stands, as a value for a display."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Running:
    """A trial that is being trained."""

    label: str
    epoch: int
    num_epochs: int
    is_pretraining: bool = False
    """Whether these are the epochs of the stage before it."""


@dataclass(frozen=True)
class Status:
    """Trials of this launch by state, and how long the rest will take."""

    num_total: int | None
    """Unknown for a search without an end."""
    num_done: int = 0
    num_reused: int = 0
    """Of `num_done`, those that were finished before this launch."""
    num_failed: int = 0
    running: tuple[Running, ...] = ()
    elapsed_s: float = 0.0
    left_s: float | None = None
    """Unknown until an epoch has ended."""
    stage: str = ""
    """Which part of the whole this is, such as `look 2`."""
    messages: tuple[str, ...] = field(default=())
    """What happened since the last status, for people."""
