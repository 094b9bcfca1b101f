"""Ablations over a program: their grammar, their trials' ids, and what a program may report."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch

from audiocls import report_result, yaml_file
from audiocls.analysis.influences import computed_as, influences_of, prepared
from audiocls.api.display import display_of
from audiocls.design import load_ablation, plan, program_sweep
from audiocls.errors import ConfigError, DataError, UsageError
from audiocls.execution.external.command import command_line, program_environment
from audiocls.execution.external.predictions import digest_of_clips, read_predictions
from audiocls.execution.external.result import predictions_file, reported, result_variables
from audiocls.execution.job import TrackingConfig
from audiocls.search import check_sweep
from audiocls.store import Choice, StudyFolder, TrialFolder
from audiocls.store.study import is_same_question
from audiocls.studies.ablation import prepare_ablation
from audiocls.studies.options import LaunchOptions
from audiocls.studies.program_ablation import ProgramStudy, check_blocks, program_study
from audiocls.studies.sources.unchanged import WhileUnchanged
from audiocls.studies.tuning import tuned, tuning_plan, tuning_study
from audiocls.wandb_remote.register import write_registered

ASKED = {
    "name": "mine",
    "question": "Does it help?",
    "program": "train.py",
    "factors": {"mixup": [0.0, 0.4], "net.deep": [False, True]},
    "design": "factorial",
    "blocks": {"seed": [0, 1]},
    "metric": {"name": "val_acc", "goal": "maximize"},
    "stats": {"margin": 0.01},
}
OPTIONS = LaunchOptions(Path("runs"), wandb="disabled", devices="cpu", workers=1)
TUNED = {"tune": {"lr": [1, 2]}, "tune_trials": 2}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A folder with somebody's script, which imports a module beside it."""
    (tmp_path / "train.py").write_text("import nets\nprint(nets.WIDTH)\n")
    (tmp_path / "nets.py").write_text("WIDTH = 3\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def study(**changes) -> ProgramStudy:
    return program_study(plan(load_ablation({**ASKED, **changes}, "mine")), {}, "mine")


def faults(**changes) -> str:
    given = {key: value for key, value in {**ASKED, **changes}.items() if value is not None}
    with pytest.raises(ConfigError) as raised:
        load_ablation(given, "mine.yaml")
    return str(raised.value)


def job(asked: ProgramStudy, at: int = -1):
    folder = StudyFolder(Path("runs/mine"))
    return asked.job_of(asked.study.cells[at], folder, TrackingConfig("disabled", "p"))


def ids(asked: ProgramStudy) -> list[str]:
    return [cell.id for cell in asked.study.cells]


def test_an_edit_of_the_code_is_another_trial_and_its_undoing_is_the_same(shop):
    before = study()
    (shop / "nets.py").write_text("WIDTH = 4\n")
    after = study()
    assert not set(ids(before)) & set(ids(after))
    assert not is_same_question(before.study, after.study)
    (shop / "nets.py").write_text("WIDTH = 3  # a comment decides nothing\n")
    assert ids(study()) == ids(before)


def test_only_chosen_files_count_where_the_ablation_chooses_them(shop):
    before = study(code=["train.py"])
    (shop / "nets.py").write_text("WIDTH = 4\n")
    assert ids(study(code=["train.py"])) == ids(before)
    with pytest.raises(ConfigError, match=r"code: got 'src/\*\.py'"):
        study(code=["src/*.py"])


def test_each_trial_is_told_apart_by_parameters_and_block(shop):
    assert len(set(ids(study()))) == 4 * 2
    assert len(set(ids(study(blocks={"seed": [0, 1], "fold": [1, 2]})))) == 4 * 2 * 2
    with_more = study(blocks={"seed": [0, 1, 2]})
    assert set(ids(study())) < set(ids(with_more))


def test_seed_and_fold_reach_the_program_as_declared(shop):
    words = command_line(job(study()), {})
    assert words[-3:] == ["--mixup=0.4", "--net.deep=True", "--seed=1"]
    hydra = ["python", "${program}", "${args_append_hydra}"]
    keys = {"seed": "trainer.seed", "fold": "data.fold"}
    declared = study(command=hydra, block_keys=keys)
    assert command_line(job(declared), {})[-2:] == ["+trainer.seed=1", "+data.fold=1"]
    silent = job(study(block_keys={"seed": None}))
    assert command_line(silent, {})[-1] == "--net.deep=True"
    told = program_environment(silent, {"SLURM_PROCID": "3"}, "cpu", "r")
    assert told["AUDIOCLS_OUTER_RANKS"] == "SLURM_PROCID=3"
    assert (told["AUDIOCLS_SEED"], told["AUDIOCLS_FOLD"]) == ("1", "1")


def test_a_program_counts_its_folds_as_it_likes_and_has_as_many_as_are_listed_or_said(shop):
    assert study(blocks={"fold": [0, 1]}).study.folds == [0, 1]
    assert study(blocks={"fold": [0, 1]}).study.num_folds == 2
    assert study(blocks={"fold": [0, 1]}, num_folds=5).study.num_folds == 5
    assert study().study.num_folds == 1
    narrowed = plan(load_ablation({**ASKED, "blocks": {"fold": [1, 2, 3]}}, "mine"), folds=[1])
    assert program_study(narrowed, {}, "mine").study.num_folds == 3
    more = plan(load_ablation({**ASKED, "blocks": {"fold": [1, 2]}}, "mine"), folds=[1, 2, 3])
    assert program_study(more, {}, "mine").study.num_folds == 3


def test_no_trial_follows_once_the_program_is_changed(shop):
    asked = study()
    folder = StudyFolder(shop / "runs/mine")
    folder.write_study(asked.study)
    source = prepare_ablation(asked, OPTIONS, display_of(False)).open_source(asked.study)
    source = WhileUnchanged(source, prepare_ablation(asked, OPTIONS, display_of(False)).is_outdated)
    assert source.next().id == asked.study.cells[0].id
    (shop / "nets.py").write_text("WIDTH = 4\n")
    assert not source.is_over()
    assert source.next() is None
    assert source.is_over()


def test_an_arm_trains_with_what_it_chose_for_a_fold_and_without_a_choice_it_has_no_trials(shop):
    given = {**TUNED, "tune_metric": {"name": "val_loss", "goal": "minimize"}}
    blocks, factors = {"seed": [0], "fold": [1, 2]}, {"mixup": [0.4]}
    asked = study(**given, blocks=blocks, factors=factors, design="ofat")
    before = tuning_plan(plan(asked.ablation), {}, {})
    tuning = tuning_study(before, {}, shop, of=asked)
    assert (tuning.study.metric, tuning.study.goal) == ("val_loss", "minimize")
    assert len(tuning.study.cells) == 2 * 2 * 2
    assert job(tuning).spec.metric == "val_loss"
    assert job(tuning).parameters["lr"] == 2
    baseline = asked.study.baseline
    chosen = tuned(asked, before, [Choice(baseline, 2, 2, 1, {"lr": 1}, 0.5)], shop)
    [cell] = chosen.study.cells
    assert (cell.arm, cell.fold, chosen.parameters(cell)["lr"]) == (baseline, 2, 1)
    assert cell.id not in ids(asked)
    assert chosen.study.tuning.metric == "val_loss"


def test_folds_that_a_program_would_never_get_are_refused(shop):
    with pytest.raises(UsageError, match="gets no fold"):
        check_blocks(load_ablation(ASKED, "mine"), (1, 2))
    check_blocks(load_ablation(ASKED, "mine"), (1,))
    check_blocks(load_ablation({**ASKED, "blocks": {"fold": [1, 2]}}, "mine"), (2,))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": "kws"}, "one of the two and not both"),
        ({"program": None}, "recipe: give `recipe`, or `program`"),
        ({"metric": {"name": "val_acc"}}, "metric.goal: missing"),
        ({"metric": {"goal": "maximize"}}, "metric.name: missing"),
        ({"secondary": [{"name": "f1"}]}, "secondary.0.goal: missing"),
        ({"stats": None}, "stats.margin: missing"),
        (TUNED, "tune_metric: missing"),
        ({**TUNED, "tune_metric": {"name": "val_loss"}}, "tune_metric.goal: missing"),
        ({**TUNED, "tune_metric": ASKED["metric"]}, "by which the arms are also compared"),
        ({"tune_metric": {"name": "a", "goal": "minimize"}}, "no effect without `tune`"),
        ({"blocks": {"fold": [1, 2, 3]}, "num_folds": 2}, "num_folds: got 2, and `blocks` lists 3"),
        ({"budget": {"max_params": 5}}, "budget.max_params: a program's size"),
        ({"budget": {"match": "epoch"}}, "budget.match: got 'epoch'"),
        ({"block_keys": {"seed": "s", "fold": "s"}}, None),
        ({"block_keys": {"seeds": "s"}}, "Did you mean 'seed'?"),
        ({"block_keys": {"fold": None}, "blocks": {"fold": [1, 2]}}, "block_keys.fold: got null"),
        ({"block_keys": {"seed": "mixup"}}, "mixup: seed is a block, not a factor"),
        ({"program": None, "command": ["${program}"]}, "`command` has ${program}"),
        ({"program": None, "recipe": "kws", "code": ["a"]}, "`code` has no effect on a recipe"),
        ({"progam": "train.py"}, "Did you mean 'program'?"),
    ],
)
def test_a_faulty_ablation_of_a_program_is_told_in_a_sentence(changes, said):
    if said is None:
        changes, said = {**changes, "blocks": {"fold": [1, 2]}}, "got 's' for seed and fold"
    assert said in faults(**changes)


