"""Tables, logs and other people's stores become studies that a report reads."""

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.wandb_runs import log_run
from typer.testing import CliRunner

from audiocls.analysis import compare
from audiocls.cli import app
from audiocls.errors import UsageError
from audiocls.importing import mlflow_store, tables
from audiocls.importing.sources import default_name, import_results
from audiocls.importing.study import Imported
from audiocls.store import Cost, Objective, StudyFolder
from audiocls.tracking.wandb.log import HEADER as HEADER_OF_LOGS

HEADER = "model,seed,fold,acc"
GOOD = [0.8, 0.81, 0.79, 0.8, 0.82]
BETTER = [0.9, 0.92, 0.9, 0.9, 0.93]
ROWS = [
    f"{arm},0,{fold},{value}"
    for arm, values in (("ast", GOOD), ("beats", BETTER))
    for fold, value in enumerate(values, 1)
]
COLUMNS: dict[str, Any] = {
    "arm": "model", "baseline": "ast", "seed": "seed", "fold": "fold", "metric": "acc",
    "goal": "maximize",
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*lines: str, name: str = "results.csv", encoding: str = "utf-8") -> str:
    Path(name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return name


def refused(source: str, **options: Any) -> str:
    """Return the message of an import that is refused, having written nothing."""
    with pytest.raises(UsageError) as error:
        import_results(source, **{**COLUMNS, **options})
    assert not list(Path().glob("runs/*/study.yaml"))
    return str(error.value)


def comparison_of(found: Imported) -> Any:
    folder = StudyFolder(Path("runs") / found.study.name)
    return compare(folder.study(), folder.records(found.study.cells))


def test_a_table_in_a_verdict_out(here):
    found = import_results(write(HEADER, *ROWS), **COLUMNS)
    assert (found.study.name, found.study.kind, found.num_done) == ("results", "import", 10)
    comparison = comparison_of(found)
    assert list(found.study.arms) == ["ast", "beats"]
    assert [(arm.verdict, arm.num_pairs) for arm in comparison.compared] == [("better", 5)]
    assert comparison.compared[0].delta == pytest.approx(0.106)
    assert comparison.scope == "folds"


def test_what_a_table_does_not_say_is_said_to_be_unchecked(here):
    notes = "\n".join(import_results(write(HEADER, *ROWS), **COLUMNS).notes)
    for words in (
        "equal compute was not checked",
        "Not recorded for all pairs: code, torch, device, data, test clips",
        "Numbers of clips were not recorded",
    ):
        assert words in notes


def test_sizes_and_costs_are_known_by_the_names_of_their_columns(here):
    extra = [f"{row},80,320,1.5,2" for row in ROWS]
    source = write(f"{HEADER},num_test,num_train,wall_s,epochs", *extra)
    found = import_results(source, **COLUMNS)
    record = next(iter(StudyFolder(Path("runs/results")).records(found.study.cells).values()))
    assert (record.num_test, record.num_train) == (80, 320)
    assert record.cost == Cost(epochs=2, wall_s=1.5)
    assert record.metrics.keys() == {"acc"}
    assert comparison_of(found).scope == "data"


def test_unequal_epochs_are_not_comparable_unless_something_else_was_to_be_equal(here):
    source = write(f"{HEADER},epochs", *(f"{row},{10 + ('beats' in row)}" for row in ROWS))
    assert comparison_of(import_results(source, **COLUMNS)).compared[0].verdict == "not_comparable"
    found = import_results(source, **COLUMNS, match="steps")
    assert comparison_of(found).compared[0].verdict == "better"
    assert found.study.arms["beats"] == {"model": "beats", "epochs": 11}


def test_without_folds_the_verdict_speaks_of_these_clips_alone(here):
    rows = [f"{arm},{seed},{value + seed / 1000}" for arm, value in (("ast", 0.8), ("x", 0.9))
            for seed in range(6)]  # fmt: skip
    found = import_results(write("model,seed,acc", *rows), **{**COLUMNS, "fold": None})
    assert comparison_of(found).scope == "clips"
    assert any("applies to these test clips alone" in note for note in found.study.notes)


def test_a_metric_that_is_no_share_has_no_margin_of_its_own_and_that_is_said(here):
    source = write(HEADER, *(row.replace(",0.", ",") for row in ROWS))
    note = "acc is equivalent within 0.01 of its units"
    assert note in "".join(import_results(source, **COLUMNS).notes)
    assert note not in "".join(import_results(source, **COLUMNS, margin=1.0).notes)
    shares = import_results(write(HEADER, *ROWS), **COLUMNS)
    assert note not in "".join(shares.notes)


@pytest.mark.parametrize(
    ("separator", "encoding", "first"),
    [(";", "utf-8-sig", ()), ("\t", "utf-8", ()), (";", "utf-8-sig", ("sep=;",))],
)
def test_what_excel_writes_is_read(here, separator, encoding, first):
    lines = [line.replace(",", separator) for line in (HEADER, *ROWS)]
    lines[1:] = [line.replace(".", ",") for line in lines[1:]]
    plain = import_results(write(HEADER, *ROWS), **COLUMNS)
    found = import_results(write(*first, *lines, name="e.csv", encoding=encoding), **COLUMNS)
    assert comparison_of(found).arms == comparison_of(plain).arms


def test_the_stored_command_refreshes_the_study(here):
    source = write(HEADER, *ROWS[:-1])
    options = {**COLUMNS, "margin": 0.02, "secondary": "f1:maximize:0.05", "study": "mine"}
    write(f"{HEADER},f1", *(f"{row},0.5" for row in ROWS[:-1]))
    first = import_results(source, **options)
    assert (first.num_done, first.num_missing) == (9, 1)
    assert first.study.secondary == (Objective("f1", "maximize", 0.05),)
    write(f"{HEADER},f1", *(f"{row},0.5" for row in ROWS))
    assert first.study.request is not None
    assert first.study.command == (
        "audiocls import results.csv --study mine --arm model --baseline ast --seed seed "
        "--fold fold --metric acc --goal maximize --margin 0.02 --secondary f1:maximize:0.05"
    )
    again = import_results(source, **options)
    assert (again.num_done, again.num_missing, again.num_updated) == (10, 0, 1)
    assert import_results(source, **options).num_updated == 0


def test_a_row_without_a_value_is_a_trial_that_failed(here):
    found = import_results(write(HEADER, *ROWS, "beats,1,1,", "ast,1,1,0.8"), **COLUMNS)
    assert (found.num_done, found.num_failed) == (11, 1)
    failures = StudyFolder(Path("runs/results")).failures(found.study.cells)
    assert [each.message for each in failures.values()] == ["line 12 is without a value of acc"]


def test_all_faults_of_a_table_are_told_at_once_with_the_nearest_names(here):
    told = refused(write(HEADER, *ROWS), arm="modle", metric="accc", goal=None, baseline=None)
    for words in (
        "results.csv: 3 faults:",
        "there is no column 'modle'. Did you mean 'model'?",
        "there is no column 'accc'. Did you mean 'acc'?",
        "--goal maximize or --goal minimize",
    ):
        assert words in told


def test_all_faults_of_the_rows_are_told_at_once_with_their_lines(here):
    told = refused(
        write(HEADER, *ROWS, "ast,0,1,0.9", "ast,1,1,O.95", "ast,2,1,inf"), baseline="asts"
    )
    for words in (
        "results.csv: 4 faults:",
        "2 rows are all of ast, seed 0, fold 1: line 2, line 12",
        "line 13, acc: got 'O.95'; wanted: a finite number",
        "line 14, acc: got inf",
        "no arm is called 'asts'. Did you mean 'ast'? Arms: ast; beats",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("lines", "options", "words"),
    [
        ([HEADER], {}, "the table has no row"),
        ([], {}, "the table has no row"),
        ([HEADER, "ast,0,1"], {}, "line 2 has 3, the header 4"),
        ([HEADER, *ROWS[:5]], {}, "one arm alone, ast"),
        ([HEADER, *ROWS, "beats,,1,0.9"], {}, "line 12, seed: is empty"),
        ([HEADER, *ROWS], {"baseline": None}, "--baseline NAME. Arms: ast; beats"),
        ([HEADER, *ROWS], {"margin": 0.0}, "margin: got 0.0; wanted: a number above 0"),
        ([HEADER, *ROWS], {"goal": "max"}, "goal: got 'max'; allowed: maximize, minimize"),
        ([HEADER, *ROWS], {"match": "epoch"}, "Did you mean 'epochs'?"),
        ([HEADER, *ROWS], {"seed": "fold"}, "'fold' is named twice"),
        ([HEADER, *ROWS], {"seed": None, "fold": None}, "apart with --seed KEY or --fold KEY"),
        ([HEADER, *ROWS], {"secondary": "f1"}, "--secondary: got 'f1'; wanted: NAME:maximize"),
        ([HEADER, *ROWS], {"secondary": "f1:maximize"}, "there is no column 'f1'"),
        ([HEADER, *ROWS], {"where": "{}"}, "--where: no effect"),
        ([HEADER, *ROWS], {"group": "a"}, "--group: no effect"),
        ([f"{HEADER},acc", *(f"{r},1" for r in ROWS)], {}, "2 columns are called 'acc'"),
        ([f"{HEADER},epochs", *(f"{r},ten" for r in ROWS)], {}, "epochs: got 'ten'; wanted: a w"),
    ],
)  # fmt: skip
def test_bad_input_ends_with_a_sentence(here, lines, options, words):
    assert words in refused(write(*lines), **options)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.csv", "there is no file or folder 'nowhere.csv'"),
        ("nowhere", "wanted: a table"),
        ("optuna:sqlite:///nowhere.db", "there is no file nowhere.db"),
        ("notes.md", "of an unknown kind"),
        (".", "holds no run of W&B"),
        ("binary.csv", "cannot be read as CSV in UTF-8"),
    ],
)
def test_a_source_that_is_none_is_said_to_be(here, source, words):
    Path("notes.md").write_text("")
    Path("binary.csv").write_bytes(b"\xff\xfe\x00")
    assert words in refused(source)


