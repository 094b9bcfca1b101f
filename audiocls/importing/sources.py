"""`import_results`: one call for every source, which its name tells."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from audiocls.errors import UsageError
from audiocls.importing.cells import ImportOptions
from audiocls.importing.launched_sweep import name_by_arms, read_sweep, sweep_folder
from audiocls.importing.mlflow_store import read_mlflow
from audiocls.importing.optuna_storage import read_optuna
from audiocls.importing.results import Results
from audiocls.importing.study import Imported, Watch, check_imported, store_results
from audiocls.importing.tables import CSV, PARQUET, read_table
from audiocls.importing.wandb_logs import read_wandb_folder
from audiocls.importing.wandb_project import import_study, source_of
from audiocls.named_paths import exists, is_dir, is_file
from audiocls.store import Objective, Request, StudyFolder, folder_name
from audiocls.studies.request import check_folder_name

WANDB, OPTUNA, MLFLOW = "wandb:", "optuna:", "mlflow:"
ALLOWED = (
    f"a table ({', '.join(CSV + PARQUET)}), a sweep launched here, a folder wandb, "
    "ENTITY/PROJECT[/SWEEP] of W&B, optuna:sqlite:///FILE or optuna:JOURNAL.log, or mlflow:URI"
)
MARGIN = 0.01


def import_results(
    source: str,
    *,
    arm: str | Sequence[str] = (),
    baseline: str | None = None,
    metric: str | None = None,
    goal: str | None = None,
    seed: str | None = None,
    fold: str | None = None,
    margin: float | None = None,
    secondary: str | Sequence[str] = (),
    match: str | None = None,
    study: str | None = None,
    group: str | None = None,
    where: str | Mapping[str, Any] | None = None,
    runs: str | Path = "runs",
    watch: Watch = lambda done, total: None,
) -> Imported:
    """Make a study in `runs` of results that exist; again, bring it up to date.

    `source` is a CSV or Parquet table with a row for each trial, a sweep launched here (its name or
    folder), a folder `wandb/`, a W&B project or sweep (`me/birds`), an Optuna storage
    (`optuna:sqlite:///trials.db`) or an MLflow store (`mlflow:sqlite:///mlflow.db`). `arm`, `seed`,
    `fold` and `metric` name columns or keys; `secondary` has items `NAME:GOAL[:MARGIN]`; `group`
    chooses a W&B group, an Optuna study or an MLflow experiment; `where` is a filter in W&B's
    grammar; `study` is by default the source's name. Raises `UsageError` with all faults at once.
    """
    check_folder_name(study)
    sweep = sweep_folder(source, Path(runs))
    options = ImportOptions(
        study or _name(source, sweep, arm), tuple(_parts(arm)), baseline, seed, fold, metric, goal,
        margin, tuple(map(objective_of, _parts(secondary))), match or "epochs",
    )  # fmt: skip
    check_imported(folder := StudyFolder(Path(runs) / options.study))
    request = _request(source, options, group, where)
    if sweep is None and _is_project(source):
        return _import_project(folder, source, options, request, group, filter_of(where), watch)
    _check_options(source, where, group if sweep else None)
    results = read_sweep(sweep) if sweep else _read(source, options, group)
    return store_results(folder, results, _with_keys(options, results), request, watch)


def _check_options(
    source: str, where: str | Mapping[str, Any] | None, group_of_sweep: str | None
) -> None:
    """Raise `UsageError` for options that the source has no use for."""
    if where is not None:
        raise UsageError(f"--where: no effect on {source}; it filters the runs of a W&B project")
    if group_of_sweep is not None:
        raise UsageError(f"--group: no effect on the sweep {source}; leave it out")


def _name(source: str, sweep: StudyFolder | None, arm: str | Sequence[str]) -> str:
    return default_name(source) if sweep is None else name_by_arms(sweep.name, _parts(arm))


def _with_keys(options: ImportOptions, results: Results) -> ImportOptions:
    """Return the options with the keys of seed and fold that the source itself names."""
    seed, fold = options.seed or results.seed, options.fold or results.fold
    return replace(options, seed=seed, fold=fold)


def _request(
    source: str, options: ImportOptions, group: str | None, where: str | Mapping[str, Any] | None
) -> Request:
    """Return the command line that brings the study up to date."""
    secondary = (f"{each.name}:{each.goal}:{each.margin:g}" for each in options.secondary)
    given = {
        "arm": ",".join(options.arm),
        "baseline": options.baseline,
        "seed": options.seed,
        "fold": options.fold,
        "metric": options.metric,
        "goal": options.goal,
        "margin": None if options.margin is None else f"{options.margin:g}",
        "secondary": ",".join(secondary),
        "match": options.match if options.match != ImportOptions.match else None,
        "group": group,
        "where": json.dumps(where) if isinstance(where, Mapping) else where,
    }
    words = {f"--{option}": value for option, value in given.items() if value}
    return Request("import", source, options.study, options=words)


def _parts(texts: str | Sequence[str]) -> list[str]:
    listed = texts.split(",") if isinstance(texts, str) else texts
    return [text.strip() for text in listed if text.strip()]


def default_name(source: str) -> str:
    """Return the name of the study where none is given.

    >>> default_name("results/2026 run.csv"), default_name("me/birds"), default_name("logs/wandb")
    ('2026 run', 'birds', 'logs')
    """
    path = Path(source.rpartition(":")[2].split("?")[0])
    if path.name == "wandb":
        path = path.absolute().parent
    is_file = path.suffix.lower() in (*CSV, *PARQUET, ".db", ".log", ".sqlite", ".sqlite3")
    return folder_name(path.stem if is_file else path.name) or "imported"


def objective_of(text: str) -> Objective:
    """Parse `NAME:GOAL[:MARGIN]`; raises `UsageError` for any other text.

    >>> objective_of("loss:minimize:0.1")
    Objective(name='loss', goal='minimize', margin=0.1)
    """
    name, *rest = text.split(":")
    try:
        margin = float(rest[1]) if len(rest) == 2 else MARGIN
    except ValueError:
        rest = []
    if not name or len(rest) not in (1, 2):
        raise UsageError(
            f"--secondary: got {text!r}; wanted: NAME:maximize or NAME:minimize, with :MARGIN in "
            "units of the metric after it if that is not 0.01"
        )
    return Objective(name, rest[0], margin)


def filter_of(where: str | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return a filter in W&B's grammar; raises `UsageError` for text that is none."""
    if where is None or isinstance(where, Mapping):
        return where
    try:
        filters = json.loads(where)
    except json.JSONDecodeError as error:
        raise UsageError(f"--where: got {where!r}, which is not JSON ({error})") from error
    if not isinstance(filters, dict):
        raise UsageError(f'--where: got {where!r}; wanted: such as {{"config.optimizer": "adam"}}')
    return filters


