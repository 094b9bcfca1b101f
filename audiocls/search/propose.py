"""What to try next, by the sweep's method; every answer follows from its arguments alone."""

from collections.abc import Sequence
from typing import Any

from audiocls.errors import ConfigError
from audiocls.search import bayes
from audiocls.search.grid import remaining
from audiocls.search.objective_values import has_reached_target
from audiocls.search.sampling import draw
from audiocls.search.sweep import Sweep, TrialResult


def propose(sweep: Sweep, tried: Sequence[TrialResult]) -> dict[str, Any] | None:
    """The next trial's parameters, nested as W&B hands them on; none when the sweep is over.

    `tried` holds every proposal made so far, in order, whatever became of it: its length is the
    index of the next.
    """
    if sweep.method == "custom":
        raise _custom(sweep)
    if is_over(sweep, tried):
        return None
    match sweep.method:
        case "grid":
            return next(remaining(sweep, tried), None)
        case "random":
            return draw(sweep, len(tried))
        case "bayes":
            return bayes.suggest(sweep, tried)


def is_over(sweep: Sweep, tried: Sequence[TrialResult]) -> bool:
    """Whether the cap or the target is reached; a grid also ends when no cell remains."""
    is_capped = sweep.run_cap is not None and len(tried) >= sweep.run_cap
    return is_capped or has_reached_target(sweep, tried)


def _custom(sweep: Sweep) -> ConfigError:
    fault = (
        "method: got 'custom', whose trials are proposed by a scheduler of your own or by W&B's "
        "server; allowed here: grid, random, bayes. Choose one of these, or create the sweep on "
        "a server with `wandb sweep`, start its scheduler there, and join it with "
        "`audiocls sweep agent ENTITY/PROJECT/ID`"
    )
    return ConfigError(f"sweep {sweep.name}" if sweep.name else "sweep", [fault])
