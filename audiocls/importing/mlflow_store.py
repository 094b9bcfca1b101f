"""An MLflow store: the runs of one of its experiments."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from audiocls.errors import UsageError, did_you_mean
from audiocls.importing.results import Results
from audiocls.importing.tables import number_of
from audiocls.tracking.project import RemoteRun

STATES = {"FINISHED": "finished", "RUNNING": "running", "SCHEDULED": "pending"}
SYSTEM_TAGS = "mlflow."
"""Prefix of the tags that MLflow sets."""


def read_mlflow(uri: str, experiment: str | None = None) -> Results:
    """Return the runs of an experiment by its name, or of the only one that has runs.

    `uri` is a tracking URI: `sqlite:///mlflow.db`, a server's address, or a folder `mlruns` where
    MLflow still reads one. Parameters and tags are the configuration, the last values of metrics
    the summary. Raises `UsageError` where MLflow is not installed or cannot read the store.
    """
    if find_spec("mlflow") is None:
        raise UsageError(
            f"mlflow:{uri}: mlflow is not installed: run `pip install 'audiocls[mlflow]'`, or "
            "export the runs as CSV (`mlflow runs list`, `search_runs`) and import that"
        )
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    try:
        return results_of(MlflowClient(uri), uri, experiment)
    except (MlflowException, OSError, ImportError) as error:
        raise UsageError(f"mlflow:{uri}: MLflow cannot read it ({error})") from error


def results_of(client: Any, uri: str, experiment: str | None) -> Results:
    """Return the runs that a client of MLflow reads."""
    known: dict[str, str] = {e.name: e.experiment_id for e in client.search_experiments()}
    chosen = {name: id_ for name, id_ in known.items() if experiment in (None, name)}
    if experiment is not None and not chosen:
        raise UsageError(
            f"mlflow:{uri}: no experiment {experiment!r}; experiments: {', '.join(known)}."
            f"{did_you_mean(experiment, known)}"
        )
    runs_of = {name: list(_runs(client, each)) for name, each in chosen.items()}
    filled = [name for name, runs in runs_of.items() if runs]
    if len(filled) > 1:
        raise UsageError(
            f"mlflow:{uri}: choose an experiment with --group NAME: {', '.join(filled)}"
        )
    name = filled[0] if filled else next(iter(chosen), uri)
    runs = [_run_of(run) for run in runs_of.get(name, ())]

    def history(run_id: str) -> Sequence[Mapping[str, Any]]:
        metrics = next(run.summary for run in runs if run.id == run_id)
        return [
            {"_step": point.step, metric: point.value}
            for metric in metrics
            if not metric.startswith("_")
            for point in client.get_metric_history(run_id, metric)
        ]

    return Results(name, runs, "MLflow", history=history)


def _runs(client: Any, experiment_id: str) -> Iterator[Any]:
    """Yield the runs that were not deleted, page by page."""
    token = None
    while True:
        page = client.search_runs([experiment_id], page_token=token)
        yield from page
        if not (token := page.token):
            return


def _run_of(run: Any) -> RemoteRun:
    info, data = run.info, run.data
    tags = {name: text for name, text in data.tags.items() if not name.startswith(SYSTEM_TAGS)}
    both = info.start_time is not None and info.end_time is not None
    seconds = (info.end_time - info.start_time) / 1000 if both else None
    return RemoteRun(
        id=info.run_id,
        name=info.run_name or info.run_id,
        state=STATES.get(info.status, info.status.lower()),
        config={name: number_of(text) for name, text in {**tags, **data.params}.items()},
        summary={**data.metrics, "_runtime": seconds},
        commit=data.tags.get("mlflow.source.git.commit", ""),
        created=_time(info.start_time),
        heartbeat=_time(info.end_time),
    )


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()
