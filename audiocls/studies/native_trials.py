"""The trials of a sweep over one of our recipes: its parameters are dotted keys of it."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiocls.audio.check.obstacles import require_trainable
from audiocls.audio.clips import fingerprint
from audiocls.audio.datasets import DataSet
from audiocls.config import Config, not_taken_over, resolve, trial_id
from audiocls.dotted import flatten
from audiocls.errors import ConfigError, DataError, OverBudget, UsageError, did_you_mean
from audiocls.execution.content import data_notes, identity_of, require_encoders, require_usable
from audiocls.execution.job import NativeJob, TrackingConfig, native_job
from audiocls.execution.probe import require_sound
from audiocls.formatting import format_values
from audiocls.parts import OWN_FILES, Origin
from audiocls.search import Categorical, Constant, Nested, Numeric, Parameter, Sweep, propose
from audiocls.search.distributions import value_of
from audiocls.store import Cell, Proposal, StudyFolder
from audiocls.store.data_roots import remember_roots
from audiocls.studies.resolve import tried_of

_INSIDE = 0.381966
"""Quantile of a range that hardly any step hits: the golden section's."""
LOGGED = ("val/loss", "val/accuracy", "val/balanced_accuracy", "val/map", "train/loss")
"""Metrics of every epoch, on which a stop rule can act."""


