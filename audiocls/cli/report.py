"""`audiocls report`: the answer of a launched study."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from audiocls import console
from audiocls.cli import across, answer, clips, dashboards, notebooks, ranking
from audiocls.cli.checkpoints import require_file_name
from audiocls.cli.options import RUNS, JsonOption, RunsOption, StudyArgument
from audiocls.errors import NotComparable, UsageError
from audiocls.render.ranking import to_json, to_markdown
from audiocls.store import StudyFolder
from audiocls.store.study import open_study
from audiocls.studies.reports import StudyReport, load_report

FORMATS = ("terminal", "md", "html", "tex", "ipynb", "wandb")


def report(
    name: StudyArgument,
    others: Annotated[
        list[str] | None, typer.Argument(help="Further studies, to compare with it.")
    ] = None,
    as_json: JsonOption = False,
    format_: Annotated[str, typer.Option("--format", help=f"{', '.join(FORMATS)}.")] = "terminal",
    out: Annotated[Path | None, typer.Option("--out", help="File, for all but terminal.")] = None,
    entity: Annotated[str | None, typer.Option("--entity", help="Of W&B, for wandb.")] = None,
    project: Annotated[str | None, typer.Option("--project", help="Of W&B, for wandb.")] = None,
    with_clips: clips.ClipsOption = False,
    assignments: clips.RootOption = None,
    runs: RunsOption = RUNS,
) -> None:
    """Compare a study's arms with its baseline, over what is recorded so far; or whole studies."""
    _check(as_json, format_, out, {"--entity": entity, "--project": project})
    wish = clips.wish_of(with_clips, assignments, format_)
    if others:
        clips.refuse(wish, "several studies")
        across.report_across([name, *others], runs, as_json, format_, out)
        return
    folder = open_study(name, runs)
    if format_ not in FORMATS:
        raise UsageError(f"--format: got {format_!r}; allowed: {', '.join(FORMATS)}")
    if folder.is_sweep():
        clips.refuse(wish, f"the sweep {folder.name}")
        _of_sweep(folder, as_json, format_, out, (entity, project))
        return
    found = load_report(folder)
    _of_ablation(found, as_json, format_, out, (entity, project), wish)
    if not found.is_comparable:
        raise NotComparable(f"{folder.name}: no arm can be compared with the baseline; see reasons")


def _check(
    as_json: bool, format_: str, out: Path | None, of_wandb: Mapping[str, str | None]
) -> None:
    """Nothing is skipped silently, nor found impossible when all is computed."""
    if as_json and format_ != "terminal":
        raise UsageError(f"--json: got --format {format_} as well; keep one of them")
    if out is not None and format_ == "terminal":
        what = "--json" if as_json else "--format terminal"
        raise UsageError(f"--out: {what} prints; redirect it (> {out}), or name another --format")
    require_file_name(out)
    given = [option for option, value in of_wandb.items() if value is not None]
    if given and format_ != "wandb":
        raise UsageError(f"{', '.join(given)}: for --format wandb only; got {format_}")


def _of_ablation(
    found: StudyReport,
    as_json: bool,
    format_: str,
    out: Path | None,
    place: tuple[str | None, str | None],
    wish: clips.ClipsWish,
) -> None:
    if as_json:
        answer.show_as_json(found, wish.is_asked)
    elif format_ == "html":
        console.say(str(answer.write_html(found, out, wish)))
    elif format_ == "wandb":
        dashboards.make(dashboards.of_ablation(found), out, *place)
    elif format_ == "md":
        _write_or_say(answer.markdown(found, wish.is_asked), out)
    elif format_ == "tex":
        _write_or_say(answer.latex(found), out)
    elif format_ == "ipynb":
        console.say(str(notebooks.write_notebook(found.folder, out)))
    else:
        answer.show(found, wish.is_asked)


def _of_sweep(
    folder: StudyFolder,
    as_json: bool,
    format_: str,
    out: Path | None,
    place: tuple[str | None, str | None],
) -> None:
    """A sweep has no arms to compare, but trials to rank."""
    if format_ in ("tex", "ipynb"):
        got = f"{folder.name} is a sweep; --format: got {format_!r}"
        raise UsageError(f"{got}; allowed: terminal, md, html, wandb")
    found = ranking.rank(folder)
    if as_json:
        console.show_json(to_json(found))
    elif format_ == "html":
        console.say(str(ranking.write_html(found, folder, out)))
    elif format_ == "wandb":
        dashboards.make(dashboards.of_search(folder, found), out, *place)
    elif format_ == "md":
        _write_or_say(to_markdown(found), out)
    else:
        ranking.show(found)


def _write_or_say(text: str, out: Path | None) -> None:
    if out is None:
        print(text, end="")
    else:
        from audiocls.atomic import write_text

        write_text(out, text)
        console.say(str(out))
