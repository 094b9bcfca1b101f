"""How long a worker may report nothing before it is taken to be hung."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How long a worker may be silent before it is taken to be hung."""

    least_s: float = 180.0
    """Enough to score a trial, and for W&B to give up on a server."""
    first_epoch_s: float = 3600.0
    """Before a trial's first epoch, in which data may be decoded and features computed."""
    factor: float = 10.0
    """Times the longest silence of the same trial so far."""

    def limit_s(self, longest_s: float | None) -> float:
        """Return the limit for a trial; `longest_s` is unknown before its first epoch."""
        known = self.first_epoch_s if longest_s is None else self.factor * longest_s
        return max(self.least_s, known)


@dataclass
class Silence:
    """How long a worker has reported nothing, counted only while this process runs."""

    present_s: float = 0.0
    longest_s: float | None = None

    def end(self, is_epoch: bool = True) -> None:
        """Note a report; only epochs of the trial itself tell how long its epochs take."""
        if is_epoch:
            self.longest_s = max(self.present_s, self.longest_s or 0.0)
        self.present_s = 0.0


PATIENCE = Patience()
