"""What would decide what a report leaves open: the command, its cost, and what it would show.

Adding seeds to a study after seeing its result would be optional stopping. So the next study has
another name and fresh seeds, as many of them as show the wanted effect, over all folds of the data:
verdicts on a part of them apply to that part alone.
"""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from audiocls.analysis.evidence import NoiseEstimate, of_comparison
from audiocls.analysis.interim import CLAIMS, UNDECIDED, is_open
from audiocls.analysis.power import MARGINS, Family, Size
from audiocls.analysis.results import Comparison, Failed
from audiocls.stats import MAX_SEEDS
from audiocls.store.record import Study
from audiocls.store.request import Request

NEAR_LIMIT = 1.25
"""Seeds bring a study down to so many times the limit of its recordings; less costs too much."""
UNANSWERED = ("too_few_pairs", "not_comparable")
FIRST_SEEDS = 3  # of a study that has no answer yet

Kind = Literal[
    "retry", "finish", "import", "grow", "extend", "new_study", "see_new_study", "more_data",
    "repair", "none",
]  # fmt: skip


@dataclass(frozen=True)
class NextStep:
    """What to do about some comparisons."""

    kind: Kind
    """`retry` what failed; `finish` what is not trained yet; `import` again what was not there;
    `grow` beyond the pair limit; `extend` a study that could not answer yet; `new_study` on fresh
    seeds; `see_new_study` that ran already; `more_data`: no seeds would help; `repair` what makes
    arms incomparable; `none`: every comparison has its answer."""
    arms: tuple[str, ...] = ()
    """That are concerned; empty for all."""
    command: str = ""
    """Empty where there is none to give, as for imported runs."""
    num_seeds: int = 0
    """To train, on each fold."""
    num_folds: int = 0
    num_trials: int = 0
    """To train or to import, of all arms."""
    seconds: float | None = None
    """Of one core; `None` if unknown."""
    effect: float | None = None
    """That would be seen, in units of the metric at 80 % power."""
    wanted: float | None = None
    """The effect that is out of reach, where it is."""
    limit: float | None = None
    """That no number of seeds passes, where it is above the effect that is wanted."""
    is_wider: bool = False
    """Whether it would apply to all the data, as the study does not."""

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Surroundings:
    """What a comparison does not know of where its study lies."""

    name: str
    """Of a next study, in a folder that does not exist yet."""
    first_seed: int
    """That no study of this question has."""
    options: str = ""
    """That every command needs, such as ` --runs PATH`."""
    launch_options: str = ""
    """Options of the last launch that decide no trial, such as ` --wandb offline`."""
    later_study: str = ""
    """A later study of the same question."""


def next_steps(
    comparison: Comparison,
    study: Study,
    around: Surroundings,
    failures: Sequence[Failed] = (),
) -> tuple[NextStep, ...]:
    """Return what would decide the comparisons without a claim, or widen what claims apply to."""
    if not comparison.compared or study.kind == "tuning":
        return ()  # Arms of a tuning study choose: it has no answer that more seeds could give.
    if comparison.missing:
        return (_unfinished(comparison, study, around, failures),)
    if study.looks and any(is_open(arm) for arm in comparison.compared):
        is_at_limit = study.looks[-1] + len(study.folds) > study.max_pairs
        if not is_at_limit or not _is_part(comparison):
            return (_growing(comparison, study, around, is_at_limit),)
    incomparable = tuple(arm.arm for arm in comparison.compared if arm.verdict == "not_comparable")
    arms = _open_arms(comparison)
    steps = [NextStep("repair", incomparable)] if incomparable else []
    if arms and around.later_study:
        command = f"audiocls report {shlex.quote(around.later_study)}{around.options}"
        steps.append(NextStep("see_new_study", arms, command))
    elif arms:
        steps.append(_more_trials(comparison, study, around, arms))
    return tuple(steps) or (NextStep("none"),)


def _unfinished(
    comparison: Comparison, study: Study, around: Surroundings, failures: Sequence[Failed]
) -> NextStep:
    num, command = len(comparison.missing), study.command + around.launch_options + around.options
    if study.kind == "import":  # What trained those, and how fast, is not known here.
        return NextStep("import", command=command, num_trials=num)
    if failures:
        command = f"audiocls sweep retry {shlex.quote(study.name)}{around.options} && {command}"
    kind: Kind = "retry" if failures else "finish"
    return NextStep(kind, command=command, num_trials=num, seconds=_seconds(comparison, num))


def _growing(
    comparison: Comparison, study: Study, around: Surroundings, is_at_limit: bool
) -> NextStep:
    """Return how a study goes on that is not decided yet; its errors hold however far it grows."""
    arms = tuple(arm.arm for arm in comparison.compared if is_open(arm))
    if not is_at_limit:
        return NextStep("finish", arms, study.command + around.launch_options + around.options)
    num_seeds = study.max_pairs // len(study.folds)
    num_trials = num_seeds * len(study.folds) * len(_with_references(study, arms))
    extended = study.request and replace(study.request, max_pairs=2 * study.max_pairs)
    return NextStep(
        "grow",
        arms,
        _command_line(extended, around),
        num_seeds=num_seeds,
        num_folds=len(study.folds),
        num_trials=num_trials,
        seconds=_seconds(comparison, num_trials),
    )


def _open_arms(comparison: Comparison) -> tuple[str, ...]:
    """Return the arms that more trials could tell more of: undecided, or claimed of a part."""
    wanted = (*UNDECIDED, *CLAIMS) if _is_part(comparison) else UNDECIDED
    return tuple(
        arm.arm for arm in comparison.compared if arm.verdict in wanted and not arm.is_futile
    )


