"""`run`: what `audiocls sweep launch` asks for, run to its end or until it is stopped."""

from collections.abc import Sequence
from dataclasses import replace

from audiocls.store import Choice, StudyFolder
from audiocls.studies.ablation import prepare, resolved
from audiocls.studies.growth import check_growth
from audiocls.studies.launch import Outcome, launch
from audiocls.studies.options import Display, LaunchOptions
from audiocls.studies.request import AblationRequest, SweepRequest
from audiocls.studies.search import prepare_search
from audiocls.studies.tuning.run import tune


def run(
    request: AblationRequest | SweepRequest, options: LaunchOptions, display: Display
) -> Outcome:
    """Launch an ablation, its tuning trials first, or a search.

    The outcome is that of the tuning trials where nothing of the study itself can be trained now.
    """
    blocked: tuple[Choice, ...] = ()
    if isinstance(request, SweepRequest):
        _note(request.notes, display)
        prepared = prepare_search(request, options, display)
    else:
        study = resolved(request)
        _note(study.notes, display)
        tuned = tune(request, study, options, display)
        if (ending := tuned.ending) is not None:
            return ending
        folder = StudyFolder(options.runs / study.study.name)
        checked = check_growth(tuned.resolved, folder)
        prepared, blocked = prepare(checked, tuned.options, display), tuned.blocked
    with display.watching() as watch:
        return replace(launch(prepared, watch), blocked=blocked)


def _note(notes: Sequence[str], display: Display) -> None:
    for text in notes:
        display.note(text)
