"""A sweep's answer: what is ranked, by which keys, and how it reads."""

import pytest
from helpers.records import search_record, search_study
from helpers.reports import text_of_html
from typer.testing import CliRunner

from audiocls.cli import app
from audiocls.render.build import ranking as document_of
from audiocls.render.build.ranking import ranking_headline, table_of, to_json
from audiocls.render.figures import search as figures
from audiocls.render.figures.search import best_so_far
from audiocls.render.formats import html, markdown, terminal
from audiocls.store import Failure, Proposal, StudyFolder
from audiocls.studies.reports import load_ranking as rank

DOCUMENT = {
    "method": "random",
    "program": "train.py",
    "metric": {"name": "val/loss"},
    "parameters": {
        "optim": {"parameters": {"lr": {"min": 0.0, "max": 1.0}}},
        "act": {"values": ["relu|6", "gelu"]},
        "epochs": {"value": 3},
    },
}


def proposal(name: str, lr: float, act: str, **more: object) -> Proposal:
    return Proposal(name, {"act": act, "epochs": 3, "optim": {"lr": lr}, **more})


def show(found):
    terminal.show(document_of(found))


def to_markdown(found):
    return markdown.to_markdown(document_of(found))


def to_html(found):
    return html.to_html(document_of(found))


@pytest.fixture
def folder(tmp_path) -> StudyFolder:
    """Two finished trials, a failed one and one that was never started."""
    folder = StudyFolder(tmp_path / "runs" / "s s")
    folder.write_study(search_study("s s", DOCUMENT, "train.py", "/", "audiocls sweep launch s"))
    given = [("a", 0.5, "gelu"), ("b", 0.125, "relu|6"), ("c", 0.25, "gelu"), ("d", 0.75, "gelu")]
    for name, lr, act in given:
        folder.propose(proposal(name, lr, act))
    folder.trial("a").finish(search_record("a", 2.0))
    folder.trial("b").finish(search_record("b", 1.0))
    folder.trial("c").fail(Failure("error", "m", "", 1))
    return folder


def test_the_best_comes_first_and_what_has_no_value_has_no_place(folder):
    rows = table_of(rank(folder)).rows
    assert [(row[0], row[-1]) for row in rows] == [("1", "b"), ("2", "a"), ("", "c"), ("", "d")]


def test_a_trial_that_nobody_runs_is_pending_and_not_running(folder):
    assert [ranked.state for ranked in rank(folder).trials][2:] == ["failed", "pending"]


def test_columns_are_what_is_searched_and_what_is_the_same_everywhere_is_left_out(folder):
    ranking = rank(folder)
    assert ranking.searched == ("act", "optim.lr")
    assert "with act=relu|6, optim.lr=0.125." in ranking_headline(ranking)


def test_a_key_that_an_earlier_launch_varied_stays_a_column(folder):
    folder.propose(Proposal("e", {"act": "gelu", "epochs": 5, "optim": {"lr": 0.1}}))
    assert "epochs" in rank(folder).searched


def test_numbers_align_right_and_words_left(folder):
    table = table_of(rank(folder))
    texts = {column.name for column in table.columns if column.is_text}
    assert texts == {"state", "trial", "act"}
    assert "|--:|--:|---|--:|---|--:|---|" in to_markdown(rank(folder))


def test_a_pipe_in_a_value_is_no_column_of_the_markdown(folder):
    assert r"relu\|6" in to_markdown(rank(folder))


def test_one_trial_is_no_best_of_many(folder, capsys):
    folder.trial("a").reset_failure()
    only = StudyFolder(folder.path.parent / "t")
    only.write_study(folder.study())
    only.propose(proposal("a", 0.5, "gelu"))
    only.trial("a").finish(search_record("a", 2.0))
    show(rank(only))
    assert "Best of 1 trial: val/loss 2 with" in capsys.readouterr().out
    assert "luck" not in ranking_headline(rank(only))


def test_hints_are_commands_that_a_shell_takes(folder):
    runs = str(folder.path.parent)
    shown = CliRunner().invoke(app, ["sweep", "status", "s s", "--runs", runs])
    assert "audiocls sweep retry 's s'" in shown.output
    assert "act=gelu,lr=0.25: 1 failed" in shown.output


def test_retrying_says_how_many_and_how_to_go_on(folder):
    words = ["sweep", "retry", "s s", "--runs", str(folder.path.parent)]
    first, second = (CliRunner().invoke(app, words).output for _ in range(2))
    assert first.startswith("1 failed cell is pending again. Train: audiocls sweep launch s")
    assert second == "s s has no failed cell.\n"


