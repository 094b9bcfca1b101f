"""`Record` and `Study`: the two values that outlive every process, as plain JSON and YAML.

They are dataclasses and not `Options`, for ten thousand of them are read for one report.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from audiocls.store.proposals import SearchPlan
from audiocls.store.request import Kind, Request
from audiocls.store.tuning import Tuning

RECORD_SCHEMA = 1
STORED_APART = ("kind", "of", "request", "search", "program", "code", "over_budget", "labels")
"""Fields of a study that follow the others in its file, and only where they are set."""


@dataclass(frozen=True)
class Cost:
    """The cost of a trial: parameters, MACs per clip (forward), clips, steps, seconds, MiB.

    `None` is what was not recorded, as in a run of another program. Steps, clips, passes and
    seconds count a pre-training stage in, whole, though trials may share it: this is what the
    result took. Epochs are the trial's own.
    """

    num_params: int | None = None
    macs: int | None = None
    epochs: int | None = None
    steps: int | None = None
    samples: int | None = None
    gradient_passes: int | None = None
    """Forward-backward passes over all clips of a step: `steps` of them, twice that under SAM."""
    wall_s: float | None = None
    process_s: float | None = None
    peak_memory_mib: float | None = None
    pack: int | None = None
    """Trials that were trained at once, where several were: seconds are then a share."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the fields; `pack` only of a trial that was in one."""
        values = asdict(self)
        return values if self.pack else {k: v for k, v in values.items() if k != "pack"}


@dataclass(frozen=True)
class Provenance:
    """Where a record comes from; two records pair only if what decides numbers agrees.

    An empty text means not recorded.
    """

    code: str = ""
    """Digest of the source files that decide a trial's numbers: ours, or the program's."""
    audiocls: str = ""
    python: str = ""
    torch: str = ""
    device: str = ""
    """`cpu`, or the accelerator's product name."""
    data: str = ""
    """Fingerprint of the data set."""
    host: str = ""
    started: str = ""
    finished: str = ""
    protocol: str = ""
    """What of the configuration decides how a trial is evaluated, as `key=value` words."""
    execution: str = ""
    """How its steps were computed: `eager`, as all were before this was recorded, `fused` with
    those of other trials, as a captured `graph`, `eager+fused`, or `eager on 2 devices`."""


@dataclass(frozen=True)
class Record:
    """The result of a finished trial, without its predictions (those lie beside it)."""

    id: str
    seed: int
    fold: int
    attempt: int
    metrics: dict[str, float]
    """`test/…` scored once, `val/…` at the chosen epoch, `best/epoch`, `pretrain/…`."""
    cost: Cost
    provenance: Provenance
    num_train: int | None
    """Clips; `None` where the number was not recorded."""
    num_val: int | None
    num_test: int | None
    early_stopped: bool = False
    notes: tuple[str, ...] = ()
    """What the trial started from, where that was not a random initialisation; of a program, which
    of several values or processes its metric is from."""
    test_clips: str = ""
    """Digest of the test clips' ids, in order, and of the label set; empty where not recorded."""
    first_losses: tuple[str, ...] = ()
    """Training losses of the first steps, each to the last bit; empty where not recorded."""
    schema: int = RECORD_SCHEMA

    def to_mapping(self) -> dict[str, Any]:
        return {**asdict(self), "cost": self.cost.to_mapping()}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Record":
        """Rebuild a record; a missing or unknown key raises `TypeError`."""
        return cls(
            **{
                **mapping,
                "notes": tuple(mapping.get("notes", ())),
                "first_losses": tuple(mapping.get("first_losses", ())),
                "cost": Cost(**mapping["cost"]),
                "provenance": Provenance(**mapping["provenance"]),
            }
        )


Cause = Literal[
    "out_of_memory", "nan", "data", "signal", "timeout", "damaged", "over_budget", "error"
]


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed."""

    cause: Cause
    message: str
    """One line for people."""
    traceback: str
    attempt: int

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Cell:
    """One trial's place in a study: the pair of `seed` and `fold` is its block."""

    id: str
    arm: str
    seed: int
    fold: int

    @property
    def block(self) -> tuple[int, int]:
        return self.seed, self.fold

    def block_label(self, num_folds: int | None) -> str:
        """Return the block in short, of data with so many folds, if that is known.

        >>> cell = Cell("6ec6", "mixup=0.4", 0, 1)
        >>> cell.block_label(5), cell.block_label(1)
        ('s0 f1', 's0')
        """
        return f"s{self.seed}" if num_folds == 1 else f"s{self.seed} f{self.fold}"


@dataclass(frozen=True)
class Objective:
    """A metric, what is wanted of it, and the differences that count as none."""

    name: str
    goal: str
    margin: float