def test_a_script_that_is_not_there_is_named_with_the_nearest_one(shop):
    with pytest.raises(ConfigError, match=r"'trian\.py'.*Did you mean 'train\.py'\?"):
        study(program="trian.py")


def test_a_macro_that_hands_on_nothing_is_refused_and_parameters_that_reach_nobody_are_noted(shop):
    with pytest.raises(ConfigError, match=r"leaves out \$\{seed\}.*Known: .*\$\{args\}"):
        study(command=["python", "train.py", "${seed}", "${args}"])
    with pytest.raises(ConfigError, match="stays as it is inside '--seed="):
        study(command=["python", "train.py", "--seed=${seed}", "${args}"])
    assert any("Nothing hands the parameters on" in n for n in study(command=["./train.py"]).notes)
    assert not study().notes


def test_arms_that_run_the_same_command_are_refused(shop):
    arms = {"a": {"lr": 1}, "b": {"lr": 1.0}}
    given = {"factors": {}, "arms": arms}
    asked = {key: value for key, value in {**ASKED, **given}.items() if key != "design"}
    with pytest.raises(ConfigError, match="'b' is the same as arm 'a'"):
        program_study(plan(load_ablation(asked, "mine")), {}, "mine")


def test_a_registered_factorial_is_a_grid_of_the_programs_own_parameters(shop):
    registered = program_sweep(plan(load_ablation(ASKED, "mine")), "mine.yaml")
    values = {key: each["values"] for key, each in registered["parameters"].items()}
    assert values == {"mixup": [0.0, 0.4], "net.deep": [False, True], "seed": [0, 1]}
    assert registered["program"] == "train.py"
    assert not check_sweep(registered).faults


