"""Every answer exists in every format: the table of answers and formats has no hole."""

import csv
import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from helpers.frozen import QUIET, STUDIES
from helpers.reports import text_of_html
from typer.testing import CliRunner

from audiocls.cli import app
from audiocls.render.document import Document, Section, Text
from audiocls.render.formats import writer
from audiocls.render.formats.terminal import show
from audiocls.render.output import FORMATS, OF_TRIALS
from audiocls.render.table import Column, Estimate, Table

ANSWERS = {
    "ablation": ["report", "plain"],
    "effects": ["report", "factorial"],
    "clips": ["report", "plain", "--clips"],
    "ranking": ["report", "search"],
    "studies": ["report", "plain", "other"],
    "noise": ["noise", "varied.yaml", *QUIET],
    "plan": ["sweep", "plan", "plain.yaml"],
    "search plan": ["sweep", "plan", "search.yaml"],
}
SAYS = {
    "ablation": "dropout=0.1",
    "effects": "lr=0.01",
    "clips": "p (recordings)",
    "ranking": "Best of 4 trials",
    "studies": "no arm is shown to do better or worse",
    "noise": "difference of two arms",
    "plan": "after correction for",
    "search plan": "optim.lr",
}
"""What an answer says in every format that has words."""
IN_TABLES = {"ranking": "0.001296", "studies": "lr=1e-07"}
"""What of it stands in its tables."""
WITHOUT_TRIALS = ("plan", "search plan")
"""They have none yet."""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """The folder in which the frozen studies were launched."""
    shutil.copytree(STUDIES, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    monkeypatch.setenv("AUDIOCLS_RUNS", "studies")
    return tmp_path / "home"


def written(answer: str, format_: str, file: Path) -> str:
    """Return what the command writes; stdout where the format prints."""
    words = [*ANSWERS[answer], "--format", format_]
    words += [] if format_ == "terminal" else ["--out", str(file)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.stdout if format_ == "terminal" else file.read_text(encoding="utf-8")


def in_plain(text: str, format_: str) -> str:
    """Return a format's text without what its grammar needs."""
    if format_ == "html":
        return text_of_html(text)
    if format_ == "ipynb":
        text = "\n".join(cell.source for cell in nbformat.reads(text, as_version=4).cells)
    if format_ == "wandb":
        text = json.dumps(json.loads(text), ensure_ascii=False)
    return " ".join(re.sub(r"[\\$]|\{\}", "", text).split())


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_exists_in_every_format(answer, format_, home):
    if format_ in OF_TRIALS and answer in WITHOUT_TRIALS:
        return
    if format_ == "ipynb" and answer in ("ablation", "effects", "clips"):
        return  # executed, and tested with the notebooks
    text = written(answer, format_, home / "file")
    if format_ == "json":
        assert json.loads(text)
        return
    if format_ == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert rows, "no trial"
        assert len({row["trial"] for row in rows}) == len(rows)
        return
    said = IN_TABLES.get(answer, SAYS[answer]) if format_ == "tex" else SAYS[answer]
    assert said in in_plain(text, format_)


@pytest.mark.slow
def test_clips_are_listened_to_in_an_executed_notebook(home):
    notebook = nbformat.reads(written("clips", "ipynb", home / "file"), as_version=4)
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert any("<audio" in o.get("data", {}).get("text/html", "") for o in outputs)


@pytest.mark.parametrize("answer", WITHOUT_TRIALS)
def test_a_plan_on_wandb_is_refused_with_the_formats_it_has(answer, home):
    result = CliRunner().invoke(app, [*ANSWERS[answer], "--format", "wandb"])
    assert result.exit_code == 2
    assert "allowed for a plan: terminal, json, md, html, tex, ipynb" in result.output


@pytest.mark.parametrize("answer", ["ablation", "studies", "ranking", "plan"])
def test_json_as_an_option_and_as_a_format_are_the_same_bytes(answer, home):
    option, format_ = (
        CliRunner().invoke(app, [*ANSWERS[answer], *words]).stdout
        for words in (["--json"], ["--format", "json"])
    )
    assert option == format_


# What a format does with a block.

COLUMNS = (Column("arm", "name"), Column("Δ", unit="points", level="95 %"))


def of_rows(num: int, **options) -> Document:
    rows = tuple((f"arm{i}", Estimate(0.01, -0.005, 0.03, 100, True)) for i in range(num))
    return Document("doc", (Section("Arms", (Table(COLUMNS, rows, **options),)),))


@pytest.mark.parametrize(("format_", "most"), [("tex", 20), ("html", 100), ("md", 300)])
def test_ranked_rows_end_where_a_format_has_no_more_room(format_, most):
    text = writer(format_)(of_rows(300, all_rows="audiocls report x --format md"))
    assert f"arm{most - 1}" in text
    assert f"arm{most}" not in text
    assert f"arm{most}" in writer(format_)(of_rows(most + 1))


def test_an_interval_about_its_mean_is_a_half_width_in_latex_and_a_lopsided_one_has_its_ends():
    text = writer("tex")(of_rows(1))
    assert "$+1.0$ {[}$-0.5$, $+3.0${]}" in text
    even = Table(COLUMNS, (("a", Estimate(0.01, -0.01, 0.03, 100, True)),))
    assert r"$+1.0 \pm 2.0$" in writer("tex")(Document("doc", (even,)))


def test_a_section_without_anything_to_show_is_left_out(capsys):
    show(Document("doc", (Section("Empty", ()), Section("Full", (Text("words"),)))))
    said = capsys.readouterr().out
    assert "Full" in said
    assert "Empty" not in said
