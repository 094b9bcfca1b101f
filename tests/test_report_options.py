"""`audiocls report` refuses an option without an effect before it reads anything."""

import pytest
from typer.testing import CliRunner

from audiocls.cli import app


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--json --format tex", "--json: got --format tex as well"),
        ("--out x.txt", "--out: --format terminal prints"),
        ("--json --out x.json", "--out: --json prints; redirect it (> x.json)"),
        ("--format html --out .", "--out: got the folder ."),
        ("--format md --entity me", "--entity: for --format wandb only; got md"),
        ("other --json --format md", "--json: got --format md as well"),
        ("other --out x.md", "--out: --format terminal prints"),
    ],
)
def test_what_would_be_skipped_silently_is_refused(words, said):
    result = CliRunner().invoke(app, ["report", "nothing", *words.split()])
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize("effect", ["0", "-1", "nan", "inf"])
def test_an_effect_is_a_number_above_zero(effect):
    result = CliRunner().invoke(app, ["sweep", "plan", "dropout", "--effect", effect])
    assert result.exit_code == 2
    assert "--effect" in result.output
