"""`Results`: what a source holds, as runs, whichever source it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiocls.store import TrialFolder
from audiocls.tracking.project import RemoteRun

History = Sequence[Mapping[str, Any]]
"""Rows as W&B has them: with `epoch`, or else with `_step`."""


def no_history(run_id: str) -> History:
    """Return no row: the source has final values alone."""
    return ()


@dataclass(frozen=True)
class Results:
    """The runs of one source, with what is needed to speak of them."""

    name: str
    """Of the source, such as `results.csv` or `me/birds`."""
    runs: Sequence[RemoteRun]
    kind: str = ""
    """What the name is of: `W&B`, `Optuna`, `MLflow`; empty for a file."""
    noun: str = "run"
    """What one of `runs` is called: `row`, `run`, `trial`."""
    identity: str = ""
    """Of the source, in the ids of trials: two studies of one source have the same trials."""
    history: Callable[[str], History] = no_history
    """The rows of a run, by its id."""
    metric: str | None = None
    """The metric that the source itself optimises."""
    goal: str | None = None
    """Of that metric."""
    seed: str | None = None
    """The key of the seed that the source itself names."""
    fold: str | None = None
    """The key of the fold that the source itself names."""
    program: str = ""
    """What its trials ran, where it was launched here."""
    code: str = ""
    """Digest of that program's files."""
    trial_of: Callable[[str], TrialFolder] | None = None
    """A run's own trial by its id, with a whole record and predictions, where it was run here."""
    is_table: bool = False
    """Whether each run is a row that somebody wrote: repeated and unreadable rows are faults."""
    faults: tuple[str, ...] = ()
    """What is wrong with the source itself."""
    notes: tuple[str, ...] = ()

    @property
    def run_word(self) -> str:
        """Return what stands before a run's id; the id of a row says itself where it is."""
        return "" if self.is_table else f"{self.kind} {self.noun}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()
