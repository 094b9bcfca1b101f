"""`Comparison` and `compare`: verdicts, of a study or of any table of results."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from audiocls.analysis import compare as analyse
from audiocls.analysis.results import ArmResult, Effect
from audiocls.analysis.results import Comparison as Verdicts
from audiocls.api.arguments import choice, known_options
from audiocls.api.frames import Rows, flat, frame_of, rows_of
from audiocls.api.report import Figure, Report, figures_of, report_of
from audiocls.errors import UsageError
from audiocls.importing.cells import ImportOptions
from audiocls.importing.sources import objective_of
from audiocls.importing.study import records_of, study_of_results
from audiocls.importing.tables import read_table, results_of, table_of
from audiocls.render.build.ablation import ablation
from audiocls.render.build.headline import headline
from audiocls.render.figures import Histories, has_curve, learning_curves, validation_key
from audiocls.store import Request, Study

LOWER_IS_BETTER = re.compile(
    r"(?:^|[^a-z])(?:loss|error|err|[ewc]er|[rm]?mse|mae|nll|perplexity|latency|seconds?)(?![a-z])",
    re.IGNORECASE,
)
"""Names of metrics whose direction is not taken for granted."""

Part = Literal["arms", "effects", "pairs", "secondary"]
PARTS: tuple[Part, ...] = ("arms", "effects", "pairs", "secondary")
NESTED = ("worst_pair", "changes", "differences")
"""Keys of an arm whose values are no single numbers."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Every arm against its reference: a verdict each, with what it rests on.

    >>> import audiocls
    >>> table = {"net": ["a", "b"] * 8, "seed": [i // 2 for i in range(16)],
    ...          "acc": [0.80 + i % 2 / 20 + i // 2 / 1000 for i in range(16)]}
    >>> compared = audiocls.compare(table, arm="net", baseline="a", seed="seed", metric="acc")
    >>> compared.verdicts, compared.arms[1].num_pairs
    ({'b': 'better'}, 8)
    """

    result: Verdicts
    """All values of the analysis."""
    report: Report
    study: Study
    """What was launched, or imported."""
    histories: Callable[[], Histories]
    """Return trial id → one dict an epoch, read when it is called."""

    @property
    def arms(self) -> tuple[ArmResult, ...]:
        """What each arm reached, and its difference from its reference; the baseline first."""
        return self.result.arms

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Main effects and interactions of the factors; empty where arms say the same."""
        return self.result.effects.estimates

    @property
    def verdicts(self) -> dict[str, str]:
        """Arm → its verdict: better, worse, equivalent, no_evidence, too_few_pairs, not_due …"""
        return {arm.arm: arm.verdict for arm in self.result.compared}

    @property
    def headline(self) -> str:
        """The answer in a sentence."""
        return headline(self.result)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside the numbers, and what could not be checked."""
        return self.result.notes

    def rows(self, of: Part = "arms") -> Rows:
        """Return a dict an arm, an effect, a pair (its difference), or an arm and further metric.

        Numbers are in units of the metric; docs/report-json.md says what each key means.
        """
        values = self.report.document.data()  # without a row a trial
        match choice(of, PARTS, "of"):
            case "arms":
                return [flat(arm, NESTED) for arm in values["arms"]]
            case "effects":
                return [flat(effect) for effect in values["effects"]["estimates"]]
            case "secondary":
                return [
                    {
                        "metric": each["metric"],
                        **flat(arm, (*NESTED, "verdict", "is_within_margin")),
                    }
                    for each in values["secondary"]
                    for arm in each["arms"]
                ]
        return [
            {"arm": arm["arm"], "against": arm["against"], **difference}
            for arm in values["arms"]
            for difference in arm["differences"]
        ]

    def frame(self, of: Part = "arms", backend: str | None = None) -> Any:
        """Return `rows` as a frame of pandas or polars, whichever is there."""
        return frame_of(self.rows(of), backend)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that there are, without learning curves."""
        return tuple(figures_of(self.report.document))

    def figure(self, name: str = "pairs") -> Figure:
        """Return a figure: `pairs`, `cost`, `effects`, `interactions`, `fronts`, those there are.

        Learning curves are drawn by `curves`. Raises `UsageError` for another name.
        """
        return self.report.figure(name)

    def curves(self, column: str | None = None) -> Figure:
        """Return learning curves, of the metric on validation clips or of another column.

        Raises `UsageError` with the columns that were recorded if no trial recorded that one.
        """
        histories, key = self.histories(), column or validation_key(self.study)
        if not has_curve(histories, key):
            known = sorted({name for rows in histories.values() for row in rows for name in row})
            names = ", ".join(known) or "nothing"
            raise UsageError(f"no trial recorded {key!r}; recorded: {names}")
        draw = partial(learning_curves, self.study, histories, key, self.result.ratio)
        return Figure(key.replace("/", "-"), draw)

    def __repr__(self) -> str:
        return repr(self.report)

    def _repr_html_(self) -> str:
        return self.report._repr_html_()


@known_options
def compare(
    data: Any, *, arm: str | Sequence[str], metric: str, baseline: str | None = None,
    seed: str | None = None, fold: str | None = None, goal: str | None = None,
    margin: float | None = None, secondary: str | Sequence[str] = (), match: str | None = None,
    name: str = "comparison"
) -> Comparison:  # fmt: skip
    """Return verdicts on a table with a row a trial; nothing is written.

    `data` is a frame of pandas, polars or pyarrow, a dict of columns, a list of dicts, or the path
    of a CSV or Parquet table. `arm`, `seed`, `fold` and `metric` name columns, `baseline` is the
    arm that the others are compared with; `secondary` has items `NAME:GOAL[:MARGIN]`. `goal` is
    `maximize` unless the metric's name speaks of a loss or an error: say it then. `margin` is the
    difference that counts as none, in units of the metric. Raises `UsageError` with all faults.

    >>> import audiocls
    >>> rows = [{"net": net, "seed": seed, "acc": 0.8 + 0.05 * (net == "ast") + seed / 1000}
    ...         for net in ("cnn", "ast") for seed in range(8)]
    >>> audiocls.compare(rows, arm="net", baseline="cnn", seed="seed", metric="acc").verdicts
    {'ast': 'better'}
    """
    parts = [part.strip() for part in (arm.split(",") if isinstance(arm, str) else arm)]
    others = secondary.split(",") if isinstance(secondary, str) else secondary
    options = ImportOptions(
        name, tuple(filter(None, parts)), baseline, seed, fold, metric, _goal_of(metric, goal),
        margin, tuple(objective_of(text.strip()) for text in others if text.strip()),
        match or ImportOptions.match,
    )  # fmt: skip
    keys = [key for key in (*options.arm, seed, fold) if key]
    metrics = [metric, *(each.name for each in options.secondary)]
    if isinstance(data, str | Path):
        results = read_table(Path(data).expanduser(), keys, metrics)
    else:
        results = results_of(table_of(rows_of(data)), "the table", "", keys, metrics)
    study, newest = study_of_results(name, results, options, Request("import"))
    verdicts = analyse(study, records_of(study, newest))
    report = report_of(ablation(verdicts, study), name)
    return Comparison(verdicts, report, study, dict)


def _goal_of(metric: str, goal: str | None) -> str:
    """Return the direction that is better; raises `UsageError` where it may be either."""
    if goal is None and LOWER_IS_BETTER.search(metric):
        raise UsageError(
            f"goal: missing, and {metric!r} may be better when it is lower; allowed: "
            "goal='minimize', goal='maximize'"
        )
    return goal or "maximize"
