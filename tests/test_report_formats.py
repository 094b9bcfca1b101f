import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from helpers.records import PROVENANCE, drop_records, finished_study, paired_values
from helpers.reports import markdown_of, page_of, text_of_html

from audiocls.analysis import compare
from audiocls.formatting import (
    format_count,
    format_duration,
    format_estimate,
    format_p,
    format_signed,
)
from audiocls.render.build.values import to_json
from audiocls.render.build.verdicts import verdict_table
from audiocls.render.figures import cost_per_arm, learning_curves, paired_differences
from audiocls.render.figures.svg import to_svg
from audiocls.render.formats.markdown import escaped

CONTRACT = {
    *("arm", "num_pairs", "mean", "delta", "ci_low", "ci_high", "simultaneous_low", "p_units"),
    *("p_replicates", "p", "p_holm", "p_equivalence", "verdict", "reason", "rule", "worst_pair"),
    *("rarest_excluded", "is_within_margin", "num_params", "macs", "seconds", "is_futile"),
}


@pytest.fixture
def broken():
    """A study with an effect, one arm of a strange name, one failed and one unfinished trial."""
    values = paired_values(0.03, 0.0)
    values["<b>&|_x_"] = values["arm1"]
    study, records = finished_study(values)
    return study, drop_records(records, "arm1-1-3", "base-2-5")


def histories(study):
    rows = [{"epoch": e, "val/accuracy": 0.1 * e, "val/loss": 1 / e} for e in range(1, 4)]
    return {cell.id: rows for cell in study.cells}


def html_of(study, records):
    comparison = compare(study, records)
    failures = [(cell, "out_of_memory", "8 GiB are <full>") for cell in comparison.missing[:1]]
    origins = [record.provenance for record in records.values()]
    return page_of(comparison, study, histories(study), failures, origins)


def test_json_is_strict_and_has_the_keys_of_the_contract(broken):
    mapping = json.loads(json.dumps(to_json(compare(*broken)), allow_nan=False))
    assert {"study", "metric", "baseline", "missing", "arms", "headline", "scope"} <= mapping.keys()
    assert {cell["id"] for cell in mapping["missing"]} == {"arm1-1-3", "base-2-5"}
    for arm in mapping["arms"]:
        assert arm.keys() >= CONTRACT


@pytest.mark.parametrize("num_pairs", [0, 1, 2])
def test_every_format_copes_with_hardly_any_pairs(num_pairs):
    study, records = finished_study({"a": [0.5] * 2, "b": [0.6] * 2}, seeds=(0,), folds=(1, 2))
    kept = {key: record for key, record in records.items() if record.fold <= num_pairs}
    comparison = compare(study, kept)
    json.dumps(to_json(comparison), allow_nan=False)
    assert "nan" not in markdown_of(comparison)
    assert "nan" not in text_of_html(page_of(comparison, study))


def test_json_stays_in_units_of_the_metric_and_text_speaks_in_points():
    comparison = compare(*finished_study(paired_values(0.03)))
    arm = to_json(comparison)["arms"][1]
    assert arm["delta"] == pytest.approx(0.03, abs=0.005)
    assert f"+{100 * arm['delta']:.1f}" in markdown_of(comparison)


def test_markdown_has_equal_rows_and_names_what_is_missing(broken):
    text = markdown_of(compare(*broken))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "- arm1, seed 1, fold 3 (arm1-1-3)" in text
    assert "- base, seed 2, fold 5 (base-2-5)" in text
    assert "audiocls sweep launch dropout" in text


def test_the_table_has_a_cell_for_each_column(broken):
    table = verdict_table(compare(*broken))
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert [row[0] for row in table.rows] == list(broken[0].arms)


def test_html_is_one_balanced_file_that_loads_nothing(broken):
    html = html_of(*broken)
    text_of_html(html)
    assert "http" not in html
    assert not re.search(r"<script[^>]", html)  # inline alone
    assert not re.search(r"(src=|url\((?!#)|@import)", html)
    assert all(target.startswith("#") for target in re.findall(r'href="([^"]*)"', html))


def test_a_long_arm_may_break_after_its_commas_so_that_a_page_of_paper_holds_the_table():
    values = paired_values(0.03)
    values["lr=0.1,width=8"] = values.pop("arm0")
    html = html_of(*finished_study(values))
    assert '<th scope="row" role="rowheader">lr=0.1,<wbr>width=8</th>' in html
    assert re.search(r"th\[scope=row\][^{]*\{[^}]*white-space: normal", html)


