"""`report --watch`: one HTML file that is rewritten while its study runs.

It reloads itself, and holds no verdict: the report that follows when the study has ended does.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from audiocls.analysis.pairing import RecordGrid
from audiocls.atomic import write_text
from audiocls.formatting import format_elapsed
from audiocls.live.watched import View, Watched
from audiocls.render import figures
from audiocls.render.build.status import status
from audiocls.render.document import (
    Block,
    Command,
    Document,
    Facts,
    Figure,
    Items,
    Note,
    Section,
    Title,
)
from audiocls.render.formats.html import to_html
from audiocls.store import StudyFolder
from audiocls.studies.reports import MOST_TRIALS

EVERY_S = 5.0
SHARE = 0.1
"""Of the time, at most, in which the page is made: the same machine may be training."""
QUIET_S = 30.0
"""Without anybody at work, after which the study counts as ended for now."""
FOREVER_S = 3600.0


def rewrite(
    folder: StudyFolder,
    file: Path,
    every_s: float = EVERY_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Rewrite the page in `file` until the study has ended, or nobody works on it any more."""
    watched, quiet_s = Watched(folder), QUIET_S
    while True:
        started = time.monotonic()
        view = watched.look(FOREVER_S)
        quiet_s = 0.0 if view.is_running else quiet_s
        if not view.is_running and (view.is_over or quiet_s >= QUIET_S):
            return
        write_text(file, page(view, every_s))
        wait_s = max(every_s, (time.monotonic() - started) / SHARE)
        sleep(wait_s)
        quiet_s += wait_s


def page(view: View, every_s: float) -> str:
    """Return the page of a study that runs, which a browser loads again by itself."""
    html = to_html(Document(view.name, tuple(_blocks(view))))
    reload = f'<meta http-equiv="refresh" content="{max(1, round(every_s))}">'
    return html.replace("<head>", f"<head>\n{reload}", 1)


def _blocks(view: View) -> Iterator[Block]:
    yield Title(view.name, view.study.question)
    facts = [
        ("time left", format_elapsed(view.left_s)),
        ("trial time", format_elapsed(view.spent_s)),
    ]
    yield Facts((*facts, *(("at work", at.launch.who) for at in view.at_work)))
    yield Note("This page is rewritten while the study runs.")
    counted = status(view.status, {}, ()).blocks
    yield Section("Trials", tuple(block for block in counted if not isinstance(block, Title)))
    if view.failures:
        yield Section("Failures", (Items(tuple(view.failures)), Command(view.mending)))
    yield from view.answer.blocks if view.answer else ()
    yield from _curves(view)


def _curves(view: View) -> Iterator[Block]:
    study, records = view.study, view.answer.records if view.answer else {}
    if not study.arms or len(view.cells) > MOST_TRIALS:
        return
    histories = view.status.folder.histories(study.cells)
    key = figures.validation_key(study)
    if figures.has_curve(histories, key):
        ratio = RecordGrid.of(study, records).ratio
        draw = partial(figures.learning_curves, study, histories, key, ratio)
        yield Section("Learning curves", (Figure("metric", draw),))
