"""The HTML page as a reader uses it: contents, tables that sort, filter and fold, a phone."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from helpers.records import finished_study, paired_values, write_study
from helpers.reports import markdown_of, page_of, text_of_html
from typer.testing import CliRunner

from audiocls.analysis import Comparison, compare
from audiocls.api.report import report_of
from audiocls.cli import app
from audiocls.design import load_ablation, plan
from audiocls.errors import ConfigError, UsageError
from audiocls.render.build import ablation
from audiocls.render.document import Command, Document, Section, Text
from audiocls.render.figures.rows import mark_of
from audiocls.render.formats.html import to_fragment, to_html
from audiocls.render.table import Column, Table
from audiocls.store import Study, StudyFolder

LONG = "optim.weight_decay_of_everything_that_has_two_dimensions_or_more=0.003526817263512"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def page() -> str:
    values = paired_values(0.03, 0.0, -0.03)
    values[LONG] = values.pop("arm1")
    study, records = finished_study(values)
    return page_of(compare(study, records), study)


def test_the_contents_lead_to_each_part_of_the_page(page):
    links = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>', page)
    assert [title for _, title in links][:2] == ["Verdicts", "test/accuracy against cost"]
    for anchor, title in links:
        (part,) = re.findall(rf'<section id="{re.escape(anchor)}">\s*<h2>([^<]+)</h2>', page)
        assert part == title


def test_parts_of_one_name_have_addresses_of_their_own():
    blocks = tuple(Section("Same", (Text(text),)) for text in "abc")
    text = to_html(Document("doc", blocks))
    assert re.findall(r'<section id="([^"]+)"', text) == ["same", "same-2", "same-3"]


def test_each_value_of_a_table_has_its_title_beside_it_for_a_card(page):
    table = re.search(r"<table.*?</table>", page, re.S)[0]
    titles = [
        re.sub(r"<[^>]+>", " ", head)
        for head in re.findall(r"<th scope=.col. role=.columnh.*?</th>", table)
    ]
    (row, *_) = re.findall(r"<tr role=.row.>(.*?)</tr>", table[table.index("<tbody") :], re.S)
    of_cells = re.findall(r'data-title="([^"]*)"', row)
    assert len(of_cells) == len(titles) - 1  # the arm is the card's own title
    for title, of_cell in zip(titles[1:], of_cells, strict=True):
        assert title.split()[0] == of_cell.split()[0]


def test_no_line_of_a_command_ends_inside_an_option():
    """A browser ends lines behind any hyphen: what was copied by eye would read `-- set`."""
    said = "audiocls sweep launch mixen.yaml --study mixen-2 --set data.name=esc50"
    html = to_html(Document("x", (Command(said),), dict))
    assert "<span>--study</span> mixen-2 <span>--set</span> data.name=esc50" in html
    assert said in text_of_html(html)


def test_a_notebooks_cell_has_no_script_and_no_addresses(page):
    study, records = finished_study(paired_values(0.03))
    fragment = to_fragment(ablation(compare(study, records), study))
    assert "<script" in page
    assert "<script" not in fragment
    assert "<section id=" not in fragment


PROBE = """<!doctype html><meta charset="utf-8">
<iframe id=f src="page.html" style="width:%dpx;height:900px;border:0"></iframe><pre id=o></pre>
<script>
f.onload = () => {
  const page = f.contentDocument, root = page.documentElement, table = page.querySelector('table');
  const names = () => [...table.tBodies].map((body) => body.rows[0].cells[0].textContent.trim());
  const head = [...table.tHead.rows[0].cells].find((each) => each.textContent.startsWith('Δ'));
  const before = names();
  const click = () => { head.querySelector('button').click(); return [head.ariaSort, names()]; };
  const cut = [...page.querySelectorAll('.table')].filter((e) => e.scrollWidth > e.clientWidth + 1);
  const shown = [...page.querySelectorAll('figure')].filter((e) => e.getClientRects().length);
  o.textContent = JSON.stringify({
    sideways: root.scrollWidth - root.clientWidth, before, clicks: [click(), click(), click()],
    cut: cut.length, figures: shown.map((e) => e.className) });
};
</script>"""


def measured(page: str, width: int, folder: Path) -> dict:
    """Return what a browser makes of a page in a frame of that many pixels."""
    (folder / "page.html").write_text(page)
    (folder / "probe.html").write_text(PROBE % width)
    return browsed(folder / "probe.html", width)


def browsed(file: Path, width: int) -> dict:
    """Return what a page in a browser writes as JSON into its element `o`."""
    command = [
        BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
        "--allow-file-access-from-files", f"--user-data-dir={file.parent / 'profile'}",
        "--virtual-time-budget=4000", f"--window-size={width + 200},1000",
        file.as_uri(),
    ]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    (text,) = re.findall(r'<pre id="o">(.*?)</pre>', ran.stdout, re.S)
    return json.loads(unescape(text))


PRINTED = """<pre id=o></pre><script>
const style = (which) => getComputedStyle(document.querySelector(which));
o.textContent = JSON.stringify({
  folded: style('details').display, heading: style('section > h2').breakAfter,
  lead: style('section > p').breakAfter, table: style('.card').display });
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_on_paper_nothing_is_to_be_opened_and_a_table_stays_with_what_leads_to_it(tmp_path):
    table = Table((Column("clip", "name"),), (("a",),))
    clips = Section("listen to the clips that changed sides", (Text("a"),), is_folded=True)
    document = Document("x", (Section("Clip by clip", (Text("Of all clips."), table, clips)),))
    paper = to_html(document).replace("@media print", "@media all") + PRINTED
    (tmp_path / "paper.html").write_text(paper)
    assert browsed(tmp_path / "paper.html", 800) == {
        "folded": "none", "heading": "avoid", "lead": "avoid", "table": "block",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_in_a_browser_nothing_is_cut_at_any_width_and_titles_sort(page, width, tmp_path):
    found = measured(page, width, tmp_path)
    assert found["sideways"] == 0
    assert found["cut"] == 0
    (up, rising), (down, falling), (none, again) = found["clicks"]
    assert (up, down, none) == ("ascending", "descending", "none")
    assert again == found["before"] == ["base", "arm0", "arm2", LONG]
    assert rising == ["arm2", LONG, "arm0", "base"]  # by size; what has no difference is last
    assert falling == ["arm0", LONG, "arm2", "base"]
    is_phone = width < 640
    assert any("on-narrow" in each for each in found["figures"]) == is_phone


# Arms that lean


def shifted(effect: float) -> tuple[Comparison, Study]:
    """Return a comparison of three arms, the first of which differs by `effect`."""
    values = paired_values(effect, 0.0, 0.0002, spread=0.008, seed=3)
    study, records = finished_study(values)
    return compare(study, records), study


def test_an_arm_whose_own_interval_alone_excludes_0_is_marked_and_explained():
    tried = (shifted(0.0003 * step) for step in range(40))
    comparison, study = next(each for each in tried if each[0].compared[0].is_leaning)
    arm = comparison.compared[0]
    assert arm.verdict == "no_evidence"
    assert arm.ci_low > 0 > arm.simultaneous_low
    text = text_of_html(page_of(comparison, study))
    assert "arm0 leans to one side: its own 95 % interval excludes 0. Among 3 comparisons" in text
    assert "△ ▽ nothing shown" in text
    assert mark_of(arm, "maximize") | {"color": 0, "mec": 0} == {
        "marker": "^", "color": 0, "mfc": "none", "mec": 0,
    }  # fmt: skip


def test_a_shown_effect_does_not_lean():
    comparison, _ = shifted(0.05)
    assert comparison.compared[0].verdict == "better"
    assert "to one side" not in markdown_of(comparison)
    assert mark_of(comparison.compared[0], "maximize")["mfc"] != "none"


# Trials, figures, labels


GIVEN = {
    "name": "x",
    "question": "?",
    "recipe": "logmel-cnn",
    "factors": {"optim.lr": [0.1, 0.2]},
}


@pytest.fixture
def folder(tmp_path) -> StudyFolder:
    study, records = finished_study(paired_values(0.03, 0.0))
    labelled = replace(study, labels={"arm0": "with dropout"})
    return write_study(tmp_path / "dropout", labelled, records)


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result.stdout


def test_csv_has_a_row_a_trial_and_json_the_same(folder):
    (folder.trial("arm1-1-3").path / "record.json").unlink()
    answered = run("report", str(folder.path), "--format", "csv", code=4)
    rows = list(csv.DictReader(io.StringIO(answered)))
    trials = json.loads(run("report", str(folder.path), "--json", code=4))["trials"]
    assert len(rows) == len(trials) == 45
    assert [row["trial"] for row in rows] == [trial["trial"] for trial in trials]
    record = folder.trial("arm0-1-3").record()
    row = next(row for row in rows if row["trial"] == "arm0-1-3")
    assert (row["arm"], row["label"], row["seed"], row["fold"]) == (
        "arm0",
        "with dropout",
        "1",
        "3",
    )
    assert (row["state"], row["model.dropout"]) == ("done", "arm0")
    assert float(row["test/accuracy"]) == record.metrics["test/accuracy"]
    assert float(row["cost/wall_s"]) == record.cost.wall_s
    missing = next(row for row in rows if row["trial"] == "arm1-1-3")
    assert (missing["state"], missing["test/accuracy"]) == ("pending", "")


def test_each_figure_is_a_file_of_each_format(folder, tmp_path):
    out = run("report", str(folder.path), "--json", "--figures", str(tmp_path / "f"),
              "--figure-format", "svg,png")  # fmt: skip
    json.loads(out)  # where they are is no part of what a program reads
    names = {file.name for file in (tmp_path / "f").iterdir()}
    assert {"pairs.svg", "pairs.png", "cost.svg", "cost.png"} <= names
    assert (tmp_path / "f" / "pairs.svg").read_text().startswith("<svg")
    run("report", str(folder.path), "--figures", str(tmp_path), "--figure-format", "gif", code=2)


def test_labels_are_what_every_format_calls_an_arm(folder):
    for format_ in ("terminal", "md", "tex", "json"):
        text = run("report", str(folder.path), "--format", format_)
        said = "with dropout" if format_ == "tex" else "with dropout helps"
        assert said in " ".join(text.split())
    file = folder.path / "r.html"
    run("report", str(folder.path), "--format", "html", "--out", str(file))
    assert '<th scope="row" role="rowheader">with dropout</th>' in file.read_text()
    assert "arm0" not in text_of_html(file.read_text()).replace("model.dropout=arm0", "")


def test_a_label_of_no_arm_or_of_two_is_refused():
    load_ablation({**GIVEN, "labels": {"lr=0.1": "slow"}}, "x.yaml")
    with pytest.raises(ConfigError, match=r"no arm is called 'lr=0.3'; arms: baseline, lr=0.1"):
        load_ablation({**GIVEN, "labels": {"lr=0.3": "fast"}}, "x.yaml")
    with pytest.raises(ConfigError, match=r"'baseline' is the name of 2 arms"):
        load_ablation({**GIVEN, "labels": {"lr=0.1": "baseline"}}, "x.yaml")


def test_labels_choose_arms_and_survive_the_store(folder):
    loaded = load_ablation({**GIVEN, "labels": {"lr=0.1": "slow"}}, "x.yaml")
    assert list(plan(loaded, arms=["slow"]).arms) == ["baseline", "lr=0.1"]
    assert folder.study().labels == {"arm0": "with dropout"}
    assert list(folder.study().arms) == ["base", "arm0", "arm1"]


def test_figures_of_an_answer_without_any_are_refused(tmp_path):
    with pytest.raises(UsageError, match="this answer has none"):
        report_of(Document("doc", ())).save_figures(tmp_path)