def test_a_registered_design_that_is_no_grid_names_its_arms(shop):
    asked = load_ablation({**ASKED, "design": "ofat"}, "mine")
    registered = program_sweep(plan(asked), "mine.yaml")
    assert registered["parameters"]["arm"]["values"] == list(plan(asked).arms)
    assert registered["command"][:4] == ["audiocls", "train", "--ablation", "mine.yaml"]


def test_a_registered_sweep_names_its_ablation_and_never_replaces_it(shop):
    sweep = program_sweep(plan(load_ablation(ASKED, "mine")), "mine.yaml")
    assert (
        "change mine.yaml instead"
        in write_registered(sweep, shop / "sweeps", "mine.yaml").read_text()
    )
    with pytest.raises(UsageError, match="is the ablation itself"):
        write_registered(sweep, shop, "mine.yaml")


@pytest.fixture
def trial(tmp_path) -> TrialFolder:
    (tmp_path / "a").mkdir()
    return TrialFolder(tmp_path / "a")


def test_a_result_is_that_of_the_file_or_of_the_last_line(trial):
    assert reported(trial, 0).metrics == {}
    trial.log.write_text('AUDIOCLS {"acc": 0.1}\nwords\nAUDIOCLS {"acc": 0.2}\nbye\n')
    assert reported(trial, 0).metrics == {"acc": 0.2}
    bar = '100% 20/20 [00:06<00:00, 3.10it/s]AUDIOCLS {"acc": 0.25}\nsee AUDIOCLS in our manual\n'
    trial.log.write_text(bar)
    assert reported(trial, 0).metrics == {"acc": 0.25}, "on the line of a progress bar"
    assert reported(trial, trial.log.stat().st_size).metrics == {}, "an earlier attempt's"
    Path(result_variables(trial)["AUDIOCLS_RESULT"]).write_text(
        '{"metrics": {"acc": 0.3}, "cost": {"epochs": 2.0}, "num_train": 5}'
    )
    found = reported(trial, 0)
    assert (found.metrics, found.cost, found.counts) == (
        {"acc": 0.3},
        {"epochs": 2},
        {"num_train": 5},
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("acc=0.3", "no JSON"),
        ("[1]", "wanted: JSON such as"),
        ('{"acc": "high"}', "metrics.acc: got 'high'"),
        ('{"metrics": {"acc": 1}, "cots": {}}', "Did you mean 'cost'?"),
        ('{"metrics": {"acc": 1}, "cost": {"epoch": 3}}', "Did you mean 'epochs'?"),
        ('{"metrics": {"acc": 1}, "cost": {"epochs": -3}}', "cost.epochs: got -3"),
        ('{"metrics": {"acc": 1}, "cost": {"epochs": 2.5}}', "got 2.5; wanted: a whole number"),
        ('{"metrics": {"acc": 1}, "cost": {"wall_s": NaN}}', "cost.wall_s: got nan"),
        ('{"metrics": {"acc": 1}, "num_test": NaN}', "num_test: got nan"),
        ('{"metrics": {"acc": 1}, "num_test": "5"}', "num_test: got '5'"),
    ],
)
def test_a_result_that_cannot_be_understood_is_told_in_a_sentence(trial, line, said):
    trial.log.write_text(f"AUDIOCLS {line}\n")
    with pytest.raises(DataError) as raised:
        reported(trial, 0)
    assert said in str(raised.value)


