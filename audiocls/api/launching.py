"""`launch`: what is missing of a study is run."""

from audiocls.api.arguments import (
    Assignments,
    Folder,
    Names,
    Numbers,
    assignments_of,
    known_options,
    names_text,
    numbers_text,
    runs_folder,
)
from audiocls.api.display import Progress, display_of
from audiocls.api.study import Study, raise_if_stopped, study_in
from audiocls.errors import UsageError
from audiocls.store import StudyFolder
from audiocls.studies.launch import Outcome
from audiocls.studies.launch import launch as launch_study
from audiocls.studies.options import LaunchOptions
from audiocls.studies.prepare import LaunchRequest, prepare


@known_options
def launch(
    name: str, *, recipe: str | None = None, set: Assignments | None = None,
    seeds: Numbers | None = None, folds: Numbers | None = None, arms: Names | None = None,
    study: str | None = None, runs: Folder | None = None, executor: str = "local",
    devices: str = "auto", workers: int | None = None, max_hours: float | None = None,
    retries: int = 0, count: int | None = None, trial_hours: float | None = None,
    until_decided: bool = False, max_pairs: int | None = None, effect: float | None = None,
    wandb: str | None = None, tensorboard: bool = False, log_model: bool = False,
    per_device: str | int = "1", progress: Progress = True
) -> Study:  # fmt: skip
    """Run every missing trial of an ablation or a sweep; return the study, to compare and report.

    The same call resumes. Failed trials raise nothing: `study.status()` names them, and
    `study.outcome` says how the launch ended. `progress` is shown where the call is made, with a
    summary at the end; False shows nothing. Raises `LaunchStopped` when a signal has stopped it.

    >>> import audiocls
    >>> study = audiocls.launch("dropout", seeds=range(5), wandb="offline")  # doctest: +SKIP
    >>> study.compare().verdicts  # doctest: +SKIP
    {'dropout=0.05': 'no_evidence', 'dropout=0.1': 'no_evidence', 'dropout=0.25': 'worse'}
    """
    options = LaunchOptions(
        runs_folder(runs), wandb, executor, devices, workers, max_hours, retries, tensorboard,
        log_model, per_device=str(per_device),
    )  # fmt: skip
    request = LaunchRequest(
        name, recipe, assignments_of(set), numbers_text(seeds, "seeds"),
        numbers_text(folds, "folds"), names_text(arms), study, count, trial_hours, until_decided,
        max_pairs, effect,
    ).read()  # fmt: skip
    if options.is_on_server:
        raise UsageError(
            "executor: a W&B server orders the trials of a sweep: create it with audiocls.push(), "
            "and run it with audiocls.agent(); allowed here: local, inline"
        )
    display = display_of(progress)
    prepared = prepare(request, options, display)
    outcome = prepared if isinstance(prepared, Outcome) else launch_study(prepared, display)
    return _ended(outcome, options, progress)


def _ended(outcome: Outcome, options: LaunchOptions, progress: Progress) -> Study:
    """Return the study of a launch; raise `LaunchStopped` if a signal has stopped it."""
    launched = study_in(StudyFolder(options.runs / outcome.study.name), outcome)
    if progress is True and outcome.study.kind != "tuning":  # shown when its trials had ended
        for text in launched.summary():
            display_of(progress).note(text)
    raise_if_stopped(launched)
    return launched
