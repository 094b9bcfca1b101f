"""The LaTeX table says what the answer says, and is LaTeX whatever the arms are called."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from helpers.records import drop_records, finished_study, paired_values
from helpers.reports import latex_of

from audiocls.analysis import compare
from audiocls.render.formats.latex_escape import escaped
from audiocls.store.record import Objective

HOSTILE = r"_ % & # $ ~ ^ \ { } < > [x] * | \"q\" -- --- '' ,, ?` !` – − é ß ü Å α ±"
PAGE = r"""\documentclass{article}
\usepackage{booktabs}
\begin{document}
\input{table}
See Table~\ref{tab:dropout-test-accuracy}.
\end{document}
"""
needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex on this machine"
)


@pytest.fixture
def several():
    """Arms of each verdict, one of them with a name that LaTeX would take for commands."""
    values = paired_values(0.03, -0.02, 0.0, 0.01)
    values[HOSTILE] = values["arm0"]
    values["[first"] = values["arm1"]
    study, records = finished_study(values)
    asked = "Does 5 % of dropout_help & why?"
    return replace(study, question=asked), drop_records(records, "arm3-1-3")


def rows(text):
    return {
        line.split(" & ")[0]: line.removesuffix(r" \\").split(" & ")
        for line in text.splitlines()
        if line.endswith(r"\\")
    }


def test_a_difference_stands_with_its_half_width_and_a_claim_with_its_dagger():
    comparison = compare(*finished_study(paired_values(0.03, 0.0)))
    better, other = comparison.compared
    table = rows(latex_of(comparison))
    half = 100 * (better.ci_high - better.ci_low) / 2
    number = re.fullmatch(r"\$\+([\d.]+) \\pm ([\d.]+)\$.*", table["arm0"][3])
    assert float(number[1]) == pytest.approx(100 * better.delta, abs=0.05)
    assert float(number[2]) == pytest.approx(half, abs=0.05)
    assert table["arm0"][3].endswith(r"\rlap{$^{\dagger}$}")
    assert table["arm0"][5] == "better"
    assert other.verdict == "equivalent"
    assert "dagger" not in table["arm1"][3]


def test_the_dagger_is_explained_only_where_there_is_one():
    assert "Significant after Holm's" in latex_of(compare(*finished_study(paired_values(0.03))))
    assert "dagger" not in latex_of(compare(*finished_study(paired_values(0.0))))


def test_why_an_arm_is_not_comparable_and_what_is_missing_stands_below_the_table(several):
    comparison = compare(*several)
    text = latex_of(comparison)
    *numbers, verdict = rows(text)["arm3"][3:]
    mark = verdict.removeprefix("not comparable")
    assert numbers == ["--", "--"]
    below = text[text.index(r"\end{tabular}") :]
    assert f"{mark}{escaped(comparison.compared[3].reason)}." in below
    assert "104 of 105 trials" in below


def test_arms_that_share_a_reason_share_its_number():
    values = {arm: [0.5] for arm in "abc"}
    text = latex_of(compare(*finished_study(values, seeds=(0,), folds=(1,))))
    assert text.count("too few pairs$^{1}$") == 2
    assert "$^{2}$" not in text


def test_what_an_arm_is_compared_with_is_a_column_where_that_is_not_the_baseline():
    study, records = finished_study(paired_values(0.01, 0.03))
    assert "Against" not in latex_of(compare(study, records))
    table = rows(latex_of(compare(replace(study, references={"arm1": "arm0"}), records)))
    assert table["arm1"][1] == "arm0"
    assert table["arm0"][1] == "base"
    assert {len(row) for row in table.values()} == {7}


def test_each_metric_has_a_table_and_each_table_a_label():
    study, records = finished_study(paired_values(0.03))
    secondary = (Objective("test/loss", "minimize", 0.1),)
    records = {
        key: replace(record, metrics={**record.metrics, "test/loss": 1.5 + 0.1 * record.fold})
        for key, record in records.items()
    }
    text = latex_of(compare(replace(study, secondary=secondary), records))
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert labels == ["tab:dropout-test-accuracy", "tab:dropout-test-loss"]


def test_no_text_becomes_a_command_and_every_brace_closes(several):
    text = latex_of(compare(*several))
    assert text.isascii()
    body = re.sub(r"\\[\\{}%&#$_]", "", text)
    assert body.count("{") == body.count("}")
    assert {len(row) for row in rows(text).values()} == {6}


def test_a_line_never_starts_with_what_a_line_break_takes_for_its_option(several):
    lines = latex_of(compare(*several)).splitlines()
    assert not [line for line in lines if line.startswith(("[", "*"))]


@needs_latex
def test_it_compiles_with_every_character_of_a_hostile_name(several, factorial, tmp_path):
    tables = [latex_of(compare(*each)) for each in (several, factorial)]
    (tmp_path / "table.tex").write_text("\n".join(tables), encoding="utf-8")
    (tmp_path / "paper.tex").write_text(PAGE, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert "LaTeX Error" not in ran.stdout
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000


@pytest.fixture
def factorial():
    """Two factors whose effects do not add up."""
    values = paired_values(0.03, 0.02, 0.0)
    names = {"base": "base", "arm0": "dropout_p=0.1", "arm1": "sam=on", "arm2": "both"}
    study, records = finished_study({names[arm]: row for arm, row in values.items()})
    arms = {
        "base": {},
        "dropout_p=0.1": {"model.dropout_p": 0.1},
        "sam=on": {"optim.sam": "on"},
        "both": {"model.dropout_p": 0.1, "optim.sam": "on"},
    }
    factors = {"model.dropout_p": [0, 0.1], "optim.sam": ["off", "on"]}
    arms["base"] = {key: levels[0] for key, levels in factors.items()}
    arms = {arm: {**arms["base"], **changes} for arm, changes in arms.items()}
    return replace(study, design="factorial", arms=arms, factors=factors), records


def test_effects_of_factors_have_a_table_of_their_own(factorial):
    comparison = compare(*factorial)
    assert comparison.effects.estimates
    text = latex_of(comparison)
    effects = text[text.index(r"\begin{table}", text.index(r"\end{table}")) :]
    assert r"\label{tab:dropout-effects}" in effects
    table = rows(effects)
    for effect in comparison.effects.estimates:
        row = table[escaped(effect.name)]
        assert ("dagger" in row[3]) == (effect.verdict in ("better", "worse", "interacts"))
        assert row[5].startswith(effect.verdict.replace("_", " "))
    assert any(row[5] == "interacts" for row in table.values())
