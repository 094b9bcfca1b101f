"""`Request`: the options that a study was launched with, and the command line to repeat it."""

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Literal

Kind = Literal["ablation", "noise", "tuning", "search", "import"]
"""What a study is: arms compared with a baseline (or a single trial), the noise of a baseline, the
trials by which arms choose their values, a search, or results that were imported."""

NOISE_ENDING, TUNING_ENDING = "-noise", ".tuning"
"""Of the names that the noise study of an ablation and its tuning study are given. Whether a study
is one of them is said by its kind alone."""

Command = Literal["sweep launch", "sweep agent", "sweep import", "import", "noise", "train"]


@dataclass(frozen=True)
class Request:
    """A command and those of its options that decide which trials there are."""

    command: Command
    name: str = ""
    """Of an ablation or a sweep, or its path; where results are imported from; a server's sweep."""
    study: str | None = None
    """Name of the study's folder, where it is not the ablation's or the sweep's own."""
    is_until_decided: bool = False
    max_pairs: int | None = None
    effect: float | None = None
    """In units of the metric, where arms are given up for which it is out of sight."""
    recipe: str | None = None
    """Given instead of the one that the file names."""
    assignments: tuple[str, ...] = ()
    """Overrides as `key=value`."""
    seeds: str | None = None
    folds: str | None = None
    arms: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """Further options, such as `--metric`, with their values."""
    launch_options: tuple[str, ...] = ()
    """Options of a launch that decide no trial, word by word: where it ran, how it was tracked."""
    most_trials: int | None = None
    """To which the launch of a search was to bring it (`--count`)."""

    def words(self) -> list[str]:
        """Return the command line that repeats the request, word by word."""
        words = ["audiocls", *self.command.split(), *filter(None, [self.name])]
        words += _option("study", self.study)
        words += ["--until-decided"] if self.is_until_decided else []
        words += _option("max-pairs", self.max_pairs) + _option("effect", self.effect)
        words += _option("recipe", self.recipe)
        for item in self.assignments:
            words += [item] if self.command == "train" else ["--set", item]
        for name in ("seeds", "folds", "arms"):
            words += _option(name, getattr(self, name))
        return [*words, *(word for option in self.options.items() for word in option)]

    def line(self) -> str:
        """Return the command line that repeats the request, quoted for a shell."""
        return shlex.join(self.words())

    def options_text(self, num_trials: int = 0) -> str:
        """Return the options that a launch is resumed with, as they follow `line`.

        Args:
            num_trials: that a search has by now.
        """
        left = None if self.most_trials is None else max(0, self.most_trials - num_trials)
        words = [*self.launch_options, *_option("count", left)]
        return "".join(f" {shlex.quote(word)}" for word in words)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values, without those that are at their defaults."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        plain |= {"assignments": list(self.assignments), "options": dict(self.options)}
        plain["launch_options"] = list(self.launch_options)
        return {name: value for name, value in plain.items() if not _is_default(name, value)}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Request":
        """Rebuild a request; an unknown key raises `TypeError`."""
        texts = {name: tuple(mapping.get(name, ())) for name in ("assignments", "launch_options")}
        return cls(**{**mapping, **texts})


def _option(name: str, value: object) -> list[str]:
    return [f"--{name}", str(value)] if value or value == 0 else []


_DEFAULTS = {item.name: item.default for item in fields(Request)}


def _is_default(name: str, value: object) -> bool:
    return value in ([], {}) or (_DEFAULTS[name] is not MISSING and value == _DEFAULTS[name])
