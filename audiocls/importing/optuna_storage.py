"""An Optuna storage: the trials of one of its studies, as runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiocls.errors import UsageError, did_you_mean
from audiocls.importing.results import Results
from audiocls.named_paths import is_file
from audiocls.tracking.project import RemoteRun

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

SQLITE = "sqlite:///"
STATES = {"COMPLETE": "finished", "RUNNING": "running", "WAITING": "pending"}


def read_optuna(url: str, name: str | None = None) -> Results:
    """Return the trials of the study `name`, or of the only one in the storage.

    `url` is that of a database (`sqlite:///trials.db`), or the path of a journal (`trials.log`).
    Parameters and user attributes are the configuration; objectives and numbers among the user
    attributes are the metrics. Raises `UsageError` for a storage that cannot be read.
    """
    import optuna

    file = Path(url.removeprefix(SQLITE))
    if (url.startswith(SQLITE) or "://" not in url) and not is_file(file):
        raise UsageError(f"optuna:{url}: there is no file {file}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage = _storage(url)
        names = optuna.get_all_study_names(storage)
        study = optuna.load_study(study_name=_chosen(url, names, name), storage=storage)
        trials = study.get_trials(deepcopy=False)
    except UsageError:
        raise
    except Exception as error:  # whatever its database driver raises
        raise UsageError(f"optuna:{url}: Optuna cannot read it ({error})") from error
    return _results(study, trials)


def _storage(url: str) -> "BaseStorage | str":
    if "://" in url:
        return url
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(url))


def _chosen(url: str, names: Sequence[str], name: str | None) -> str:
    if name is None and len(names) == 1:
        return names[0]
    if name is not None and name in names:
        return name
    known = f"studies: {', '.join(names) or 'none'}"
    if name is None:
        raise UsageError(f"optuna:{url}: choose a study with --group NAME; {known}")
    raise UsageError(f"optuna:{url}: no study {name!r}; {known}.{did_you_mean(name, names)}")


def _results(study: "Study", trials: Sequence["FrozenTrial"]) -> Results:
    names = study.metric_names or ["value"]
    if len(study.directions) > len(names):
        names = [f"value_{place}" for place in range(len(study.directions))]
    rows = {
        str(trial.number): [
            {"_step": step, names[0]: value} for step, value in trial.intermediate_values.items()
        ]
        for trial in trials
    }
    goals = [direction.name.lower() for direction in study.directions]
    is_single = len(names) == 1
    return Results(
        study.study_name,
        [_run_of(trial, names) for trial in trials],
        "Optuna",
        "trial",
        history=lambda number: rows[number],
        metric=names[0] if is_single else None,
        goal=goals[0] if is_single else None,
    )


def _run_of(trial: "FrozenTrial", names: Sequence[str]) -> RemoteRun:
    values: dict[str, Any] = dict(zip(names, trial.values or (), strict=False))
    seconds = trial.duration.total_seconds() if trial.duration else None
    started, ended = (t.isoformat() if t else "" for t in _times(trial))
    return RemoteRun(
        id=str(trial.number),
        name=str(trial.number),
        state=STATES.get(trial.state.name, trial.state.name.lower()),
        config={**trial.user_attrs, **trial.params},
        summary={**trial.user_attrs, **values, "_runtime": seconds},
        created=started,
        heartbeat=ended,
    )


def _times(trial: "FrozenTrial") -> tuple[Any, Any]:
    return trial.datetime_start, trial.datetime_complete