def _is_part(comparison: Comparison) -> bool:
    """Whether the data has more folds than the study."""
    return comparison.num_folds < _num_folds(comparison)


def _num_folds(comparison: Comparison) -> int:
    return comparison.num_all_folds or comparison.num_folds


def _more_trials(
    comparison: Comparison, study: Study, around: Surroundings, arms: tuple[str, ...]
) -> NextStep:
    """Return the trials to add: as a new study, or to this one if it has no answer yet."""
    num_folds = _num_folds(comparison)
    estimate = of_comparison(comparison)
    # Effects of factors need all arms.
    chosen = _with_references(study, study.arms if comparison.effects.estimates else arms)
    family = Family(len(chosen) - 1, len(chosen), comparison.alpha)
    is_wider = _is_part(comparison)
    step = NextStep("new_study", arms, num_folds=num_folds, is_wider=is_wider)
    if all(arm.verdict in UNANSWERED for arm in comparison.compared) and not study.looks:
        return _extended(step, comparison, study, around, estimate)
    size, limit = _size(comparison, study, estimate, family, num_folds)
    if size is None:
        most = family.size_of(estimate, MAX_SEEDS, num_folds).effect if estimate else None
        wanted = _wanted(comparison, study)
        return replace(step, kind="more_data", limit=limit, effect=most, wanted=wanted)
    step = replace(step, effect=size.effect, limit=limit)
    seeds = numbers_text(range(around.first_seed, around.first_seed + size.num_seeds))
    request = study.request and replace(
        study.request,
        study=around.name,
        seeds=seeds,
        folds=_folds_text(study, num_folds),
        arms=study.request.arms if len(chosen) == len(study.arms) else ",".join(arms),
        is_until_decided=False,
        max_pairs=None,
        effect=None,
    )
    return replace(
        step,
        command=_command_line(request, around),
        num_seeds=size.num_seeds,
        num_trials=size.num_trials,
        seconds=_seconds(comparison, size.num_trials),
    )


def _extended(
    step: NextStep,
    comparison: Comparison,
    study: Study,
    around: Surroundings,
    estimate: NoiseEstimate | None,
) -> NextStep:
    """Return the step that adds to the study itself: nothing could be read from it yet.

    Nor is there much to go by: a few seeds first.
    """
    first, num_seeds = min(study.seeds), max(FIRST_SEEDS, len(study.seeds))
    seeds = {*study.seeds, *range(first, first + num_seeds)}
    extended = study.request and replace(
        study.request, seeds=numbers_text(seeds), folds=_folds_text(study, step.num_folds)
    )
    num_trials = len(seeds) * step.num_folds * len(study.arms) - len(study.cells)
    family = Family(len(study.arms) - 1, len(study.arms), comparison.alpha)
    size = family.size_of(estimate, len(seeds), step.num_folds) if estimate else None
    return replace(
        step,
        kind="extend",
        effect=size.effect if size else None,
        command=_command_line(extended, around),
        num_seeds=len(seeds),
        num_trials=num_trials,
        seconds=_seconds(comparison, num_trials),
    )


def _size(
    comparison: Comparison,
    study: Study,
    estimate: NoiseEstimate | None,
    family: Family,
    num_folds: int,
) -> tuple[Size | None, float | None]:
    """Return the study that shows what is wanted, or as little as recordings allow.

    And that limit, where it is above what is wanted. No study where seeds would be of no help; a
    few seeds where nothing tells how many are needed.
    """
    if estimate is None:
        return Size(FIRST_SEEDS, num_folds, FIRST_SEEDS * num_folds * family.num_arms, None), None
    before = family.effect_of(estimate, max(1, len(study.seeds)), num_folds)
    wanted = _wanted(comparison, study)
    if before <= wanted and num_folds == comparison.num_folds:
        wanted = min(wanted, comparison.margin)  # It would have been seen.
    limit = family.limit(estimate, num_folds)
    within_reach = max(wanted, NEAR_LIMIT * (limit or 0.0))
    if num_folds == comparison.num_folds and before <= within_reach:
        return None, limit
    size = family.fewest(estimate, num_folds, within_reach)
    return size, limit if limit and limit > wanted else None


def _wanted(comparison: Comparison, study: Study) -> float:
    """Return the effect that a study of this question should show, in units of the metric."""
    return study.wanted_effect or MARGINS * comparison.margin


def _with_references(study: Study, arms: Collection[str]) -> list[str]:
    """Return the arms, and all that they are compared with in turn."""
    chosen = {study.baseline}
    for arm in arms:
        while arm not in chosen:
            chosen.add(arm)
            arm = study.reference_of(arm)
    return [arm for arm in study.arms if arm in chosen]


def _seconds(comparison: Comparison, num_trials: int) -> float | None:
    """Return the time of so many trials as long as those before, on one core."""
    known = [arm.seconds for arm in comparison.arms if arm.seconds is not None]
    return num_trials * sum(known) / len(known) if known else None


def _folds_text(study: Study, num_folds: int) -> str | None:
    """Return the option for all folds; as before where the study has them."""
    is_whole, given = len(study.folds) == num_folds, study.request.folds if study.request else None
    if is_whole or (study.program and given):
        return given if is_whole else None  # None: all that the program's file lists.
    first = min(1, *study.folds)  # Programs may count from 0.
    return numbers_text(range(first, first + num_folds))


def _command_line(request: Request | None, around: Surroundings) -> str:
    if request is None or request.command != "sweep launch":
        return ""
    return request.line() + around.launch_options + around.options


def numbers_text(numbers: Collection[int]) -> str:
    """Return numbers as the command line reads them.

    >>> numbers_text([0, 1, 2, 5]), numbers_text([4])
    ('0..2,5', '4')
    """
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}..{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