@dataclass
class NativeTrials:
    """Each proposal over the recipe and what the sweep's command fixes; data is read once."""

    folder: StudyFolder
    cache: Path
    tracking: TrackingConfig
    recipe_name: str
    recipe: Mapping[str, Any]
    overrides: Mapping[str, Any]
    fixed: frozenset[str] = frozenset()
    """Keys that are the same in every trial, and so in no label."""
    fingerprints: dict[DataSet, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What is odd about the data read so far."""
    origin: Origin = OWN_FILES
    """Who named the parts of recipe and proposals."""

    def id_of(self, parameters: Mapping[str, Any]) -> str:
        config = self.config(parameters)
        try:
            return trial_id(self._checked(config), self._fingerprint(config))
        except (DataError, UsageError) as error:
            # Of this trial's data or files alone: the others go on.
            raise ConfigError(self._where, [str(error)]) from error

    def job_of(self, proposal: Proposal, run_id: str = "") -> NativeJob:
        config = self.config(proposal.parameters)
        cell = Cell(
            proposal.id, label_of(proposal.parameters, self.fixed), config.seed, config.fold
        )
        tracking = replace(self.tracking.tagged(self.recipe_name), run_id=run_id)
        data = self._fingerprint(config)
        remember_roots(self.folder.path, {data: config.data.root})
        return native_job(self.folder, cell, config, data, tracking, proposal.parameters)

    def config(self, parameters: Mapping[str, Any]) -> Config:
        """Return a trial's configuration; raises `ConfigError` for an invalid combination."""
        layers = [self.recipe, self.overrides, parameters]
        return resolve(layers, self._where, self.origin)

    def check(self, sweep: Sweep) -> None:
        """Raise `ConfigError` for keys and values that no trial could have, before anything runs.

        Values are validated one at a time; invalid combinations become failed trials.
        """
        faults: dict[str, None] = {}
        for key, parameter in sweep.parameters.items():
            for value in _samples(parameter):
                try:
                    self.config({key: value})
                except ConfigError as error:
                    faults |= dict.fromkeys(error.faults)
        if faults:
            raise ConfigError(self._where, faults)
        _require_history(sweep)
        self._require_validation(sweep)

    def examine(self, sweep: Sweep) -> list[str]:
        """Return what is odd about the data of the first trial, decoding it if it is new.

        Raises `DataError` or `UsageError` if nothing can be trained on it.
        """
        config = self.first(sweep)
        if config is not None:
            self.notes += not_taken_over(self.recipe, self.overrides, config)
            with suppress(OverBudget):  # a result of that trial alone
                self._checked(config)
            require_encoders([config])
            self._fingerprint(config)
            require_sound(self._where, tried_of([config], self.cache), self.cache)
        return self.notes

    def require_trainable(self, sweep: Sweep) -> None:
        """Raise `DataError` for data that no first trial could be trained on; decodes nothing."""
        config = self.first(sweep)
        if config is not None and config.data.root is not None:
            table = config.data.table(self.cache)
            data = config.data
            require_trainable(table, (config.fold,), data.name, data.validation)
            with suppress(OverBudget):
                require_usable(config, table.labels)

    def first(self, sweep: Sweep) -> Config | None:
        """Return the first trial's configuration; none where its values do not fit together."""
        parameters = propose(sweep, [])
        try:
            return None if parameters is None else self.config(parameters)
        except ConfigError:
            return None  # it will be listed as a failed trial

    def _require_validation(self, sweep: Sweep) -> None:
        """Raise `ConfigError` for a metric of validation clips of which there are none."""
        metric, config = sweep.metric.name if sweep.metric else "", self.first(sweep)
        if metric.startswith("val/") and config and config.data.validation == "none":
            fault = f"metric: {metric} is not known under data.validation=none; leave that out"
            raise ConfigError(self._where, [fault])

    @property
    def _where(self) -> str:
        return f"{self.folder.name} (recipe {self.recipe_name})"

    def _checked(self, config: Config) -> dict[str, Any]:
        require_usable(config, config.data.table(self.cache).labels)
        return identity_of(config, self.cache)

    def _fingerprint(self, config: Config) -> str:
        if config.data not in self.fingerprints:
            table = config.data.table(self.cache)
            if config.fold not in table.folds:
                has = f"{config.data.name} has {list(table.folds)}"
                raise UsageError(f"fold: got {config.fold}; {has}")
            known = fingerprint(table, self.cache)
            self.notes += data_notes(config, table, known, (config.fold,), self.cache)
            self.fingerprints[config.data] = known
        return self.fingerprints[config.data]


def label_of(parameters: Mapping[str, Any], fixed: Collection[str] = ()) -> str:
    """Return parameters in short, for people; the fixed ones only where there are no others.

    >>> label_of({"optim": {"lr": 0.00123456}, "model.dropout": 0.1, "seed": 3}, {"seed"})
    'lr=0.00123,dropout=0.1'
    """
    known = flatten(parameters)
    flat = {key: value for key, value in known.items() if key not in fixed} or known
    return format_values(flat)


def _samples(parameter: Parameter) -> list[Any]:
    """Return values that stand for all that a parameter may take."""
    if isinstance(parameter, Nested):
        parts = {name: _samples(inner) for name, inner in parameter.parameters.items()}
        return [{name: value} for name, values in parts.items() for value in values]
    if isinstance(parameter, Constant):
        return [parameter.value]
    if isinstance(parameter, Categorical):
        return list(parameter.values)
    return _bounds(parameter)


def _bounds(number: Numeric) -> list[Any]:
    """Return a value inside a range, and its ends where it has any, as trials get them.

    The one inside has decimals unless all values are whole numbers: a count would be refused.
    """
    inside = value_of(number, _INSIDE)
    if number.min is None or number.max is None:
        return [inside]
    is_exponent = number.distribution in ("log_uniform", "inv_log_uniform", "q_log_uniform")
    ends = [value_of(number, 0.0), value_of(number, 1.0)] if is_exponent else []
    return [inside, *(ends or (number.min, number.max))]


def _require_history(sweep: Sweep) -> None:
    """Raise `ConfigError` for a stop rule on a metric that is known at the end only."""
    metric = sweep.metric.name if sweep.metric else ""
    if sweep.early_terminate is not None and metric not in LOGGED:
        fault = (
            f"early_terminate: {metric!r} is not logged while a trial trains, so nothing would be "
            f"stopped; allowed as metric.name here: {', '.join(LOGGED)}."
            + did_you_mean(metric, LOGGED)
        )
        raise ConfigError(sweep.name or "sweep", [fault])
