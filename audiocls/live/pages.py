"""The pages as HTML: each is whole without a script, which only brings it up to date.

Templates are in `page/`; blocks of documents are laid out by those of the report.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from audiocls.formatting import format_elapsed, format_value, plural
from audiocls.live.cells import matrix, progress
from audiocls.live.studies import Listed
from audiocls.live.trial import TrialView
from audiocls.live.watched import View
from audiocls.render.document import Block
from audiocls.render.figures import validation_key
from audiocls.render.formats.html import environment
from audiocls.render.table import Column
from audiocls.store import Cell, Proposal

if TYPE_CHECKING:
    from jinja2 import Environment

BUSY_S, IDLE_S = 2, 10
"""Between two looks of a page at a study that runs, and at one that does not."""
MOST_LISTED = 50
"""Running trials, and failed ones, that are listed one by one."""


def study_page(view: View) -> str:
    """Return the page of one study."""
    failed = [cell for cell in view.cells if cell.id in view.status.failures]
    return _page(
        "study.html.j2",
        name=view.name,
        title=f"{view.counts['done']}/{len(view.cells)} · {view.name}",
        view=view,
        facts=_facts(view),
        matrix=matrix(view),
        running=[_running(view, cell) for cell in view.cells if cell.id in view.running][
            :MOST_LISTED
        ],
        metric=validation_key(view.study) if view.study.metric else "",
        failed=[(cell.id, view.label_of(cell)) for cell in failed[:MOST_LISTED]],
        num_failed=len(failed),
        every_s=BUSY_S if view.is_running or view.is_behind else IDLE_S,
        announcement=_announcement(view),
    )


def _announcement(view: View) -> str:
    """Return what a screen reader is told now and then."""
    counts = view.counts
    failed = f", {counts['failed']} failed" if counts["failed"] else ""
    over = ". All trials have ended" if view.is_over else ""
    return f"{counts['done']} of {plural(len(view.cells), 'trial')} done{failed}{over}."


def _facts(view: View) -> list[tuple[str, str]]:
    counts = view.counts
    facts: list[tuple[str, str]] = [(state, str(number)) for state, number in counts.items()]
    if view.spent_s:
        facts.append(("trial time so far", format_elapsed(view.spent_s)))
    if not view.is_over and view.is_running:
        facts.append(("time left", _about(view.left_s)))
    facts += [("at work", at.launch.who) for at in view.at_work]
    return facts


def _about(seconds: float | None) -> str:
    """Return `about 3 min`: an estimate has no seconds, which would change at every look."""
    if seconds is None:
        return "not known yet"
    if seconds < 60:
        return "less than a minute"
    return f"about {format_elapsed(60 * round(seconds / 60)).removesuffix(' 00 s')}"


def _running(view: View, cell: Cell | Proposal) -> dict[str, Any]:
    at = view.running[cell.id]
    value = (at.values or {}).get(validation_key(view.study)) if view.study.metric else None
    return {
        "id": cell.id,
        "label": view.label_of(cell),
        "at": at,
        "progress": progress(view, cell.id),
        "value": "–" if value is None else format_value(float(value)),
    }


def studies_page(runs: str, listed: Sequence[Listed]) -> str:
    """Return the list of studies."""
    is_busy = any(each.is_running or (each.counts is None and not each.fault) for each in listed)
    return _page(
        "studies.html.j2",
        title="Studies",
        runs=runs,
        listed=listed,
        every_s=BUSY_S if is_busy else IDLE_S,
        announcement=f"{plural(len(listed), 'study').replace('studys', 'studies')} in {runs}.",
    )


def trial_page(view: View, trial: TrialView) -> str:
    """Return the page of one trial."""
    return _page(
        "trial.html.j2",
        name=view.name,
        title=f"{trial.label} · {view.name}",
        trial=trial,
        view=view,
        every_s=BUSY_S if trial.state == "running" else IDLE_S,
        announcement=f"{trial.state}{f', {trial.progress}' if trial.progress else ''}.",
    )


def blocks_page(name: str, title: str, blocks: Sequence[Block] | None, note: str = "") -> str:
    """Return a page of blocks; of none, while they are being read."""
    return _page(
        "blocks_page.html.j2",
        name=name,
        title=f"{title} · {name}",
        heading=title,
        blocks=blocks,
        note=note,
        every_s=BUSY_S if blocks is None else 0,  # what is being listened to stays as it is
        announcement="" if blocks is not None else "Being read.",
    )


def problem_page(title: str, text: str) -> str:
    """Return a page that says what went wrong, and where to go on."""
    return _page("problem.html.j2", title=title, text=text, every_s=0, announcement="")


def stylesheet() -> str:
    """Return the style of reports, and what the live page adds to it."""
    report = files("audiocls.render.formats").joinpath("page/style.css").read_text("utf-8")
    folding = _environment().get_template("folding.css").render()
    return report + folding + files("audiocls.live").joinpath("page/live.css").read_text("utf-8")


def script() -> str:
    """Return the script that keeps a page up to date."""
    return files("audiocls.live").joinpath("page/live.js").read_text("utf-8")


def address(*words: str) -> str:
    """Return the address of a study or a trial, whatever characters its name has."""
    return "/studies/" + "/".join(quote(word, safe="") for word in words)


def _page(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**{"name": "", **values})


def _is_shown(column: Column) -> bool:
    """Whether a table has a column: what figures of the whole report show is left to them."""
    return column.kind != "remark" and not column.is_drawn


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import ChoiceLoader, PackageLoader

    known = environment(_is_shown)
    assert known.loader is not None, "it loads the report's templates"
    page = PackageLoader("audiocls.live", "page")
    known.globals["address"] = address
    known.loader = ChoiceLoader([page, known.loader])
    return known
