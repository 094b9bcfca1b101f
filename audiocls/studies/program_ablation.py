"""Ablations over a program of the user's: from a plan to the commands that are its trials."""

import hashlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audiocls.design import Ablation, Plan
from audiocls.errors import ConfigError, UsageError, did_you_mean
from audiocls.execution.external.code import ProgramCode, program_code
from audiocls.execution.external.command import program_words
from audiocls.execution.job import CommandJob, CommandSpec, TrackingConfig, TrialJob
from audiocls.formatting import format_arm, join_names
from audiocls.search import Sweep, check_sweep
from audiocls.search.command import DEFAULT_COMMAND, HANDS_ON
from audiocls.store import Cell, Request, Study, StudyFolder
from audiocls.studies.command_trials import plain
from audiocls.studies.resolve import check_factors_are_free, secondary_of
from audiocls.studies.runnable import check_arms_differ

MOST_SHOWN = 5
"""Scripts that an error names."""


@dataclass(frozen=True)
class ProgramStudy:
    """A study that can be launched: its plan, and the program that each of its cells runs."""

    study: Study
    ablation: Ablation
    overrides: Mapping[str, Any]
    """Parameters that are the same in every trial."""
    code: ProgramCode
    notes: tuple[str, ...] = ()
    timeout_s: float | None = None
    tuned: Mapping[tuple[str, int], Mapping[str, Any]] = field(default_factory=dict)
    """Arm and fold → the parameters that the arm chose for that fold."""

    def only(self, arm: str) -> "ProgramStudy":
        """Return the study with that arm's cells alone."""
        cells = tuple(cell for cell in self.study.cells if cell.arm == arm)
        return replace(self, study=replace(self.study, cells=cells))

    def parameters(self, cell: Cell) -> dict[str, Any]:
        """Return what the program gets in that cell, its seed and fold last."""
        block = {"seed": cell.seed, "fold": cell.fold}
        keys = self.ablation.block_parameters
        changes = {**self.overrides, **self.study.arms[cell.arm]}
        chosen = self.tuned.get((cell.arm, cell.fold), {})
        return {**changes, **chosen, **{key: block[name] for name, key in keys.items()}}

    def with_choices(self, chosen: Mapping[tuple[str, int], Mapping[str, Any]]) -> "ProgramStudy":
        """Return the study with what its arms chose; arms and folds without a choice have no cells.

        `chosen` maps arm and fold to parameters.
        """
        cells = tuple(
            replace(cell, id=self._id_of(cell, chosen[cell.arm, cell.fold]))
            for cell in self.study.cells
            if (cell.arm, cell.fold) in chosen
        )
        return replace(self, study=replace(self.study, cells=cells), tuned=chosen)

    def _id_of(self, cell: Cell, chosen: Mapping[str, Any]) -> str:
        parameters = {**self.overrides, **self.study.arms[cell.arm], **chosen}
        return cell_id(_identity(self.ablation, self.code, parameters), cell.seed, cell.fold)

    def job_of(self, cell: Cell, folder: StudyFolder, tracking: TrackingConfig) -> CommandJob:
        """Return the job of one cell."""
        return TrialJob(
            id=cell.id,
            label=f"{format_arm(cell.arm)} {cell.block_label(self.study.num_folds)}",
            study=folder.tracked_name,
            study_folder=folder.path,
            trial=folder.trial(cell.id),
            spec=self._spec(cell),
            tracking=tracking,
            seed=cell.seed,
            fold=cell.fold,
            parameters=self.parameters(cell),
        )

    def _spec(self, cell: Cell) -> CommandSpec:
        ablation = self.ablation
        return CommandSpec(
            cwd=str(self.code.cwd),
            program=ablation.program,
            command=ablation.command,
            metric=self.study.metric,
            timeout_s=self.timeout_s,
            code=self.code.digest,
            block={"seed": cell.seed, "fold": cell.fold},
        )


def program_study(
    plan: Plan,
    overrides: Mapping[str, Any],
    name: str,
    request: Request | None = None,
    timeout_s: float | None = None,
) -> ProgramStudy:
    """Return the study with the ids of all its cells, its program read where it lies.

    Raises `ConfigError` for a program that is not there and for arms that are one and the same.
    """
    ablation, cwd = plan.ablation, Path.cwd()
    _check_parameters(plan, overrides)
    code = _code_of(ablation, cwd)
    shared = {**ablation.base(), **overrides}
    identities = {
        arm: _identity(ablation, code, {**shared, **changes}) for arm, changes in plan.arms.items()
    }
    check_arms_differ(plan, identities)
    command = request.line() if request else ""
    whole = replace(_study_of(plan, code, identities), name=name, overrides=shared)
    study = replace(whole, command=command, request=request)
    return ProgramStudy(study, ablation, shared, code, study.notes, timeout_s)


