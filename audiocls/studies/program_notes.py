"""What the launch of a sweep over a program says before its first trial.

Which trials of before are reused and which are not, and what the program asks of W&B that it will
not get here.
"""

from collections.abc import Iterator

from audiocls.execution.external.code import ProgramCode
from audiocls.formatting import join_names, plural
from audiocls.search import fixed_keys
from audiocls.search.command import DEFAULT_COMMAND, HANDS_ON
from audiocls.store import SearchPlan, Study, StudyFolder
from audiocls.studies.command_trials import CommandTrials
from audiocls.studies.sweep_request import SweepRequest
from audiocls.tracking import WandbMode

MOST_CALLS = 3
HARMLESS = (
    "name",
    "description",
    "run_cap",
    "entity",
    "project",
    "code",
    "blocks",
    "early_terminate",
)
"""Keys of a sweep that change which trials are run, but not what any of them is."""


def program_notes(
    request: SweepRequest, folder: StudyFolder, study: Study, trials: CommandTrials
) -> Iterator[str]:
    """Yield a sentence for each thing that a user of this program should know now."""
    now, code = study.search, trials.code
    assert now is not None
    if folder.exists() and (before := folder.study().search) is not None:
        yield from _notes_on_before(folder, before, now, code)
    if not code.files:
        yield (
            f"no file of the program was found in {code.cwd}: a change of it would not be noticed. "
            f"Name what decides its numbers in {request.file}, such as code: [src/**/*.py]"
        )
    yield from _notes_on_parameters(request, code)
    yield from _notes_on_wandb(code, trials.tracking.mode, bool(trials.tracking.sweep_id))


def _notes_on_before(
    folder: StudyFolder, before: SearchPlan, now: SearchPlan, code: ProgramCode
) -> Iterator[str]:
    """Tell what is not as it was when the study was launched last."""
    if before.folder != now.folder:
        yield f"launched before in {before.folder}; its programs are now started in {now.folder}"
    if before.file and before.file != now.file:
        yield f"launched before from {before.file}, which is gone; it continues with {now.file}"
    keys = {*before.sweep, *now.sweep} - {*HARMLESS}
    changed = sorted(key for key in keys if before.sweep.get(key) != now.sweep.get(key))
    if changed:
        yield (
            f"{now.file} has changed since the last launch ({', '.join(changed)}): the trials of "
            f"before that are in {folder.path} are ranked with the new ones"
        )
    if before.code != now.code:
        yield from _note_on_code(folder, before, code)


def _note_on_code(folder: StudyFolder, before: SearchPlan, code: ProgramCode) -> Iterator[str]:
    states = folder.states([p for p in folder.all_proposals() if p.code == before.code])
    num_done = list(states.values()).count("done")
    if num_done:
        was = f"digest {before.code}" if before.code else "unknown, of an early version"
        yield (
            f"{code.names() or 'the program'} has changed since the last launch (its code was "
            f"{was}): {plural(num_done, 'trial')} of before in {folder.path} are kept, and "
            "neither reused nor ranked; undo the change to return to them"
        )


def _notes_on_parameters(request: SweepRequest, code: ProgramCode) -> Iterator[str]:
    """Tell where no way can be seen on which the parameters reach the program."""
    command = request.sweep.command or DEFAULT_COMMAND
    is_handed_on = any(macro in item for item in command for macro in HANDS_ON)
    if code.files and not is_handed_on and not code.reads_parameters():
        varied = [
            n for n in request.sweep.parameters if n not in fixed_keys(request.sweep.parameters)
        ]
        yield (
            f"nothing hands {join_names(varied) or 'the parameters'} on: the command has no "
            f"${{args}}, and {code.names()} reads no wandb.config"
        )


def _notes_on_wandb(code: ProgramCode, mode: WandbMode, has_sweep: bool) -> Iterator[str]:
    """Tell what the program asks of W&B and cannot get."""
    if mode == "online":
        if not has_sweep and (where := code.reads_sweep()):
            yield (
                f"{where} asks whether it is in a sweep: this launch has none on W&B's server, so "
                "the answer will be no. Launch with --executor wandb, or with --wandb offline"
            )
        return
    calls = list(code.server_calls())
    if calls:
        named = join_names(calls, MOST_CALLS)
        yield f"{named} needs W&B's server, and this launch has none: such a call will fail"