@dataclass(frozen=True)
class Study:
    """What was launched: `runs/<name>/study.yaml`, all that a report needs besides records.

    Every kind of study is one of these. A search has a `search` instead of arms and cells: its
    trials are proposed while it runs.
    """

    name: str
    question: str = ""
    recipe: str = ""
    design: str = ""
    metric: str = ""
    """Such as `test/accuracy`."""
    goal: str = ""
    """`maximize` or `minimize`."""
    baseline: str = ""
    arms: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Arm → the dotted keys it changes; the baseline changes none, or its own."""
    cells: tuple[Cell, ...] = ()
    references: dict[str, str] = field(default_factory=dict)
    """Arm → the arm that it is compared with, where that is not the baseline."""
    factors: dict[str, list[Any]] = field(default_factory=dict)
    """Dotted key → its levels in order. Keys that are zipped are joined by a comma, and each of
    their levels is a list. Empty for named arms."""
    secondary: tuple[Objective, ...] = ()
    """Metrics that are reported beside the primary one, and decide nothing."""
    identities: dict[str, str] = field(default_factory=dict)
    """Arm → digest of its configuration and data without seed and fold."""
    num_folds: int | None = None
    """Of the data set, of which the study may have a part; 1 for one official split, `None` where
    it is not known."""
    alpha: float = 0.05
    correction: str = "holm"
    margin: float = 0.01
    """Half-width of the zone of equivalence, in units of the metric."""
    max_missing: int = 0
    """Pairs that may be missing before a comparison is not comparable."""
    match: str = "epochs"
    """What must be equal for arms to be comparable: epochs, steps, samples, macs, seconds."""
    tuning: Tuning | None = None
    """What each arm chose for itself on validation clips, where the ablation says `tune`."""
    looks: tuple[int, ...] = ()
    """Blocks at each look so far, in the order planned, of a study that grows until it is decided;
    empty for one of a fixed size."""
    max_pairs: int = 0
    """Of each comparison, where the study grows by itself."""
    wanted_effect: float | None = None
    """In units of the metric: a growing study gives up an arm for which it is out of sight. `None`:
    no arm is given up."""
    overrides: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    """The command line that launches this study again."""
    notes: tuple[str, ...] = ()
    """What a reader of its answer must know: clips left out, untrained weights."""
    kind: Kind = "ablation"
    of: str = ""
    """The study whose baseline's noise is measured here, or whose arms are tuned here."""
    request: Request | None = None
    """What was requested; unknown for some studies of early versions."""
    search: SearchPlan | None = None
    """What is searched, where `kind` is `search`."""
    program: str = ""
    """The command line of a program of the user's, without parameters, instead of a recipe."""
    code: str = ""
    """Digest of the program's files."""
    over_budget: dict[str, str] = field(default_factory=dict)
    """Arm that was not trained → by how much it exceeds its budget, in words."""
    labels: dict[str, str] = field(default_factory=dict)
    """Arm → what a report calls it, of those that the ablation gives words to."""

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Seeds with folds, in the order in which they were planned."""
        return list(dict.fromkeys(cell.block for cell in self.cells))

    @property
    def seeds(self) -> list[int]:
        return sorted({cell.seed for cell in self.cells})

    @property
    def folds(self) -> list[int]:
        return sorted({cell.fold for cell in self.cells})

    def reference_of(self, arm: str) -> str:
        """Return the arm that `arm` is compared with."""
        return self.references.get(arm, self.baseline)

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values; the cells as a text of one line each, which YAML reads fast."""
        request = {"request": self.request.to_mapping()} if self.request else {}
        of = {"of": self.of} if self.of else {}
        program = {"program": self.program, "code": self.code} if self.program else {}
        over = {"over_budget": self.over_budget} if self.over_budget else {}
        labels = {"labels": self.labels} if self.labels else {}
        new = {"kind": self.kind, **of, **request, **program, **over, **labels}
        if self.search is not None:
            common = {"overrides": self.overrides, "command": self.command}
            return {"name": self.name, **asdict(self.search), **common, **new}
        flat = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        kept = {name: value for name, value in flat.items() if name not in STORED_APART}
        plain = {
            "cells": "".join(f"{c.id} {c.seed} {c.fold} {c.arm}\n" for c in self.cells),
            "secondary": [asdict(objective) for objective in self.secondary],
            "tuning": None if self.tuning is None else self.tuning.to_mapping(),
            "notes": list(self.notes),
            "looks": list(self.looks),
        }
        return {**kept, **plain, **new}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Study":
        """Rebuild a study; a missing or unknown key raises `TypeError`."""
        known: dict[str, Any] = {}
        if (request := mapping.get("request")) is not None:
            known["request"] = Request.from_mapping(request)
        if "sweep" in mapping:
            names = {item.name for item in dataclasses.fields(SearchPlan)}
            plan = {name: value for name, value in mapping.items() if name in names}
            rest = {name: value for name, value in mapping.items() if name not in plan}
            return cls(**{**rest, **known, "search": SearchPlan(**plan)})
        rows = [line.split(" ", 3) for line in mapping["cells"].splitlines()]
        cells = (Cell(id, arm, int(seed), int(fold)) for id, seed, fold, arm in rows)  # noqa: A001
        known |= {
            "cells": tuple(cells),
            "secondary": tuple(Objective(**each) for each in mapping.get("secondary", ())),
            "tuning": Tuning.from_mapping(tuning) if (tuning := mapping.get("tuning")) else None,
            "notes": tuple(mapping.get("notes", ())),
            "looks": tuple(mapping.get("looks", ())),
        }
        return cls(**{**mapping, **known})
