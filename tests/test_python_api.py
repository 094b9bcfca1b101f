"""The calls of `import audiocls`: values that show themselves, frames, figures, errors."""

import math
import re
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers.recipes import TINY_ABLATION_YAML, TINY_RECIPE_YAML
from helpers.records import finished_study, paired_values, write_study

import audiocls
from audiocls.api import display, frames
from audiocls.api.arguments import assignments_of, names_text, numbers_text
from audiocls.errors import AudioclsError, UsageError
from audiocls.execution.messages import Running, Status
from audiocls.library import overrides
from audiocls.render.figures.svg import ON_BOTH
from audiocls.stop_signals import handled

ROOT = Path(__file__).parent.parent
KEYS = {"arm": "model", "baseline": "ast", "seed": "seed", "fold": "fold", "metric": "acc"}
QUIET = {"wandb": "disabled", "executor": "inline", "progress": False}


def table():
    """Two models on three seeds and five folds; the second is better by three points."""
    rng = np.random.default_rng(0)
    return [
        {"model": model, "seed": seed, "fold": fold, "acc": 0.8 + gain + rng.normal(0, 0.004)}
        for seed in range(3)
        for fold in range(1, 6)
        for model, gain in (("ast", 0.0), ("cnn", 0.03))
    ]


def columns(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A project with a tiny ablation and its recipe."""
    monkeypatch.chdir(tmp_path)
    for folder, text in (("recipes", TINY_RECIPE_YAML), ("ablations", TINY_ABLATION_YAML)):
        Path(folder).mkdir()
        Path(folder, "tiny.yaml").write_text(text)


@pytest.fixture
def study(tmp_path):
    """A finished study of a baseline and two arms."""
    write_study(tmp_path / "runs" / "dropout", *finished_study(paired_values(0.03, 0.0)))
    return audiocls.Study("dropout", tmp_path / "runs")


def test_the_same_table_gives_the_same_verdict_in_every_shape(tmp_path):
    pandas, polars = (pytest.importorskip(name) for name in ("pandas", "polars"))
    rows = table()
    file = tmp_path / "results.csv"
    pandas.DataFrame(rows).to_csv(file, index=False)
    shapes = [columns(rows), pandas.DataFrame(rows), polars.DataFrame(rows), file, str(file)]
    first = audiocls.compare(rows, **KEYS)
    assert first.verdicts == {"cnn": "better"}
    for shape in shapes:
        assert audiocls.compare(shape, **KEYS).arms == first.arms


def test_a_comparison_in_memory_is_that_of_the_import(tmp_path):
    rows = table()
    imported = audiocls.import_results(
        write_csv(tmp_path / "x.csv", rows), **KEYS, goal="maximize", runs=tmp_path, progress=False
    )
    assert imported.compare().arms == audiocls.compare(rows, **KEYS).arms
    assert imported.imported.num_done == 30
    opened = audiocls.Study(tmp_path / "x.csv", **KEYS, goal="maximize")
    assert opened.compare().arms == imported.compare().arms


def write_csv(file, rows):
    lines = [",".join(map(str, row.values())) for row in rows]
    file.write_text("\n".join([",".join(rows[0]), *lines]) + "\n")
    return file


@pytest.mark.parametrize(
    ("data", "changes", "words"),
    [
        (3, {}, "got int; wanted: a frame of pandas"),
        ([], {}, "has no row"),
        ({"acc": [1, 2], "model": ["a"]}, {}, "differ in length"),
        (table(), {"metric": "accu"}, "Did you mean 'acc'"),
        (table(), {"baseline": "asd"}, "Did you mean 'ast'"),
        (table(), {"sede": "seed"}, "compare() has no option 'sede'. Did you mean 'seed'?"),
        (table(), {"metric": "val_loss"}, "may be better when it is lower"),
        (table(), {"goal": "up"}, "allowed: maximize, minimize"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(data, changes, words):
    with pytest.raises(UsageError, match=re.escape(words)):
        audiocls.compare(data, **{**KEYS, **changes})


def test_the_direction_of_a_loss_has_to_be_said():
    rows = [{**row, "loss": 1 - row["acc"]} for row in table()]
    found = audiocls.compare(rows, **{**KEYS, "metric": "loss"}, goal="minimize")
    assert found.verdicts == {"cnn": "better"}
    for name in ("val/loss", "EER", "word_error", "rmse", "wer"):
        with pytest.raises(UsageError, match="goal: missing"):
            audiocls.compare(rows, **{**KEYS, "metric": name})
    for name in ("seer", "f1", "closses", "accuracy"):
        with pytest.raises(UsageError, match="no column"):
            audiocls.compare(rows, **{**KEYS, "metric": f"{name}s"})


def test_missing_values_of_frames_are_missing_trials():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(table())
    frame.loc[0, "acc"] = float("nan")
    found = audiocls.compare(frame, **KEYS)
    assert found.arms[1].num_pairs == 14
    assert "29 of 30 trials finished." in repr(found)


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_a_study_is_handed_out_as_frames(study, backend):
    pytest.importorskip(backend)
    trials = study.trials(backend)
    assert type(trials).__module__.startswith(backend)
    assert trials.shape[0] == 45
    assert list(trials.columns)[:5] == ["trial", "arm", "seed", "fold", "state"]
    assert next(iter(trials["test/accuracy"])) == study.rows()[0]["test/accuracy"]
    compared = study.compare()
    assert list(compared.frame(backend=backend)["verdict"]) == [
        "baseline",
        *compared.verdicts.values(),
    ]
    assert compared.frame("pairs", backend).shape == (30, 5)
    assert compared.frame("effects", backend).shape[0] == 0


def test_without_a_library_of_frames_rows_are_left(study, monkeypatch):
    monkeypatch.setattr(frames, "find_spec", lambda name: None)
    for name in ("pandas", "polars"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(UsageError, match="pip install pandas"):
        study.trials()
    with pytest.raises(UsageError, match="backend: got 'panda'"):
        study.trials("panda")
    assert len(study.rows()) == 45


def test_the_imported_library_is_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", object())
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    assert frames.chosen_backend(None) == "polars"
    monkeypatch.setitem(sys.modules, "pandas", object())
    assert frames.chosen_backend(None) == "pandas"


def test_columns_of_several_kinds_are_text_and_whole_numbers_beside_fractions_are_floats():
    rows = [{"a": 1, "b": "x", "c": True}, {"a": 0.5, "b": 2, "c": None}, {"b": True}]
    found = frames.frame_of(rows, "pandas")
    assert list(found["a"])[:2] == [1.0, 0.5]
    assert list(found["b"]) == ["x", "2", "true"]
    assert frames.rows_of(found)[2] == {"a": None, "b": "true", "c": None}


def test_values_print_what_the_terminal_shows_and_show_what_fits_any_page(study):
    from audiocls.render.formats.terminal import to_text

    compared = study.compare()
    assert repr(compared) == to_text(compared.report.document) == str(compared)
    assert compared.headline in repr(compared)
    html = compared._repr_html_()
    assert html.lstrip().startswith('<div class="audiocls">')
    assert "<html" not in html
    assert "body {" in html  # nested in .audiocls, where it matches nothing
    own = html.partition("<style>")[2].partition("</style>")[0]
    outside = re.sub(r"\.audiocls \{.*\n\}", "", own, flags=re.S)
    assert all(".audiocls" in rule for rule in re.findall(r"^([^{}\n]+)\{", outside, re.M))
    assert "prefers-color-scheme" in own  # of pages; a notebook's own theme decides here
    assert 'class="badge better">better' in html
    assert "109" not in html or "params" in html
    for column in ("params", "MACs", "time"):
        assert f">{column}<" in html


def test_a_value_prints_plain_text_where_colours_are_forced(study, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a notebook's kernel sets it
    monkeypatch.setenv("TERM", "xterm-color")
    assert "\x1b" not in repr(study.compare())


def luminance(colour):
    """The relative luminance of WCAG 2."""
    shares = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_words_in_colour_are_read_on_light_and_on_dark_grounds():
    css = (ROOT / "audiocls/render/formats/page/fragment.css").read_text()
    light, dark = css.split("[data-jp-theme-light", 1)
    for part, ground in ((light, "#ffffff"), (dark, "#1e1e1e")):
        colours = re.findall(r"--(?:better|worse|equivalent|warn): (#\w{6})", part)
        assert len(colours) == 4
        assert all(contrast(colour, ground) >= 4.5 for colour in colours)
    assert min(contrast(ON_BOTH, ground) for ground in ("#ffffff", "#111111")) >= 4


def test_figures_are_objects_and_files(study, tmp_path):
    compared = study.compare()
    figure = compared.figure("pairs")
    assert figure.svg.startswith("<svg")
    assert "currentColor" not in figure.svg
    assert re.search(r'width="[\d.]+pt"', figure.svg)
    assert ON_BOTH in figure._repr_svg_()
    heads = {".svg": b"<svg", ".pdf": b"%PDF", ".png": b"\x89PNG"}
    for suffix, head in heads.items():
        assert figure.save(tmp_path / f"x{suffix}").read_bytes().startswith(head)
    assert "pairs" in compared.figures
    with pytest.raises(UsageError, match="Did you mean 'pairs'"):
        compared.figure("pair")
    with pytest.raises(UsageError, match=r"allowed: \.svg, \.pdf, \.png"):
        figure.save(tmp_path / "x.jpg")
    with pytest.raises(UsageError, match="no trial recorded 'val/accuracy'; recorded: nothing"):
        compared.curves()


@pytest.mark.parametrize("suffix", [".md", ".html", ".tex", ".json", ".txt"])
def test_a_report_is_saved_as_the_ending_says(study, tmp_path, suffix):
    file = study.report().save(tmp_path / f"report{suffix}")
    assert "arm0" in file.read_text()


def test_a_report_knows_its_formats(study):
    with pytest.raises(UsageError, match="Did you mean 'md'"):
        study.report().text("mdd")
    with pytest.raises(UsageError, match=r"report\(\) has no option 'clip'"):
        audiocls.report(study, clip=True)
    with pytest.raises(UsageError, match="named twice"):
        audiocls.report(study, study)


def test_what_is_no_study_is_one_sentence(tmp_path, study):
    runs = study.path.parent
    with pytest.raises(UsageError, match="Did you mean 'dropout'"):
        audiocls.Study("dropuot", runs)
    with pytest.raises(UsageError, match="Did you mean 'dropout'"):
        audiocls.Study(runs / "dropuot")
    with pytest.raises(UsageError, match="leave them out"):
        audiocls.Study("dropout", runs, arm="x")
    with pytest.raises(UsageError, match="no study 'birds' in me"):
        audiocls.report("me/birds")
    with pytest.raises(UsageError, match="no file"):
        audiocls.Study("nowhere.csv", arm="x")


def test_a_path_that_is_there_is_no_project_of_wandb(study, monkeypatch):
    monkeypatch.chdir(study.path.parent.parent)
    assert audiocls.Study("runs/dropout").path == Path("runs/dropout")
    with pytest.raises(UsageError, match="no study 'x' in runs"):
        audiocls.Study("runs/x")


def test_states_are_values(study):
    status = audiocls.status(study)
    assert status.counts == {"done": 45, "failed": 0, "running": 0, "pending": 0}
    assert "total" in repr(status)
    assert not audiocls.stop(study).asked
    listed = audiocls.list_studies(runs=study.path.parent)
    assert (listed.names, listed.rows()[0]["done"]) == (("dropout",), 45)
    retried = audiocls.retry(study, arms=["arm0"])
    assert (retried.num_failed, audiocls.status(study).counts["pending"]) == (0, 15)


def test_what_can_be_named_is_listed(tiny):
    listed = audiocls.list_ablations()
    assert "tiny" in listed.names
    assert len(listed) == len(listed.rows())
    assert "Does dropout help a tiny network?" in repr(listed)
    assert audiocls.read_ablation("tiny").question == "Does dropout help a tiny network?"


def test_a_plan_is_a_value_with_a_row_a_trial(tiny):
    plan = audiocls.plan("tiny", seeds=range(4), arms=["baseline", "dropout=0.5"])
    assert plan.facts["num_trials"] == len(plan.rows()) == 8
    assert plan.rows()[1] == {"arm": "dropout=0.5", "seed": 0, "fold": 1, "model.dropout": 0.5}
    assert "Does dropout help a tiny network?" in repr(plan)
    assert "<table" in plan._repr_html_()
    with pytest.raises(UsageError, match="plan() has no option 'sets'".replace("()", r"\(\)")):
        audiocls.plan("tiny", sets={})
    with pytest.raises(UsageError, match="is a sweep"):
        audiocls.plan("tune_logmel_cnn", seeds=range(2))


@pytest.mark.parametrize(
    ("given", "text"),
    [(range(5), "0..4"), ([0, 2, 3, 9], "0,2..3,9"), ("0..2", "0..2"), ([4], "4"), (None, None)],
)
def test_numbers_are_those_of_the_command_line(given, text):
    assert numbers_text(given, "seeds") == text
    assert numbers_text(np.array([1, 2]), "seeds") == "1..2"


@pytest.mark.parametrize("given", [3, [], [0.5], ["a"], {"a": 1}])
def test_what_is_no_seeds_is_refused(given):
    with pytest.raises(UsageError, match=r"seeds: got .*range\(5\)"):
        numbers_text(given, "seeds")


VALUES = [3, 0.001, 1e-5, -math.inf, True, None, "x", "007", "true", "1e3", "", "a b: ["]
VALUES += [[1, "2"], {"a": 1e-7}, np.int64(3), np.float64(1e-9)]


@pytest.mark.parametrize("value", VALUES)
def test_what_is_set_arrives_as_it_was_given(value):
    assert overrides(assignments_of({"key": value})) == {"key": value}


def test_what_cannot_be_set_is_refused():
    assert assignments_of({"data.root": Path("a/b")}) == ["data.root=a/b"]
    with pytest.raises(UsageError, match="set: got"):
        assignments_of({"key": object()})
    with pytest.raises(UsageError, match="set: got the text"):
        assignments_of("a=1")
    with pytest.raises(UsageError, match="arms: got none"):
        names_text([])


def test_a_launch_gives_a_study_and_is_not_repeated(tiny, capsys):
    options = {"set": {"train.epochs": 1}, "arms": ["baseline", "dropout=0.5"], **QUIET}
    study = audiocls.launch("tiny", seeds=[0], **options)
    assert study.outcome.num_trained == 2
    assert study.summary() == ["2 trained, 0 reused, 0 failed"]
    assert capsys.readouterr().err == ""
    again = audiocls.launch("tiny", seeds=range(2), **options)
    assert (again.outcome.num_trained, again.outcome.counts["done"]) == (2, 4)
    assert again.rows()[0] == study.rows()[0]
    history, predictions = again.history("pandas"), again.predictions("pandas")
    assert len(history) == 4
    assert set(history["epoch"]) == {1}
    right = predictions["label"] == predictions["predicted"]
    one = predictions["trial"] == again.rows()[0]["trial"]
    assert right[one].mean() == pytest.approx(again.rows()[0]["test/accuracy"])
    assert again.compare().curves().svg.startswith("<svg")


def test_a_study_may_lie_in_the_working_folder(tiny):
    study = audiocls.launch("tiny", seeds=[0], arms="baseline", runs=".", **QUIET)
    assert study.path == Path("tiny")
    assert study.compare().arms[0].num_pairs == 1


def test_a_launch_refuses_what_it_cannot_do(tiny):
    for options, words in [
        ({"sedes": range(2)}, r"no option 'sedes'. Did you mean 'seeds'"),
        ({"executor": "wandb"}, r"audiocls.push\(\)"),
        ({"executor": "lcoal"}, "--executor: got 'lcoal'"),
        ({"count": 3}, "no effect here"),
        ({"wandb": "ofline"}, "Did you mean 'offline'"),
    ]:
        with pytest.raises(UsageError, match=words):
            audiocls.launch("tiny", **{**QUIET, **options})


def test_a_thread_may_launch(tiny):
    found = []

    def run():
        found.append(audiocls.launch("tiny", seeds=[0], arms="baseline", **QUIET))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found[0].outcome.counts["done"] == 1


def test_signals_are_left_alone_in_threads():
    found = []

    def run():
        with handled(found.append):
            found.append("entered")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == ["entered"]


def test_a_trial_is_trained_scored_and_used(tiny):
    trial = audiocls.train("tiny", set={"train.epochs": 1}, **QUIET)
    assert trial.metrics.keys() >= {"test/accuracy"}
    assert "test/accuracy" in repr(trial)
    assert len(trial.rows()) == 1
    evaluation = audiocls.evaluate(trial.path)
    assert evaluation.metrics["accuracy"] == pytest.approx(trial.metrics["test/accuracy"])
    assert len(evaluation.rows()) == 10
    audiocls.make_data("synthetic", out="tones", set={"data.clips_per_source": 1})
    predictions = audiocls.predict(trial.path, ["tones", "nowhere.wav"], top=2)
    assert len(predictions.rows()) == 2 * len(list(predictions)) > 0
    assert len(predictions.errors) == 1
    assert audiocls.show("tiny").data()["params"] == trial.record.cost.num_params


def test_progress_is_a_bar_below_a_cell(monkeypatch):
    running = (Running("<arm>, seed 0", 2, 5),)
    bar = display.bar_of(Status(num_total=4, num_done=1, num_failed=1, running=running))
    assert '<progress value="2" max="4">' in bar["text/html"]
    assert "&lt;arm&gt;, seed 0: epoch 2 of 5" in bar["text/html"]
    assert bar["text/plain"].startswith("1/4 done")
    assert not display.is_in_notebook()


def test_every_refusal_is_of_one_kind():
    for call in (
        lambda: audiocls.plan("nothing"),
        lambda: audiocls.noise("nothing"),
        lambda: audiocls.train("nothing", **QUIET),
        lambda: audiocls.show("nothing"),
        lambda: audiocls.report("nothing"),
        lambda: audiocls.status("nothing"),
        lambda: audiocls.evaluate("nothing"),
        lambda: audiocls.check_data("nothing"),
        lambda: audiocls.fetch_data("nothing"),
        lambda: audiocls.read_sweep("nothing"),
        lambda: audiocls.agent("nothing"),
        lambda: audiocls.register("nothing"),
    ):
        with pytest.raises(AudioclsError):
            call()
