"""`import_results`: results that exist become a study that every report reads."""

from collections.abc import Mapping, Sequence
from typing import Any

from audiocls.api.arguments import Folder, known_options, runs_folder
from audiocls.api.study import Study, study_in
from audiocls.importing import sources
from audiocls.store import StudyFolder


@known_options
def import_results(
    source: Folder, *, arm: str | Sequence[str] = (), baseline: str | None = None,
    seed: str | None = None, fold: str | None = None, metric: str | None = None,
    goal: str | None = None, margin: float | None = None, secondary: str | Sequence[str] = (),
    match: str | None = None, study: str | None = None, group: str | None = None,
    where: str | Mapping[str, Any] | None = None, runs: Folder | None = None, progress: bool = True
) -> Study:  # fmt: skip
    """Make a study in `runs` of results that exist; again, bring it up to date.

    `source` is a CSV or Parquet table with a row for each trial, a folder `wandb/`, a W&B project
    or sweep (`me/birds`), an Optuna storage (`optuna:sqlite:///trials.db`) or an MLflow store
    (`mlflow:sqlite:///mlflow.db`). `arm`, `seed`, `fold` and `metric` name columns or keys;
    `secondary` has items `NAME:GOAL[:MARGIN]`; `group` chooses a W&B group, an Optuna study or an
    MLflow experiment; `where` is a filter in W&B's grammar. The study's name is by default that of
    the source. Raises `UsageError` with all faults at once, and nothing is written then.

    >>> import audiocls
    >>> study = audiocls.import_results("results.csv", arm="net", baseline="cnn", seed="seed",
    ...                                 metric="acc", goal="maximize")  # doctest: +SKIP
    >>> study.compare().verdicts  # doctest: +SKIP
    {'ast': 'better'}
    """
    from audiocls.console.bar import counting

    def watch(done: int, total: int) -> None:
        if progress:
            count("import", done, total)

    folder = runs_folder(runs)
    with counting("runs") as count:
        imported = sources.import_results(
            str(source), arm=arm, baseline=baseline, seed=seed, fold=fold, metric=metric,
            goal=goal, margin=margin, secondary=secondary, match=match, study=study, group=group,
            where=where, runs=folder,
            watch=watch,
        )  # fmt: skip
    return study_in(StudyFolder(folder / imported.study.name), imported=imported)
