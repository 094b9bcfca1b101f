"""audiocls: sweeps and ablations for audio classification, with statistically sound verdicts.

Ablation     *Does this matter?* A base recipe, factors, a design, blocks (seeds x folds), a metric.
Sweep        *What works best?* A W&B sweep configuration; ablations can be registered as one.
Trial        One recipe, arm, seed and fold; its id is the hash of its resolved configuration.
Record       What a finished trial leaves in the store: metrics, cost, provenance.
Study        A launched ablation or sweep: a folder with the request, its trials and their records.
TrialSource  Which trial a study runs next: a plan, interim analyses, a search, or a W&B server.
TrialJob     One trial as an executor gets it: trained in a worker, or a program of the user's.
Family       The Contrasts (an arm against its reference, an effect) that one report tests together,
             under one correction for multiple testing; each gets a verdict.
Document     A report as titles, text, tables, figures and sound, which every format renders.

Names are loaded when they are first used: `import audiocls` takes milliseconds. docs/python.md is
the guide, docs/api.md the reference.
"""

TYPE_CHECKING = False  # known to type checkers; `typing` takes longer to load than all of this
if TYPE_CHECKING:
    from audiocls.api.catalogue import Catalogue as Catalogue
    from audiocls.api.comparison import Comparison as Comparison, compare as compare
    from audiocls.api.data import (
        DataCheck as DataCheck,
        FetchedData as FetchedData,
        check_data as check_data,
        fetch_data as fetch_data,
        list_data as list_data,
        make_data as make_data,
        write_manifest as write_manifest,
    )
    from audiocls.api.exporting import Exported as Exported, export as export
    from audiocls.api.following import logs as logs, watch as watch
    from audiocls.api.importing import import_results as import_results
    from audiocls.api.launching import launch as launch
    from audiocls.api.live import LivePage as LivePage, serve as serve
    from audiocls.api.models import (
        Evaluation as Evaluation,
        Predictions as Predictions,
        evaluate as evaluate,
        predict as predict,
        show as show,
    )
    from audiocls.api.noise import Noise as Noise
    from audiocls.api.parts import (
        add_path as add_path,
        list_parts as list_parts,
        trust as trust,
    )
    from audiocls.api.planning import Plan as Plan, plan as plan
    from audiocls.api.questions import (
        doctor as doctor,
        list_ablations as list_ablations,
        list_sweeps as list_sweeps,
        read_ablation as read_ablation,
        read_sweep as read_sweep,
    )
    from audiocls.api.recipes import (
        Recipe as Recipe,
        copy_recipe as copy_recipe,
        list_recipes as list_recipes,
        new_ablation as new_ablation,
        read_recipe as read_recipe,
    )
    from audiocls.api.report import Figure as Figure, Report as Report
    from audiocls.api.server import (
        Registered as Registered,
        agent as agent,
        push as push,
        register as register,
        sync as sync,
    )
    from audiocls.api.status import Status as Status
    from audiocls.api.studies import (
        report as report,
        retry as retry,
        status as status,
        stop as stop,
    )
    from audiocls.api.study_folders import (
        archive_study as archive_study,
        delete_study as delete_study,
        list_studies as list_studies,
        rename_study as rename_study,
    )
    from audiocls.api.study import LaunchStopped as LaunchStopped, Study as Study
    from audiocls.api.training import Trial as Trial, noise as noise, train as train
    from audiocls.errors import AudioclsError as AudioclsError
    from audiocls.result import report_result as report_result

__version__ = "0.1.0"

_MODULES = {
    "AudioclsError": "audiocls.errors",
    "Catalogue": "audiocls.api.catalogue",
    "Comparison": "audiocls.api.comparison",
    "DataCheck": "audiocls.api.data",
    "Evaluation": "audiocls.api.models",
    "Exported": "audiocls.api.exporting",
    "FetchedData": "audiocls.api.data",
    "Figure": "audiocls.api.report",
    "LaunchStopped": "audiocls.api.study",
    "LivePage": "audiocls.api.live",
    "Noise": "audiocls.api.noise",
    "Plan": "audiocls.api.planning",
    "Predictions": "audiocls.api.models",
    "Recipe": "audiocls.api.recipes",
    "Registered": "audiocls.api.server",
    "Report": "audiocls.api.report",
    "Status": "audiocls.api.status",
    "Study": "audiocls.api.study",
    "Trial": "audiocls.api.training",
    "add_path": "audiocls.api.parts",
    "agent": "audiocls.api.server",
    "archive_study": "audiocls.api.study_folders",
    "check_data": "audiocls.api.data",
    "compare": "audiocls.api.comparison",
    "copy_recipe": "audiocls.api.recipes",
    "delete_study": "audiocls.api.study_folders",
    "doctor": "audiocls.api.questions",
    "evaluate": "audiocls.api.models",
    "export": "audiocls.api.exporting",
    "fetch_data": "audiocls.api.data",
    "import_results": "audiocls.api.importing",
    "launch": "audiocls.api.launching",
    "list_ablations": "audiocls.api.questions",
    "list_data": "audiocls.api.data",
    "list_parts": "audiocls.api.parts",
    "list_recipes": "audiocls.api.recipes",
    "list_studies": "audiocls.api.study_folders",
    "list_sweeps": "audiocls.api.questions",
    "logs": "audiocls.api.following",
    "make_data": "audiocls.api.data",
    "new_ablation": "audiocls.api.recipes",
    "noise": "audiocls.api.training",
    "plan": "audiocls.api.planning",
    "predict": "audiocls.api.models",
    "push": "audiocls.api.server",
    "read_ablation": "audiocls.api.questions",
    "read_recipe": "audiocls.api.recipes",
    "read_sweep": "audiocls.api.questions",
    "register": "audiocls.api.server",
    "rename_study": "audiocls.api.study_folders",
    "report": "audiocls.api.studies",
    "report_result": "audiocls.result",
    "retry": "audiocls.api.studies",
    "serve": "audiocls.api.live",
    "show": "audiocls.api.models",
    "status": "audiocls.api.studies",
    "stop": "audiocls.api.studies",
    "sync": "audiocls.api.server",
    "train": "audiocls.api.training",
    "trust": "audiocls.api.parts",
    "watch": "audiocls.api.following",
    "write_manifest": "audiocls.api.data",
}
"""Name → the module that it is loaded from."""

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> object:
    """Load a name when it is first used."""
    from importlib import import_module

    if name not in _MODULES:
        from difflib import get_close_matches

        near = get_close_matches(name, _MODULES, n=1)
        hint = f". Did you mean: {near[0]!r}?" if near else ""
        raise AttributeError(f"module 'audiocls' has no attribute {name!r}{hint}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return what can be used, loaded or not."""
    return sorted({*globals(), *__all__})
