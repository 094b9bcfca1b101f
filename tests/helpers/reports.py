"""What reports say and show: the words of an HTML page, the blocks and panels of a dashboard."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from audiocls.analysis import Comparison
from audiocls.cli import app
from audiocls.render.build import ablation
from audiocls.render.formats.html import to_html
from audiocls.render.formats.latex import to_latex
from audiocls.render.formats.markdown import to_markdown
from audiocls.store import StudyFolder
from audiocls.tracking.project import ProjectRef

GOLDEN = Path(__file__).parents[1] / "golden"
NOWHERE = ProjectRef("", "audiocls")
"""A place on W&B of nobody's, for dashboards that are not saved there."""
VOID = {"meta", "br", "wbr", "link", "img", "hr", "input"}
"""Tags of HTML that are never closed."""

Json = dict[str, Any]


def page_of(comparison: Comparison, *parts: Any, **named: Any) -> str:
    """Return the HTML page of a comparison; the rest is what `build.ablation` takes."""
    return to_html(ablation(comparison, *parts, **named))


def markdown_of(comparison: Comparison) -> str:
    """Return the comparison as Markdown."""
    return to_markdown(ablation(comparison))


def latex_of(comparison: Comparison) -> str:
    """Return the comparison as LaTeX tables."""
    return to_latex(ablation(comparison))


class Reader(HTMLParser):
    """Keeps the text and the ids, and fails where tags do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str | None] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def text_of_html(page: str) -> str:
    """Return the text of a page; fail where its tags do not match or an id occurs twice."""
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids))
    return " ".join("".join(reader.words).split())


def report_to_wandb(folder: StudyFolder, *words: str, code: int = 0) -> str:
    """Run `audiocls report --format wandb` and return what it printed, on one line."""
    result = CliRunner().invoke(app, ["report", str(folder.path), "--format", "wandb", *words])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def read_json(path: Path) -> Json:
    """Return the object in a file of JSON."""
    found: Json = json.loads(path.read_text())
    return found


def texts_of(spec: Json) -> list[str]:
    """Return every text in the report's blocks, Markdown included."""
    found = [spec["text"]] if isinstance(spec.get("text"), str) else []
    found += [spec["content"]] if isinstance(spec.get("content"), str) else []
    for value in spec.values():
        for child in value if isinstance(value, list) else [value]:
            found += texts_of(child) if isinstance(child, dict) else []
    return found


def panels_of(spec: Any) -> Iterator[Json]:
    """Yield every panel of a dashboard, at any depth."""
    for child in (
        spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ()
    ):
        if isinstance(child, dict) and "viewType" in child:
            yield child
        else:
            yield from panels_of(child)


def filters_of(spec: Any) -> list[Json]:
    """Return the conditions of each runset."""
    if isinstance(spec, dict):
        own = [spec] if spec.get("filterFormat") else []
        return own + [found for child in spec.values() for found in filters_of(child)]
    return (
        [found for child in spec for found in filters_of(child)] if isinstance(spec, list) else []
    )


def keys_of(panel: Json) -> Iterator[tuple[str, str]]:
    """Yield what a panel shows of a run: history, summary or config, and the key there."""
    config, kind = panel["config"], panel["viewType"]
    is_curve = kind == "Run History Line Plot"
    for key in config.get("metrics", []):
        yield "history" if is_curve else "summary", key
    if is_curve:
        yield "history", config["xAxis"]
    if "groupBy" in config:
        yield "config", config["groupBy"]
    if "targetKey" in config:
        yield "summary", config["targetKey"]
    for column in config.get("columns", []):
        where, _, key = column["accessor"].partition(":")
        yield where, key


def has_key(run: Any, where: str, key: str) -> bool:
    """Whether the history, the summary or the config of a logged run has the key."""
    if where == "history":
        return any(key in row for row in run.history)
    if where == "summary":
        return key in run.summary
    first, value, *rest = key.split(".")
    found = run.config[first]
    for part in rest:
        found = found[part]
    return value == "value" and found is not None
