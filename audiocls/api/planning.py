"""`plan`: what a launch would run, before anything runs."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from audiocls.api.arguments import (
    Assignments,
    Folder,
    Names,
    Numbers,
    assignments_of,
    blocks_text,
    known_options,
    runs_folder,
)
from audiocls.api.frames import Rows, flat, frame_of
from audiocls.api.launching import slurm_options
from audiocls.api.report import Report
from audiocls.execution.slurm.profile import SlurmProfile
from audiocls.render.build.plan import with_placement
from audiocls.render.build.stored import Stored, planned, planned_search
from audiocls.store import StudyFolder
from audiocls.studies.packing import Packing, PackingRequest, SweepPacking
from audiocls.studies.planning import search_facts, workplace_of
from audiocls.studies.request import (
    AblationRequest,
    ablation_request,
    check_without_effect,
    is_sweep,
)
from audiocls.studies.slurm.placement import placement_of
from audiocls.studies.sweep_request import SweepRequest, sweep_request

FORMATS = ("terminal", "json", "md", "html", "tex", "ipynb")
"""Of a plan: it has no runs that W&B could show."""


@dataclass(frozen=True, repr=False)
class Plan:
    """What a launch would run, what that costs, and which effect it could show.

    >>> import audiocls
    >>> planned = audiocls.plan("dropout", seeds=range(3), folds=[1, 2])
    >>> planned.facts["num_trials"], planned.rows()[0]["arm"]
    (24, 'baseline')
    """

    request: AblationRequest | SweepRequest
    report: Report

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The plan as plain values: arms, blocks, cost, the effects that it can detect."""
        return self.report.data()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the file, and allowed."""
        return self.request.notes

    def rows(self) -> Rows:
        """Return a dict for each trial: its arm, seed, fold and changes; of a sweep, the first."""
        if isinstance(self.request, SweepRequest):
            return [dict(values) for values in search_facts(self.request)["first"]]
        chosen, _ = self.request.plan()
        return [
            {"arm": arm, "seed": seed, "fold": fold, **flat(chosen.arms[arm])}
            for arm, seed, fold in chosen.cells
        ]

    def frame(self, backend: str | None = None) -> Any:
        """Return `rows` as a frame of pandas or polars, whichever is there."""
        return frame_of(self.rows(), backend)

    def __repr__(self) -> str:
        return repr(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


@known_options
def plan(
    name: str, *, recipe: str | None = None, set: Assignments | None = None,
    seeds: Numbers | None = None, folds: Numbers | None = None, arms: Names | None = None,
    effect: float | None = None, runs: Folder | None = None, executor: str = "local",
    workers: int | None = None, profile: Folder | None = None, slurm: Assignments | None = None,
    devices: str = "auto", per_device: str | int = "1",
) -> Plan:  # fmt: skip
    """Return the plan of an ablation or a sweep, by its name or its file; nothing is run.

    `effect` is the one to be seen, in units of the metric; what was measured of the baseline's
    noise lies in `runs`. With `executor="slurm"` it says what `workers` tasks of the profile would
    use; with `per_device` which trials would be trained at once on `devices`, and why others not.
    Raises what a launch would, as far as that is known without reading recordings.

    >>> import audiocls
    >>> audiocls.plan("dropout", effect=0.02).facts["num_pairs"]
    10
    """
    assignments, folder = assignments_of(set), runs_folder(runs)
    batch = slurm_options(profile, slurm).planned(executor, workers)
    packs = PackingRequest.checked(executor, devices, str(per_device), batch)
    blocks = blocks_text(seeds, folds, arms)
    if is_sweep(name):
        options = ("--effect", "--seeds", "--folds", "--arms")
        given = dict(zip(options, (effect, *blocks), strict=True))
        check_without_effect(given, f"{name} is a sweep, which compares nothing")
        search = sweep_request(name, assignments, recipe=recipe)
        stored = _packed(planned_search(search), packs.of_sweep(search) if packs else None)
        return _plan(search, stored, folder, batch, workers, devices)
    request = ablation_request(name, recipe, assignments, *blocks)
    packing = packs.of_ablation(request) if packs else None
    stored = _packed(planned(request, folder, effect, workplace_of(executor, devices)), packing)
    return _plan(request, stored, folder, batch, workers, devices)


def _packed(stored: Stored, packing: Packing | SweepPacking | None) -> Stored:
    if packing is None:
        return stored
    values = {"packing": packing.values()}
    return replace(stored, document=with_placement(stored.document, packing.facts(), values))


def _plan(
    request: AblationRequest | SweepRequest,
    stored: Stored,
    runs: Path,
    profile: SlurmProfile | None,
    workers: int | None,
    devices: str,
) -> Plan:
    """Return a plan, on a cluster with where and at what cost, by the trials that have run."""
    if profile is not None and workers is not None:
        folder = StudyFolder(runs / request.study_name)
        known = folder.records(folder.cells()).values() if folder.exists() else ()
        num_trials = stored.document.data()["num_trials"]
        place = placement_of(profile, workers, num_trials, known, devices)
        values = {"placement": place.values()}
        stored = replace(stored, document=with_placement(stored.document, place.facts(), values))
    return Plan(request, Report(lambda _: stored, FORMATS, "a plan"))
