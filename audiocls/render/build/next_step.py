"""What to do next, in sentences: which trials would settle what is undecided, at which cost."""

from collections.abc import Iterator, Sequence
from typing import Any

from audiocls.analysis.next_step import NextStep
from audiocls.analysis.results import Comparison
from audiocls.formatting import format_elapsed, join_names, plural
from audiocls.render.build.power import Unit, unit_of
from audiocls.render.document import Block, Command, Section, Text
from audiocls.render.table import Depth
from audiocls.stats import MAX_SEEDS

MAX_NAMED = 3


def next_blocks(comparison: Comparison, steps: Sequence[NextStep]) -> Iterator[Block]:
    """Yield what is next under the verdicts; nothing where no step is known."""
    blocks: list[Block] = []
    for step in steps:
        blocks.append(Text(_sentence(comparison, step)))
        blocks += [Command(step.command)] if step.command else []
    if blocks:
        yield Section("Next", tuple(blocks), heading=Depth.TEXT)


def next_values(comparison: Comparison, steps: Sequence[NextStep]) -> list[dict[str, Any]]:
    """Return the steps as plain values, each with its sentence."""
    return [step.to_mapping() | {"text": _sentence(comparison, step)} for step in steps]


def _sentence(comparison: Comparison, step: NextStep) -> str:
    unit = unit_of(comparison.goal, comparison.metric, comparison.arms[0].mean)
    cost = _cost(step)
    match step.kind:
        case "retry" | "import":
            verb = "is" if step.num_trials == 1 else "are"
            where = " in what was imported" if step.kind == "import" else cost
            text = f"{_trials(step)} failed or {verb} missing{where}"
            return f"{text}: no verdict is final without all of them."
        case "finish" if step.num_trials:
            verb = "is" if step.num_trials == 1 else "are"
            return f"{_trials(step)} {verb} still to be trained{cost}."
        case "finish":
            return f"{_arms(step)} undecided: the study is not at its pair limit yet."
        case "grow":
            grid = f"up to {plural(step.num_seeds, 'more seed')}, {_trials(step)} at most"
            return f"{_arms(step)} undecided at the pair limit. It may be raised: {grid}{cost}."
        case "see_new_study":
            return f"{_arms(step)} compared on fresh seeds in a later study."
        case "more_data":
            return _more_data(step, unit)
        case "repair":
            return f"{_arms(step)} not comparable: more trials change nothing, see the reason."
        case "none":
            given_up = " or was given up" * any(arm.is_futile for arm in comparison.compared)
            return f"Every comparison has its answer{given_up}; nothing is left to run."
        case _:
            return _more_seeds(step, unit, cost)


def _more_seeds(step: NextStep, unit: Unit, cost: str) -> str:
    """Return how many seeds would show which effect."""
    fresh = " fresh" if step.kind == "new_study" else ""
    grid = f"{step.num_seeds}{fresh} seed{'s' * (step.num_seeds != 1)}"
    folds = f"all {step.num_folds} folds" if step.is_wider else plural(step.num_folds, "fold")
    shown = " would tell how much trainings vary"
    if step.effect is not None:
        shown = f" would show {unit.amount(step.effect)} (80 % power)"
    wider = ", and apply to the data instead of a part of it" if step.is_wider else ""
    text = f"{grid} × {folds} ({_trials(step)}{cost}){shown}{wider}."
    if step.limit is not None:
        text += f" No number of seeds shows less than {unit.amount(step.limit)}: {LIMIT}."
    if step.kind == "extend":
        return text
    return f"{_arms(step, '')}: {text} {WHY_NEW}"


WHY_NEW = (
    "Adding seeds to a study after seeing its result would be optional stopping, so this is a new "
    "study."
)
LIMIT = "the test recordings are too few"


def _more_data(step: NextStep, unit: Unit) -> str:
    if step.limit is None:
        most = f"{MAX_SEEDS} seeds × {plural(step.num_folds, 'fold')}"
        wanted = f" for {unit.amount(step.wanted)}" if step.wanted else ""
        shown = f", and show {unit.amount(step.effect)}" if step.effect else ""
        return f"{_arms(step, '')}: even {most} are too few{wanted}{shown}."
    return (
        f"{_arms(step)} undecided, and seeds alone will hardly change that: below "
        f"{unit.amount(step.limit)} {LIMIT}. More test data would help."
    )


def _arms(step: NextStep, verb: str = " is| are") -> str:
    """Return the arms, with a verb that agrees."""
    if not step.arms:
        return "All arms" + verb.rpartition("|")[2]
    name = join_names(step.arms, MAX_NAMED)
    one, _, several = verb.partition("|")
    return name + (one if len(step.arms) == 1 else several)


def _trials(step: NextStep) -> str:
    return plural(step.num_trials, "trial")


def _cost(step: NextStep) -> str:
    return "" if step.seconds is None else f", about {format_elapsed(step.seconds)} of a core"