LABELS = np.array([0, 1, 2, 1, 0, 2, 1, 0])
LOGITS = np.random.default_rng(0).normal(size=(8, 3))


def report(monkeypatch, trial, **columns) -> None:
    for name, value in result_variables(trial).items():
        monkeypatch.setenv(name, value)
    rows = {"clip": [f"c{n}" for n in range(8)], "label": LABELS, **columns}
    report_result({"acc": np.float32(0.5)}, cost={"epochs": 3}, predictions=rows)


def test_what_report_result_writes_is_what_is_read(monkeypatch, trial):
    report(monkeypatch, trial, logits=LOGITS, source=list("aabbccdd"))
    assert reported(trial, 0).metrics == {"acc": 0.5}
    assert reported(trial, 0).torch == getattr(sys.modules.get("torch"), "__version__", "")
    arrays = read_predictions(predictions_file(trial))
    assert np.array_equal(arrays["logits"], LOGITS)
    assert arrays["sources"].tolist() == list("aabbccdd")


def test_tensors_of_any_kind_and_paths_are_predictions_as_well(monkeypatch, trial):
    logits = torch.tensor(LOGITS).bfloat16().requires_grad_()
    clips = [Path(f"clips/{n}.wav") for n in range(8)]
    report(monkeypatch, trial, clip=clips, label=torch.tensor(LABELS), logits=logits)
    arrays = read_predictions(predictions_file(trial))
    assert arrays["clips"][0] == "clips/0.wav"
    assert np.allclose(arrays["logits"], LOGITS, atol=0.02)


def test_without_an_ablation_the_result_is_printed_and_only_the_first_process_reports(
    monkeypatch, capsys
):
    monkeypatch.delenv("AUDIOCLS_RESULT", raising=False)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    report_result({"acc": 0.5})
    assert capsys.readouterr().out == 'AUDIOCLS {"metrics": {"acc": 0.5}}\n'
    monkeypatch.setenv("RANK", "1")
    report_result({"acc": 0.5})
    assert not capsys.readouterr().out
    monkeypatch.setenv("AUDIOCLS_OUTER_RANKS", "RANK=1")
    report_result({"acc": 0.5})
    assert capsys.readouterr().out, "it is the launch that has a rank, and not the program"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metrics": {"acc": "0.5"}}, r"metrics.acc: got '0.5' \(str\); wanted: a number"),
        ({"metrics": {"acc": np.zeros(2)}}, "metrics.acc: got .* wanted: a number"),
        ({"metrics": {"acc": None}}, "metrics.acc: got 'None'"),
        ({"metrics": 0.5}, "metrics: got 0.5; wanted: names with a number each"),
        ({"acc": "0.5"}, r"metrics.acc: got '0.5' \(str\); wanted: a number"),
        ({}, "metrics: got none; wanted: one at least, as in accuracy=0.91"),
        ({"metrics": {"acc": 1}, "cost": {"epochs": "3"}}, "cost.epochs"),
        ({"metrics": {"acc": 1}, "num_train": [3]}, "counts.num_train"),
    ],
)
def test_what_is_no_number_is_refused_where_it_is_reported(given, said):
    with pytest.raises(TypeError, match=said):
        report_result(**given)