def test_html_names_every_arm_and_every_missing_cell_with_its_cause(broken):
    study, records = broken
    text = text_of_html(html_of(study, records))
    for arm in study.arms:
        assert arm in text
    assert "arm1-1-3" in text
    assert "base-2-5" in text
    assert "out of memory" in text
    assert "8 GiB are <full>" in text


def test_html_tells_how_it_was_decided_and_how_to_reproduce_it():
    study, records = finished_study(paired_values(0.03))
    first = next(iter(records))
    origin = replace(PROVENANCE, host="other-box")
    records[first] = replace(records[first], provenance=origin)
    text = text_of_html(html_of(study, records))
    for word in (
        "t test over 5 folds",
        "Holm",
        "all 5 folds were tested",
        "±1 points",
        "too few pairs",
        "box, other-box",
    ):
        assert word in text
    assert study.command in text


@pytest.mark.parametrize("draw", [paired_differences, cost_per_arm])
def test_pictures_are_the_same_bytes_each_time(broken, draw):
    comparison = compare(*broken)
    assert to_svg(draw(comparison), "x") == to_svg(draw(comparison), "x")


def test_pictures_take_the_ink_of_the_page_and_carry_no_date(broken):
    study, records = broken
    for figure in (
        paired_differences(compare(study, records)),
        learning_curves(study, histories(study)),
    ):
        svg = to_svg(figure, "x")
        assert "currentColor" in svg
        assert "<metadata" not in svg
        assert "#000000" not in svg


def test_learning_curves_average_the_trials_that_reached_an_epoch():
    study, _ = finished_study({"a": [0.5] * 2, "b": [0.6] * 2}, seeds=(0,), folds=(1, 2))
    rows = {
        "b-0-1": [{"epoch": 1, "val/accuracy": 0.2}, {"epoch": 2, "val/accuracy": 0.5}],
        "b-0-2": [{"epoch": 1, "val/accuracy": 0.4}, {"epoch": 2, "val/accuracy": float("nan")}],
    }
    arm = learning_curves(study, rows).axes[0].lines[0]
    assert list(arm.get_xdata()) == [1, 2]
    assert list(arm.get_ydata()) == pytest.approx([0.3, 0.5])


def test_importing_the_report_loads_nothing_heavy():
    code = (
        "import sys, audiocls.render.build; print([name for name in "
        "('torch', 'matplotlib', 'scipy', 'statsmodels', 'jinja2', 'pandas') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (format_estimate(0.853, 0.831, 0.872, 100), "85.3 [83.1, 87.2]"),
        (format_estimate(0.021, 0.008, 0.034, 100, is_signed=True), "+2.1 [+0.8, +3.4]"),
        (format_estimate(-0.0069, -0.01506, 0.00126, 1, is_signed=True), "−0.007 [−0.015, +0.001]"),
        (format_estimate(0.5, None, None, 100), "50.0"),
        (format_estimate(None, None, None, 100), "–"),
        (format_signed(-0.001, 1), "0.0"),
        (format_p(0.0625), "0.0625"),
        (format_p(1e-9), "<0.0001"),
        (format_p(None), "–"),
        (format_count(845), "845"),
        (format_count(1_240_000), "1.24 M"),
        (format_count(999_999), "1 M"),
        (format_duration(8.44), "8.4 s"),
        (format_duration(192), "3.2 min"),
        (format_duration(5400), "1.5 h"),
    ],
)
def test_numbers_are_written_for_people(got, expected):
    assert got == expected


def test_what_a_reader_must_know_is_in_every_format(broken):
    study, records = broken
    noted = replace(study, notes=("EnCodec's weights are untrained in every arm.",))
    comparison = compare(noted, records)
    assert to_json(comparison)["notes"] == noted.notes
    for text in (markdown_of(comparison), text_of_html(html_of(noted, records))):
        assert "untrained in every arm" in text


HOSTILE = {
    "[a](javascript:alert(1))": r"\[a\](javascript:alert(1))",
    "![x](http://a/b.png)": r"!\[x\](http://a/b.png)",
    "$x^2$ and $$y$$": r"\$x^2\$ and \$\$y\$\$",
    "<script>": r"\<script>",
    "~~gone~~": r"\~\~gone\~\~",
    "&lt;b&gt;": r"\&lt;b\&gt;",
    "# heading": r"\# heading",
    "- item": r"\- item",
    "> quoted": r"\> quoted",
    "12. item": r"12\. item",
    "a\n\n# b": "a # b",
    "lr=0.1 − 3.5 points": "lr=0.1 − 3.5 points",
}


@pytest.mark.parametrize(("text", "literal"), HOSTILE.items())
def test_markdown_shows_links_formulas_and_marks_as_they_are_written(text, literal):
    assert escaped(text) == literal
