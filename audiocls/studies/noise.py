"""Noise studies: a baseline on several seeds and folds, and how much it varies."""

from dataclasses import dataclass, replace

from audiocls.analysis.noise import Noise
from audiocls.config import digest
from audiocls.design import arms_of
from audiocls.errors import UsageError
from audiocls.formatting import plural
from audiocls.store import StudyFolder
from audiocls.store.reuse import noise_study
from audiocls.studies.ablation import prepare_ablation, resolved
from audiocls.studies.launch import Outcome, launch
from audiocls.studies.launch_summary import summary_of
from audiocls.studies.noise_estimate import measured_noise, write_noise
from audiocls.studies.options import Display, LaunchOptions
from audiocls.studies.program_ablation import ProgramStudy
from audiocls.studies.request import AblationRequest, launch_options_of
from audiocls.studies.resolve import Resolved

FEW_SEEDS = 3


@dataclass(frozen=True)
class MeasuredNoise:
    """How the launch of a noise study ended, and what was measured."""

    outcome: Outcome
    noise: Noise | None
    """None as long as the launch was stopped, or nothing is finished."""


def run_noise(request: AblationRequest, options: LaunchOptions, display: Display) -> MeasuredNoise:
    """Train the baseline of an ablation on its seeds and folds, and measure how much it varies."""
    baseline = baseline_alone(replace(request, launch_options=launch_options_of(options)))
    for text in baseline.notes:
        display.note(text)
    outcome = launch(prepare_ablation(baseline, options, display), display)
    if outcome.stopped_by != "signal":  # else `LaunchStopped` says it
        for text in summary_of(outcome, options.runs):
            display.note(text)
    if outcome.stopped_by or not outcome.counts["done"]:
        return MeasuredNoise(outcome, None)
    study, folder = outcome.study, StudyFolder(options.runs / outcome.study.name)
    name = (
        digest(baseline.configs[study.baseline])
        if isinstance(baseline, Resolved)
        else baseline.study.identities[study.baseline]
    )
    measured = measured_noise(folder, study, folder.records(study.cells), name)
    write_noise(folder, measured)
    return MeasuredNoise(outcome, measured)


def baseline_alone(request: AblationRequest) -> Resolved | ProgramStudy:
    """Return the study of the baseline's trials, with notes on what it cannot say.

    Raises `UsageError` where its trials could not differ.
    """
    ablation = request.ablation
    alone = replace(request, arms=next(iter(arms_of(ablation))), study=noise_study(ablation.name))
    chosen, _ = alone.plan()
    if len(chosen.blocks) < 2:
        raise UsageError(
            f"noise {request.name}: got one seed and one fold; wanted: two seeds or two folds at "
            "least, better three seeds, such as --seeds 0..2"
        )
    notes = []
    if len(chosen.seeds) < FEW_SEEDS:
        few = plural(len(chosen.seeds), "seed")
        notes.append(f"with {few}, what seeds do is a guess; better: --seeds 0..2 or more")
    if ablation.tune:
        tuned = ", ".join(ablation.tune)
        whose = "program's" if ablation.is_program else "recipe's"
        notes.append(
            f"the baseline is measured untuned, with the {whose} {tuned}: what its arms choose "
            "may make them vary more, or less"
        )
    baseline, stored = resolved(alone), request.stored("noise")
    study = replace(
        baseline.study,
        question=f"How much does the baseline of {ablation.name} vary by itself?",
        kind="noise",
        of=ablation.name,
        command=stored.line(),
        request=stored,
    )
    return replace(baseline, study=study, notes=tuple(notes))