def test_a_metric_that_is_nan_is_reported_and_says_that_the_training_diverged(monkeypatch, trial):
    for name, value in result_variables(trial).items():
        monkeypatch.setenv(name, value)
    report_result({"acc": float("nan")})
    assert np.isnan(reported(trial, 0).metrics["acc"])
    assert [file.name for file in trial.path.iterdir()] == ["result.json"], "nothing is left beside"


def test_predicted_classes_in_a_csv_give_the_accuracy_that_they_have(trial):
    rows = ["clip,label,predicted", "a,cat,cat", "b,dog,cat", "c,dog,owl", "d,dog,dog"]
    predictions_file(trial).with_suffix(".csv").write_text("\n".join(rows))
    arrays = read_predictions(predictions_file(trial))
    assert arrays["classes"].tolist() == ["cat", "dog", "another class"]
    assert (arrays["logits"].argmax(1) == arrays["labels"]).tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("clip,lable,predicted\na,1,1", "Did you mean 'label'?"),
        ("clip,label\na,1", "and predicted or logits"),
        ("clip,label,predicted\na,1,1\na,1,1", "listed twice"),
        ("clip,label,predicted", "wanted"),
        ("clip,label,logits_0,logits_1\na,2,0.1,0.2", "the number of a column"),
        ("clip,label,logits_0,logits_1\na,1,x,0.2", "cannot be read"),
    ],
)
def test_predictions_that_cannot_be_used_are_told_in_a_sentence(trial, rows, said):
    predictions_file(trial).write_text(rows)
    with pytest.raises(DataError) as raised:
        read_predictions(predictions_file(trial))
    assert said in str(raised.value)


def test_test_clips_agree_whatever_their_order_and_differ_by_a_label(monkeypatch, trial):
    report(monkeypatch, trial, predicted=LABELS)
    one = read_predictions(predictions_file(trial))
    order = LABELS.argsort()
    names = ("clips", "labels")
    turned = {**one, **{name: one[name][order] for name in names}}
    assert digest_of_clips(turned) == digest_of_clips(one)
    assert digest_of_clips({**one, "labels": (LABELS + 1) % 3}) != digest_of_clips(one)


def test_a_programs_metric_is_known_by_its_value_in_shares_and_in_percent():
    names = np.array([f"c{n}" for n in range(8)])
    ready = prepared({"sources": names, "labels": LABELS, "logits": LOGITS})
    accuracy = (LOGITS.argmax(1) == LABELS).mean()
    assert ("test/accuracy", 1.0) in computed_as(accuracy, ready)
    assert ("test/accuracy", 100.0) in computed_as(100 * accuracy, ready)
    assert computed_as(accuracy + 0.01, ready) == []
    of_share = influences_of("test/accuracy", ready)
    assert np.allclose(of_share.times(100).values, 100 * of_share.values)


def test_importing_the_package_imports_neither_torch_nor_any_other_package():
    program = (
        "import sys, audiocls; audiocls.report_result({'a': 1})\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'yaml', 'wandb', 'typer'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_the_schema_of_ablations_accepts_a_program():
    schema = json.loads((Path(__file__).parents[1] / "docs/ablation.schema.json").read_text())
    jsonschema.validate(ASKED, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**ASKED, "program": 3}, schema)


def test_the_how_tos_question_and_sweep_are_what_the_grammar_says():
    text = (Path(__file__).parents[1] / "docs/your-script.md").read_text()
    question, sweep = re.findall(r"^```yaml\n(.*?)^```$", text, re.S | re.M)
    asked = load_ablation(yaml_file.parse(question, "your-script.md"), "your-script.md")
    assert len(plan(asked).cells) == 28
    checked = check_sweep(yaml_file.parse(sweep, "your-script.md"))
    assert (checked.faults, checked.notes) == ((), ())