SWEEP = "program: t.py\nmethod: grid\nparameters: {a: {values: [1]}}\n"


@pytest.mark.parametrize(
    ("name", "study"),
    [
        ('"../up"', "up"),
        ('"lr / batch"', "lr - batch"),
        ('".."', "file"),
        ('""', "file"),
        ('"--x"', "x"),
        ("x" * 300, "x" * 200),
    ],
)
def test_whatever_a_sweep_is_called_its_study_is_one_folder(tmp_path, monkeypatch, name, study):
    from audiocls.studies.sweep_request import sweep_request

    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.yaml").write_text(f"name: {name}\n{SWEEP}")
    assert sweep_request("file.yaml").study_name == study


@pytest.mark.parametrize("study", ["a/b", "..", "", "-x"])
def test_a_study_that_is_no_folders_name_is_refused(tmp_path, monkeypatch, study):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.yaml").write_text(SWEEP)
    result = CliRunner().invoke(app, ["sweep", "launch", "file.yaml", f"--study={study}"])
    assert result.exit_code == 2
    assert "the name of one folder" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["file.yaml"]


def test_an_unknown_name_may_have_meant_an_ablation_or_a_sweep():
    result = CliRunner().invoke(app, ["sweep", "plan", "tune_convnext"])
    assert result.exit_code == 2
    assert "no ablation or sweep is called 'tune_convnext'" in result.output
    assert "Did you mean 'tune_convnext1d'?" in result.output


@pytest.fixture
def many(folder):
    """Thirty more finished trials, of which those with a small lr are the best."""
    for index in range(30):
        name = f"n{index}"
        folder.propose(proposal(name, (index * 7 % 30) / 30, "gelu" if index % 3 else "relu|6"))
        folder.trial(name).finish(search_record(name, 0.1 + (index * 7 % 30) / 30))
    return folder


def test_the_page_of_a_sweep_is_one_file_that_says_what_luck_is(many):
    runs = str(many.path.parent)
    shown = CliRunner().invoke(app, ["report", "s s", "--runs", runs, "--format", "html"])
    assert shown.exit_code == 0, shown.output
    page = (many.path / "report.html").read_text()
    text = text_of_html(page)
    assert "Best of 32 trials: val/loss 0.1 with act=relu|6, optim.lr=0." in text
    assert "The best of many is partly luck: confirm it as an arm of an ablation." in text
    assert "http" not in page
    assert "<script src" not in page
    assert page.count("<svg") == 2 * 3  # each figure for a wide page and for a phone


def test_a_page_of_nothing_yet_says_so(tmp_path):
    folder = StudyFolder(tmp_path / "runs" / "new")
    folder.write_study(search_study("new", DOCUMENT, "train.py", "/", "audiocls sweep launch s"))
    page = to_html(rank(folder))
    assert "No trial has a value of val/loss yet." in text_of_html(page)
    assert "<svg" not in page


def test_importance_is_in_every_format(many, capsys):
    ranking = rank(many)
    first = ranking.parameters[0]
    assert (first.key, first.correlation > 0.8) == ("optim.lr", True)
    found = to_json(ranking)["importance"]
    assert found["parameters"][0] == {
        "key": "optim.lr",
        "share": first.share,
        "correlation": first.correlation,
    }
    show(ranking)
    for text in (capsys.readouterr().out, to_markdown(ranking), text_of_html(to_html(ranking))):
        assert f"{100 * round(first.share, 2):g} %" in text
        assert "rough" in text


def test_importance_of_two_trials_is_a_reason(folder, capsys):
    show(rank(folder))
    said = "Importance of parameters: 8 trials with a value are needed, there are 2."
    assert said in capsys.readouterr().out
    assert said in to_markdown(rank(folder))
    assert to_json(rank(folder))["importance"]["parameters"][0]["share"] is None


def test_the_line_of_the_best_so_far_only_improves(many):
    line = best_so_far(rank(many)).axes[0].lines[0]
    values = list(line.get_ydata())
    assert values == sorted(values, reverse=True)
    assert values[0] == 2.0
    assert values[-1] == rank(many).scored[0].value
    assert list(line.get_xdata()) == sorted(line.get_xdata())


def test_a_picture_of_many_trials_has_the_best_of_them(many, monkeypatch):
    monkeypatch.setattr(figures, "MAX_POINTS", 10)
    drawn = figures.drawn(rank(many))
    assert len(drawn) <= 10
    best = {ranked.proposal.id for ranked in rank(many).scored[:5]}
    assert best <= {ranked.proposal.id for ranked in drawn}