def test_arms_of_names_keep_them_and_arms_of_numbers_say_of_what(here):
    rows = [f"{dropout},{seed},{0.8 + dropout + seed / 100}"
            for dropout in (0.0, 0.1) for seed in (0, 1)]  # fmt: skip
    source = write("dropout,seed,acc", *rows)
    options = {**COLUMNS, "arm": "dropout", "fold": None}
    for baseline in ("0.0", "dropout=0.0"):
        found = import_results(source, **{**options, "baseline": baseline})
        assert list(found.study.arms) == ["dropout=0.0", "dropout=0.1"]


def test_a_study_that_was_launched_here_is_not_imported_over(here):
    found = import_results(write(HEADER, *ROWS), **COLUMNS)
    StudyFolder(Path("runs/results")).write_study(replace(found.study, kind="ablation"))
    with pytest.raises(UsageError, match="--study results-imported"):
        import_results("results.csv", **COLUMNS)


def test_ten_thousand_rows_are_read_in_a_second(here):
    rows = [f"{arm},{seed},{fold},0.5" for arm in ("ast", "beats") for seed in range(1000)
            for fold in range(5)]  # fmt: skip
    assert len(tables.read_table(Path(write(HEADER, *rows))).runs) == 10_000


def test_parquet_needs_its_extra_and_says_so(here, monkeypatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    Path("results.parquet").write_bytes(b"PAR1")
    assert "pip install 'audiocls[parquet]'" in refused("results.parquet")


def test_parquet_is_read_as_the_same_table(here):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [dict(zip(HEADER.split(","), row.split(","), strict=True)) for row in ROWS]
    typed = [{**r, "seed": int(r["seed"]), "fold": int(r["fold"]), "acc": float(r["acc"])}
             for r in rows]  # fmt: skip
    parquet.write_table(pyarrow.Table.from_pylist(typed), "p.parquet")
    plain = import_results(write(HEADER, *ROWS), **COLUMNS)
    found = import_results("p.parquet", **COLUMNS)
    assert comparison_of(found).arms == comparison_of(plain).arms
    Path("broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        import_results("broken.parquet", **COLUMNS)


def test_a_folder_of_offline_runs_needs_no_server(here):
    for index in range(4):
        log_run(
            f"r{index}",
            folder=here,
            config={"use_sam": bool(index % 2), "random_state": index // 2},
            summary={"acc": 0.5 + 0.1 * (index % 2)},
            code=int(index == 3),
        )
    options = {"arm": "use_sam", "baseline": "use_sam=false", "seed": "random_state"}
    for source in ("wandb", "."):
        found = import_results(source, **options, metric="acc", study="sam")
        assert (found.num_done, found.num_failed) == (3, 1)
    folder = StudyFolder(Path("runs/sam"))
    history = folder.histories(found.study.cells)
    assert [row["epoch"] for row in next(iter(history.values()))] == [1, 2]
    assert {f.message for f in folder.failures(found.study.cells).values()} == {
        "W&B run r3 is failed"
    }
    empty = Path("wandb/offline-run-20260101_000000-r9/run-r9.wandb")
    empty.parent.mkdir()
    empty.write_bytes(HEADER_OF_LOGS)
    os.utime(empty, (0, 0))  # long ago: nothing more is to come
    found = import_results("wandb", **options, metric="acc", study="sam")
    assert "The logs of 1 run are empty, and left out: r9." in found.notes
    with pytest.raises(UsageError, match="no run is of the group 'g'; groups: tiny"):
        import_results("wandb", **options, metric="acc", group="g")


def optuna_study(storage: Any, name: str = "tune") -> Any:
    """A study of two models on three seeds, of which the last trial was pruned."""
    import optuna
    from optuna.distributions import CategoricalDistribution
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name=name, storage=storage, direction="minimize")
    models = {"model": CategoricalDistribution(["ast", "beats"])}
    for number in range(6):
        model, seed = ("ast", "beats")[number // 3], number % 3
        is_pruned = number == 5
        trial = create_trial(
            state=TrialState.PRUNED if is_pruned else TrialState.COMPLETE,
            value=None if is_pruned else 0.3 - 0.1 * (number // 3),
            params={"model": model},
            distributions=models,
            user_attrs={"seed": seed},
            intermediate_values={1: 0.5},
        )
        study.add_trial(trial)
    return study


def journal(path: str) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return JournalStorage(JournalFileBackend(path))


@pytest.mark.parametrize("kind", ["journal", pytest.param("database", marks=pytest.mark.slow)])
def test_an_optuna_storage_says_its_metric_and_its_goal(here, kind):
    url = "t.log" if kind == "journal" else "sqlite:///t.db"
    storage = journal(url) if kind == "journal" else url
    optuna_study(storage)
    found = import_results(f"optuna:{url}", arm="model", baseline="ast", seed="seed")
    assert (found.study.name, found.study.metric, found.study.goal) == ("t", "value", "minimize")
    assert (found.num_done, found.num_failed) == (5, 1)
    folder = StudyFolder(Path("runs/t"))
    values = [record.metrics["value"] for record in folder.records(found.study.cells).values()]
    assert sorted(values) == pytest.approx([0.2, 0.2, 0.3, 0.3, 0.3])
    assert next(iter(folder.histories(found.study.cells).values())) == [{"epoch": 1, "value": 0.5}]
    optuna_study(storage, "other")
    told = _told(f"optuna:{url}", study="x")
    assert "choose a study with --group NAME; studies: " in told
    assert "Did you mean 'tune'?" in _told(f"optuna:{url}", study="x", group="tun")


def _told(source: str, **options: Any) -> str:
    with pytest.raises(UsageError) as error:
        import_results(source, **{**COLUMNS, **options})
    return str(error.value)


class Page(list[Any]):
    """A page of runs; `token` is that of the next one."""

    token: str | None = None


@dataclass
class Mlflow:
    """A client of MLflow with runs of one experiment, on two pages."""

    runs: list[Any] = field(default_factory=list)

    def search_experiments(self) -> list[Any]:
        names = ("Default", "birds")
        return [SimpleNamespace(name=name, experiment_id=str(n)) for n, name in enumerate(names)]

    def search_runs(self, experiments: list[str], page_token: str | None = None) -> Page:
        if experiments != ["1"]:
            return Page()
        page = Page(self.runs[2:] if page_token else self.runs[:2])
        page.token = None if page_token else "next"
        return page

    def get_metric_history(self, run_id: str, name: str) -> list[Any]:
        return [SimpleNamespace(step=step, value=0.1 * step) for step in range(2)]


def mlflow_run(run_id: str, model: str, seed: int, acc: float, status: str = "FINISHED") -> Any:
    info = SimpleNamespace(
        run_id=run_id, run_name="x", status=status, start_time=1_000, end_time=3_500
    )
    params, tags = {"model": model, "seed": str(seed)}, {"mlflow.user": "me"}
    return SimpleNamespace(info=info, data=SimpleNamespace(params=params, tags=tags,
                                                           metrics={"acc": acc}))  # fmt: skip


def test_an_mlflow_store_is_read_through_its_client(here, monkeypatch):
    client = Mlflow([mlflow_run(f"{m}{s}", m, s, a + s / 100)
                     for m, a in (("ast", 0.5), ("beats", 0.7)) for s in range(2)])  # fmt: skip
    client.runs[3].info.status = "FAILED"
    monkeypatch.setattr(
        "audiocls.importing.sources.read_mlflow",
        lambda uri, group: mlflow_store.results_of(client, uri, group),
    )
    options = {"arm": "model", "baseline": "ast", "seed": "seed", "metric": "acc"}
    found = import_results("mlflow:sqlite:///m.db", **options, goal="maximize")
    assert (found.study.name, found.num_done, found.num_failed) == ("m", 3, 1)
    record = next(iter(StudyFolder(Path("runs/m")).records(found.study.cells).values()))
    assert (record.metrics, record.cost.wall_s) == ({"acc": 0.5}, 2.5)
    assert "no experiment 'brids'" in _told("mlflow:x", group="brids")


def test_mlflow_is_an_extra_and_says_so(here, monkeypatch):
    monkeypatch.setattr(mlflow_store, "find_spec", lambda name: None)
    assert "pip install 'audiocls[mlflow]'" in refused("mlflow:sqlite:///m.db")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # its own, of SQLAlchemy
def test_a_real_mlflow_store_is_read(here):
    pytest.importorskip("mlflow.tracking")
    from mlflow.tracking import MlflowClient

    client = MlflowClient("sqlite:///m.db")
    experiment = client.create_experiment("birds")
    for model, seed in (("ast", 0), ("ast", 1), ("beats", 0), ("beats", 1)):
        run_id = client.create_run(experiment).info.run_id
        client.log_param(run_id, "model", model)
        client.log_param(run_id, "seed", seed)
        client.log_metric(run_id, "acc", 0.5 + 0.1 * seed, step=1)
        client.set_terminated(run_id)
    options = {"arm": "model", "baseline": "ast", "seed": "seed", "metric": "acc"}
    found = import_results("mlflow:sqlite:///m.db", **options, goal="maximize")
    assert (found.num_done, found.num_failed) == (4, 0)


@pytest.mark.parametrize(
    ("source", "name"),
    [("wandb:me/birds/abc", "abc"), ("optuna:sqlite:///a/t.db", "t"), ("x/y/wandb", "y")],
)
def test_a_study_is_called_like_its_source(source, name):
    assert default_name(source) == name


def invoke(*words: str) -> str:
    """Run a command in this process; return its output if it succeeds."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_imports_and_every_report_reads(here):
    write(HEADER, *ROWS)
    words = ["--arm", "model", "--baseline", "ast", "--seed", "seed", "--fold", "fold",
             "--metric", "acc", "--goal", "maximize"]  # fmt: skip
    told = invoke("import", "results.csv", *words, "--json")
    assert json.loads(told[told.index("{") :])["done"] == 10
    assert "equal compute was not checked" in invoke("import", "results.csv", *words)
    elsewhere = invoke("import", "results.csv", *words, "--runs", "my runs")
    assert "read it: audiocls report results --runs 'my runs'" in elsewhere
    write(HEADER, *(row.replace(",0.", ",0.0") for row in ROWS), name="other.csv")
    invoke("import", "other.csv", *words)
    for name in ("md", "tex", "json", "terminal"):
        assert "beats" in invoke("report", "results", "--format", name)
    write(HEADER, *ROWS[:-1], "beats,0,5,", name="torn.csv")
    invoke("import", "torn.csv", *words)
    torn = CliRunner().invoke(app, ["report", "torn"]).output
    assert "audiocls import torn.csv" in torn
    assert "sweep retry" not in torn
    assert "to be trained" not in torn
    status = CliRunner().invoke(app, ["sweep", "status", "torn"]).output
    assert "once mended where they were trained: audiocls import torn.csv" in status
    assert "sweep retry" not in status
    compared = invoke("report", "results", "other")
    assert "The same trials" not in compared