def _is_project(source: str) -> bool:
    """Whether the source is on a W&B server: no file has its name, and it looks like none."""
    if source.startswith(WANDB):
        return True
    is_table = Path(source).suffix.lower() in CSV + PARQUET
    is_other = source.startswith((OPTUNA, MLFLOW)) or is_table or exists(Path(source))
    return not is_other and source.count("/") in (1, 2) and not source.startswith((".", "/"))


def is_source(text: str) -> bool:
    """Whether a text names results to import, and not a study.

    `runs/dropout` may be a project of W&B or the path of a study: it is a path where `runs` is.
    """
    path = Path(text).expanduser()
    if text.startswith((WANDB, OPTUNA, MLFLOW)) or path.suffix.lower() in CSV + PARQUET:
        return True
    if path.is_dir():
        return path.name == "wandb"
    return _is_project(text) and not Path(path.parts[0]).exists()


def _import_project(
    folder: StudyFolder,
    source: str,
    options: ImportOptions,
    request: Request,
    group: str | None,
    where: Mapping[str, Any] | None,
    watch: Watch,
) -> Imported:
    from audiocls.tracking.wandb.connection import Connection
    from audiocls.tracking.wandb.project import WandbProject

    project = source_of(source.removeprefix(WANDB), group, where)
    return import_study(folder, WandbProject(Connection()), project, options, request, watch)


def _read(source: str, options: ImportOptions, group: str | None) -> Results:
    """Return what a source on this machine holds, or one that its own client reads."""
    if source.startswith(OPTUNA):
        results = read_optuna(source.removeprefix(OPTUNA), group)
        return replace(results, identity=f"{source} {results.name}")
    if source.startswith(MLFLOW):
        results = read_mlflow(source.removeprefix(MLFLOW), group)
        return replace(results, identity=f"{source} {results.name}")
    path = Path(source).expanduser()
    results = read_wandb_folder(path, group) if is_dir(path) else _read_file(path, options, group)
    return replace(results, name=source)


def _read_file(path: Path, options: ImportOptions, group: str | None) -> Results:
    if not is_file(path):
        raise UsageError(f"there is no file or folder {str(path)!r}; wanted: {ALLOWED}")
    if path.suffix.lower() not in CSV + PARQUET:
        raise UsageError(f"{path}: of an unknown kind; wanted: {ALLOWED}")
    if group is not None:
        raise UsageError(f"--group: no effect on the table {path}; leave it out")
    keys = [key for key in (*options.arm, options.seed, options.fold) if key]
    metrics = [options.metric, *(each.name for each in options.secondary)]
    return read_table(path, keys, [name for name in metrics if name])
