"""The best trial of a search: its test scores, what it confuses, and the commands that use it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from audiocls.analysis.ranking import Ranking
from audiocls.formatting import command_line, plural
from audiocls.render.build.scores import CONFUSION_COLUMNS
from audiocls.render.document import Block, Command, Facts, Figure, Note, Section, Text
from audiocls.render.figures.confusion import MOST_CLASSES, confusion_matrix
from audiocls.render.figures.search import short
from audiocls.render.table import Depth, Table
from audiocls.studies.winner import Winner

MOST_ON_PHONE = 12
"""Classes of a matrix that a phone shows whole; a larger one is scrolled."""
NUM_CONFUSED = 5
"""Pairs of classes shown as the most confused."""


def winner_blocks(ranking: Ranking, winner: Winner | None) -> Iterator[Block]:
    """Yield a section on the winner, with what is known of it; nothing where it has no more."""
    if winner is None or not (winner.metrics or winner.has_model):
        return
    blocks = [*_scores(ranking, winner), *_confused(ranking, winner), *_usage(winner)]
    yield Section(f"The best {ranking.noun}", tuple(blocks))


def _scores(ranking: Ranking, winner: Winner) -> Iterator[Block]:
    if not winner.metrics:
        return
    over = f", mean of {plural(winner.num_trials, 'trial')}" if winner.num_trials > 1 else ""
    yield Facts(tuple((f"{name}{over}", short(value)) for name, value in winner.metrics.items()))
    if ranking.metric in winner.metrics:
        yield Note(
            f"It was chosen by {ranking.metric} itself: the best of many is better on these clips "
            "than it will be on others. Search by a metric of validation clips (val/…), or test it "
            "on clips that had no part: audiocls evaluate --manifest."
        )
    else:
        yield Note("The test clips had no part in the choice, so these scores hold for new ones.")


def _confused(ranking: Ranking, winner: Winner) -> Iterator[Block]:
    if winner.confusion is None:
        return
    pairs = winner.most_confused(NUM_CONFUSED)
    if pairs:
        rows = tuple((truth, predicted, str(num)) for truth, predicted, num in pairs)
        yield Text("Most confused test clips:")
        yield Table(CONFUSION_COLUMNS, rows, label=f"{ranking.study.name}-confused")
    if len(winner.labels) <= MOST_CLASSES:
        draw = partial(confusion_matrix, winner.labels, winner.confusion)
        caption = (
            "Test clips by their true class, down, and the predicted one, across; the darker, the "
            "larger the share of the row."
        )
        is_small = len(winner.labels) <= MOST_ON_PHONE
        narrow = partial(draw, is_narrow=True) if is_small else None
        yield Figure("confusion", draw, caption, draw_narrow=narrow)


def _usage(winner: Winner) -> Iterator[Block]:
    """Yield the commands that score, apply and export its model."""
    if not winner.has_model:
        return
    which = f" (the best of its {winner.num_trials} trials)" if winner.num_trials > 1 else ""
    yield Text(f"Use its model, trial {winner.trial}{which}:", Depth.SCREEN)
    place = str(winner.path)
    yield Command(command_line("evaluate", place, "--split", "test"))
    yield Command(command_line("predict", place, "recordings"))
    yield Command(command_line("export", place, "--out", "model.onnx"))


def winner_values(winner: Winner | None) -> dict[str, Any] | None:
    """Return the winner as plain values."""
    if winner is None:
        return None
    matrix = None if winner.confusion is None else winner.confusion.tolist()
    return {
        "trial": winner.trial,
        "num_trials": winner.num_trials,
        "metrics": winner.metrics,
        "labels": list(winner.labels),
        "confusion": matrix,
    }
