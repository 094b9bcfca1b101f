"""`TrialNotes`: what went wrong without harm, said once for all trials to which it happened.

A server that takes no run takes none of forty: their notes are one but for what names the trial.
"""

import re
from dataclasses import dataclass, field

from audiocls.formatting import join_names, plural

OWN = "…"
"""Stands for each word that names a trial, such as its run and its folder."""
MOST_NAMED = 3


@dataclass
class TrialNotes:
    """The notes of a launch."""

    _labels: dict[str, list[str]] = field(default_factory=dict)
    """Note without the trials' own words → labels of the trials."""
    _first: dict[str, str] = field(default_factory=dict)
    """The same → the note as the first trial has it."""

    def add(self, trial_id: str, label: str, text: str) -> bool:
        """Keep a trial's note; return whether no other one has the same."""
        common = re.sub(rf"\S*{re.escape(trial_id)}[^\s.;,:]*", OWN, text)
        self._labels.setdefault(common, []).append(label)
        return self._first.setdefault(common, text) is text

    def sentences(self) -> tuple[str, ...]:
        """Return each note once, with the trials that have it.

        >>> notes = TrialNotes()
        >>> for place, label in enumerate(("a s0", "a s1", "b s0", "b s1")):
        ...     _ = notes.add(f"id{place}", label, f"run id{place} was not uploaded")
        >>> notes.sentences()
        ('4 trials (a s0, a s1, b s0 and 1 more): run … was not uploaded',)
        """
        return tuple(self._sentence(common) for common in self._labels)

    def _sentence(self, common: str) -> str:
        labels = self._labels[common]
        if len(labels) == 1:
            return f"{labels[0]}: {self._first[common]}"
        return f"{plural(len(labels), 'trial')} ({join_names(labels, MOST_NAMED)}): {common}"
