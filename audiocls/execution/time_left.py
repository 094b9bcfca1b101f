"""How long a launch still takes, from the epochs and trials that it has seen, by the clock.

What a worker does once (it starts, imports, reads the data) is no pace: a first epoch counts only
where nothing of that can be in it. Trials that have ended are the best measure, for an early stop,
the scoring and the upload are in them too. Before, scoring is estimated from the numbers of clips.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from audiocls.audio.clips import Split
from audiocls.execution.messages import Done, Epoch, Event, Extraction, Failed, Stage

STARTING_S = 20.0
"""A worker is ready by then. Of a first epoch that took three times as long it is a small part."""
LEAST_S = 5.0
"""Of training, to tell a trial's length by: of a shorter one, writing what it leaves is too large a
part, and whole trials soon tell."""
PASSES_OF_TRAINING = 3
"""What training on a clip costs in passes of scoring: one forwards, and two backwards."""
MOST_KEPT = 64
"""Durations of the latest trials and epochs that count: a launch gets slower when others begin."""


@dataclass
class Timed:
    """A running trial, by the clock."""

    began: float
    is_warm: bool
    """Whether its worker has trained before, or told that the trial has begun to train."""
    last_epoch: float | None = None
    """When its last epoch here ended."""
    num_seen: int = 0
    epoch: int = 0
    num_epochs: int = 0
    scoring_share: float = 0.0
    is_before: bool = False
    """Whether it computes features or pre-trains, and has no epoch of its own yet."""


@dataclass
class TimeLeft:
    """The pace of a launch. `clock` gives seconds."""

    clock: Callable[[], float]
    running: dict[str, Timed] = field(default_factory=dict)
    epochs: list[float] = field(default_factory=list)
    """Seconds of epochs."""
    trials: list[float] = field(default_factory=list)
    """Seconds of trials on workers that had trained before."""
    first_trials: list[float] = field(default_factory=list)
    """Of the others, by their epochs."""
    first_whole: list[float] = field(default_factory=list)
    """Of those whose epochs are unknown, with the start of the worker or of the program."""
    num_ended: int = 0
    num_slots: int = 1
    """Trials at a time, as of the last beginning of one."""

    def start(self, trial_id: str) -> None:
        """Note that a trial was given to a worker."""
        self.running[trial_id] = Timed(self.clock(), is_warm=self.num_ended > 0)
        self.num_slots = len(self.running)

    def tell(self, event: Event) -> None:
        """Note an event of a running trial."""
        timed, now = self.running.get(event.id), self.clock()
        if timed is None:
            return
        if isinstance(event, Extraction | Stage):
            timed.began, timed.is_warm, timed.is_before = now, True, True
        elif isinstance(event, Epoch):
            self._end_epoch(timed, event, now)
        elif isinstance(event, Done):
            self._end_trial(timed, now)
            self.stop(event.id)
        elif isinstance(event, Failed):
            self.stop(event.id)

    def stop(self, trial_id: str) -> None:
        """Note that a trial runs no more."""
        self.num_ended += self.running.pop(trial_id, None) is not None

    def _end_epoch(self, timed: Timed, event: Epoch, now: float) -> None:
        before = timed.last_epoch if timed.last_epoch is not None else timed.began
        seconds = now - before
        if timed.last_epoch is not None or timed.is_warm or seconds >= 3 * STARTING_S:
            _keep(self.epochs, seconds)
        timed.last_epoch, timed.is_before = now, False
        timed.epoch, timed.num_epochs = event.epoch, event.num_epochs
        timed.scoring_share = event.scoring_share
        timed.num_seen += 1

    def _end_trial(self, timed: Timed, now: float) -> None:
        """Count a whole trial, and not the rest of one that was resumed."""
        if timed.epoch > timed.num_seen:
            return
        if timed.is_warm:
            _keep(self.trials, now - timed.began)
        elif timed.num_epochs and self.epochs:
            # A worker's first end takes longer, for it imports what only ends need.
            epoch_s, ending_s = statistics.fmean(self.epochs), now - (timed.last_epoch or now)
            scoring_s = min(timed.scoring_share * epoch_s, ending_s)
            _keep(self.first_trials, timed.epoch * epoch_s + scoring_s)
        else:
            _keep(self.first_whole, now - timed.began)

    def left_s(self, num_missing: int, sharing: float = 1.0) -> float | None:
        """Return the seconds until all trials have ended; `None` while there is nothing to tell by.

        Args:
            num_missing: trials that have not ended, the running ones among them.
            sharing: how many times as fast pending trials go, because other launches take some.
        """
        if num_missing <= 0:
            return 0.0
        whole = self._trial_s()
        if whole is None:
            return None
        now = self.clock()
        rest = [self._rest_s(timed, whole, now) for timed in self.running.values()]
        num_pending = max(0, num_missing - len(rest)) / max(1.0, sharing)
        free = [0.0] * (self.num_slots - len(rest))
        return makespan_s([*rest, *free], round(num_pending), whole)

    def _trial_s(self) -> float | None:
        """Return the seconds of a whole trial."""
        if self.trials:
            return statistics.fmean(self.trials)
        if known := self.first_trials or self._by_epochs():
            whole = statistics.fmean(known)
            return whole if whole >= LEAST_S else None
        return statistics.fmean(self.first_whole) if self.first_whole else None

    def _by_epochs(self) -> list[float]:
        """Return what the running trials will take, at the pace so far."""
        training = (t for t in self.running.values() if t.num_epochs and not t.is_before)
        longest = max((t.num_epochs + t.scoring_share for t in training), default=0.0)
        return [longest * statistics.fmean(self.epochs)] if longest and self.epochs else []

    def _rest_s(self, timed: Timed, whole: float, now: float) -> float:
        """Return the seconds that a running trial still takes."""
        if timed.is_before:
            return whole
        if timed.last_epoch is None or not timed.num_epochs:
            return max(0.0, whole - (now - timed.began))
        epoch_s = statistics.fmean(self.epochs) if self.epochs else whole / timed.num_epochs
        in_this = min(now - timed.last_epoch, epoch_s)
        return max(0.0, whole - timed.epoch * epoch_s - in_this)


def scoring_share(split: Split) -> float:
    """Return what scoring the test clips of a trial takes, as a share of an epoch."""
    num_scored = len(split.test) + sum(map(len, split.further.values()))
    return num_scored / max(1, PASSES_OF_TRAINING * len(split.train) + len(split.val))


def makespan_s(rest: Sequence[float], num_pending: int, whole: float) -> float:
    """Return when the last worker is done, each taking the next trial when it is free.

    Args:
        rest: seconds until each worker is free.
        whole: seconds of each pending trial.

    >>> makespan_s([1.0, 3.0], 3, 4.0)
    9.0
    """
    rounds, extra = divmod(num_pending, len(rest))
    ends = [free + whole * (rounds + (place < extra)) for place, free in enumerate(sorted(rest))]
    return max(ends)


def _keep(values: list[float], value: float) -> None:
    values.append(value)
    del values[:-MOST_KEPT]