def _study_of(plan: Plan, code: ProgramCode, identities: dict[str, str]) -> Study:
    ablation = plan.ablation
    return Study(
        name=ablation.name,
        question=ablation.question,
        program=command_of(ablation),
        code=code.digest,
        design=plan.design,
        metric=ablation.metric.name,
        goal=ablation.metric.goal,
        baseline=plan.baseline,
        arms=plan.arms,
        references=plan.references,
        factors=plan.factors,
        secondary=secondary_of(ablation),
        num_folds=num_folds_of(plan),
        cells=tuple(
            Cell(cell_id(identities[arm], seed, fold), arm, seed, fold)
            for arm, seed, fold in plan.cells
        ),
        identities=identities,
        **ablation.judgement(),
        notes=(*plan.notes, *_notes(code, ablation)),
    )


def num_folds_of(plan: Plan) -> int:
    """Return how many folds the program's data has, as far as its ablation and the plan say."""
    listed = len(plan.ablation.blocks.fold)
    return max(plan.ablation.num_folds or listed, len(plan.folds))


def command_of(ablation: Ablation) -> str:
    """Return what every trial runs, without its parameters, for people."""
    return shlex.join(ablation.command) if ablation.command else ablation.program


def baseline_identity(plan: Plan, overrides: Mapping[str, Any]) -> str:
    """Return the digest by which measurements of the plan's baseline are known."""
    study = program_study(plan, overrides, plan.ablation.name).study
    return study.identities[study.baseline]


def _check_parameters(plan: Plan, overrides: Mapping[str, Any]) -> None:
    check_factors_are_free(plan, overrides)
    taken = [key for key in overrides if key in plan.ablation.block_parameters.values()]
    if taken:
        fault = f"{taken[0]}: it is a block; narrow or extend its values with --seeds or --folds"
        raise ConfigError("--set", [fault])


def check_blocks(ablation: Ablation, folds: Sequence[int]) -> None:
    """Raise `UsageError` for folds that the program would never get."""
    if {*folds} != {*ablation.blocks.fold} and "fold" not in ablation.block_parameters:
        raise UsageError(
            f"--folds: got {', '.join(map(str, folds))}; the program of {ablation.name} gets no "
            "fold: list them in its file, such as blocks: {fold: [1, 2, 3]}, passed as --fold=1 "
            "(or by `block_keys`)"
        )


def _code_of(ablation: Ablation, cwd: Path) -> ProgramCode:
    """Return the program's files.

    Raises `ConfigError` where the script is not there, and for macros that would hand on nothing.
    """
    _check_command(ablation)
    named = program_words(ablation.command, ablation.program, os.environ)
    is_module = (
        "-m" in named[: named.index(ablation.program)] if ablation.program in named else True
    )
    if ablation.program and not is_module and not (cwd / ablation.program).is_file():
        scripts = sorted(file.name for file in cwd.glob("*.py"))
        raise ConfigError(
            ablation.name,
            [
                f"program: got {ablation.program!r}, which is no file in {cwd}; scripts there: "
                f"{join_names(scripts, MOST_SHOWN) or 'none'}."
                f"{did_you_mean(ablation.program, scripts)} Its options belong into `command` or "
                "`overrides`"
            ],
        )
    sweep = Sweep(
        method="grid",
        parameters={},
        name=ablation.name,
        program=ablation.program,
        command=ablation.command,
        code=ablation.code,
    )
    return program_code(sweep, cwd)


def _check_command(ablation: Ablation) -> None:
    words = {"command": list(ablation.command)} if ablation.command else {}
    parameters = {"parameters": {"any": {"value": 0}}}
    checked = check_sweep({"method": "grid", "program": ablation.program, **words, **parameters})
    if odd := [note for note in checked.notes if note.startswith("command")]:
        raise ConfigError(ablation.name, odd)


def _notes(code: ProgramCode, ablation: Ablation) -> Iterator[str]:
    if not code.digest:
        yield (
            "No file of the program is known, so an edit of it is not noticed: its finished trials "
            "would be used again. Name its files in `code`."
        )
    command = ablation.command or DEFAULT_COMMAND
    is_handed_on = any(macro in item for item in command for macro in HANDS_ON)
    if code.files and not is_handed_on and not code.reads_parameters():
        yield (
            f"Nothing hands the parameters on: `command` has no ${{args}}, and {code.names()} "
            "reads no wandb.config. All arms would be the same."
        )


def _identity(ablation: Ablation, code: ProgramCode, parameters: Mapping[str, Any]) -> str:
    """Return the digest of all that decides a trial, its seed and fold left out."""
    words = [ablation.program, list(ablation.command)]
    return digest_of([*words, code.digest, ablation.block_parameters], parameters)


def cell_id(identity: str, seed: int, fold: int) -> str:
    """Return the id of a trial of an arm with that identity."""
    return digest_of(identity, [seed, fold])


def digest_of(*parts: Any) -> str:
    """Return 12 hex digits over plain values; `1` equals `1.0`, as in W&B."""
    canonical = json.dumps([plain(part) for part in parts], sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
