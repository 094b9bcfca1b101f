"""From a question to its trials: designs, blocks, names, and everything that is refused."""

import subprocess
import sys
from dataclasses import replace
from random import Random

import pytest
from helpers.recipes import DEFAULTS, make_ablation

import audiocls
from audiocls import yaml_file
from audiocls.audio.datasets import Folder, SpeechCommands, Synthetic
from audiocls.config import Config, resolve
from audiocls.design import Ablation, Plan, arms_of, designs, plan, within_folds
from audiocls.errors import ConfigError, UsageError
from audiocls.execution import devices, gpus
from audiocls.execution.gpus import Gpu
from audiocls.render.document import Facts
from audiocls.studies.options import EXECUTORS
from audiocls.studies.request import ablation_request
from audiocls.studies.resolve import (
    Resolved,
    configs_of,
    on_available_folds,
    study_of,
)

TWO_FACTORS = {"model.dropout": [0.1, 0.2], "optim.lr": [1e-4, 1e-3, 1e-2]}


def ablation(**given) -> Ablation:
    if "arms" not in given:
        given.setdefault("factors", {"model.dropout": [0.1, 0.2]})
    return make_ablation(**given)


def faults(**given) -> str:
    with pytest.raises(ConfigError) as raised:
        ablation(**given)
    return str(raised.value)


def study(chosen: Plan, cache, overrides=None) -> Resolved:
    configs = configs_of(chosen, DEFAULTS, overrides or {})
    return study_of(chosen, configs, overrides or {}, cache, "a")


def test_one_factor_at_a_time_is_the_recipe_and_each_level_alone_against_it():
    arms = arms_of(ablation(factors=TWO_FACTORS))
    assert next(iter(arms)) == "baseline"
    assert arms["baseline"] == {}
    assert all(len(changes) == 1 for name, changes in arms.items() if name != "baseline")
    assert len(arms) == 1 + 2 + 3


def test_factorial_is_every_combination_and_the_first_levels_are_the_baseline():
    arms = arms_of(ablation(factors=TWO_FACTORS, design="factorial"))
    assert len(arms) == 2 * 3
    assert len({tuple(changes.items()) for changes in arms.values()}) == 2 * 3
    assert next(iter(arms.values())) == {"model.dropout": 0.1, "optim.lr": 1e-4}


def test_named_arms_are_as_written_and_the_first_is_the_baseline():
    arms = {"plain": {}, "both": {"model.dropout": 0.1, "sam.rho": 0.05}}
    chosen = plan(ablation(arms=arms))
    assert chosen.arms == arms
    assert chosen.baseline == "plain"


def num_lines_of_planning(num_levels: int, num_factors: int = 1) -> int:
    """Return how many lines of Python, loops included, the plan of so many levels takes."""
    levels = [i / 9_000 for i in range(num_levels // num_factors)]
    given, lines = ablation(factors={f"model.k{i}": levels for i in range(num_factors)}), []

    def count(frame, event, _):
        lines.append(event)
        return count

    sys.settrace(count)
    try:
        chosen = plan(given)
    finally:
        sys.settrace(None)
    assert chosen.num_trials == (num_levels + 1) * len(chosen.blocks)
    return len(lines)


def test_twice_the_levels_take_twice_the_planning():
    assert num_lines_of_planning(400) < 2.2 * num_lines_of_planning(200)
    assert num_lines_of_planning(400, 80) < 2.2 * num_lines_of_planning(200, 40)


def test_a_file_is_composed_once_and_its_arms_are_made_for_validation_and_plan_alone(
    monkeypatch, tmp_path
):
    """Each time counts, with thousands of levels."""
    made, composed = [], []
    unrestricted, places = designs.unrestricted, yaml_file._places
    monkeypatch.setattr(designs, "unrestricted", lambda a: made.append(a) or unrestricted(a))
    monkeypatch.setattr(
        yaml_file,
        "_places",
        lambda loader, node, key, seen: (
            composed.extend([node.start_mark.line][: not key]) or places(loader, node, key, seen)
        ),
    )
    file = tmp_path / "once.yaml"
    text = "name: once\nquestion: Which?\nrecipe: convnext1d-logmel\n"
    file.write_text(text + "factors: {model.dropout: [0.1, 0.2, 0.34]}\n")
    chosen, _ = ablation_request(str(file)).plan()
    assert len(chosen.arms) == 4
    assert len(made) == 2
    assert len(composed) <= 2  # the file and its recipe


def test_an_arm_is_named_after_what_it_changes_as_shortly_as_is_clear():
    short = arms_of(ablation(factors={"optim.lr": [0.1]}))
    assert list(short) == ["baseline", "lr=0.1"]
    clashing = {"model.name": ["hifigan"], "optim.name": ["sgd"]}
    assert list(arms_of(ablation(factors=clashing)))[1:] == ["model.name=hifigan", "optim.name=sgd"]


@pytest.mark.parametrize(
    ("level", "name"), [(True, "on"), (False, "off"), (None, "none"), ([4, [2, 1]], "4x2x1")]
)
def test_levels_that_are_no_plain_text_have_readable_names(level, name):
    assert list(arms_of(ablation(factors={"model.x": [level]})))[1] == f"x={name}"


def test_the_number_of_trials_is_the_number_of_distinct_cells():
    random = Random(0)
    for _ in range(200):
        factors = {f"k.{i}": list(range(random.randint(2, 4))) for i in range(random.randint(1, 3))}
        blocks = {
            name: random.sample(range(1, 9), random.randint(1, 4)) for name in ("seed", "fold")
        }
        chosen = plan(
            ablation(factors=factors, blocks=blocks, design=random.choice(["ofat", "factorial"]))
        )
        cells = {
            (arm, tuple(changes.items()), block)
            for arm, changes in chosen.arms.items()
            for block in chosen.blocks
        }
        assert chosen.num_trials == len(cells)
        assert chosen.num_comparisons == len(chosen.arms) - 1
        assert len(chosen.blocks) == len(blocks["seed"]) * len(blocks["fold"])


def test_every_arm_meets_every_block_exactly_once(cache):
    chosen = plan(ablation(blocks={"seed": [0, 3], "fold": [1, 2, 5]}))
    cells = study(chosen, cache).study.cells
    assert len(cells) == chosen.num_trials == len({cell.id for cell in cells})
    for arm in chosen.arms:
        assert sorted(cell.block for cell in cells if cell.arm == arm) == chosen.blocks


def test_pairs_are_complete_early(cache):
    chosen = plan(ablation(blocks={"seed": [0, 1], "fold": [1]}))
    first = study(chosen, cache).study.cells[: len(chosen.arms)]
    assert {cell.arm for cell in first} == set(chosen.arms)
    assert len({cell.block for cell in first}) == 1


def test_planning_twice_gives_the_same_trials(cache):
    chosen = plan(ablation())
    assert study(chosen, cache).study == study(plan(ablation()), cache).study


def test_two_arms_that_are_the_same_trial_are_refused_by_name(cache):
    arms = {"plain": {}, "written-down": {"model.dropout": 0.0}, "other": {"model.dropout": 0.1}}
    with pytest.raises(ConfigError) as raised:
        study(plan(ablation(arms=arms)), cache)
    (fault,) = raised.value.faults
    assert "'written-down' is the same as arm 'plain'" in fault


def test_a_level_that_the_recipe_has_already_is_refused(cache):
    with pytest.raises(ConfigError, match=r"dropout=0\.0.*same as arm 'baseline'"):
        study(plan(ablation(factors={"model.dropout": [0.0, 0.1]})), cache)


@pytest.mark.parametrize("design", ["ofat", "factorial"])
def test_the_same_level_twice_is_refused(design):
    with pytest.raises(ConfigError, match=r"dropout=0\.1: the same level is listed twice"):
        arms_of(ablation(factors={"model.dropout": [0.1, 0.1]}, design=design))


def test_an_unknown_arm_lists_those_there_are_and_suggests_the_nearest():
    with pytest.raises(UsageError) as raised:
        plan(ablation(), arms=["dropout=0.11"])
    assert "baseline, dropout=0.1, dropout=0.2" in str(raised.value)
    assert "Did you mean 'dropout=0.1'?" in str(raised.value)


def test_arms_are_narrowed_but_keep_the_files_order():
    chosen = plan(ablation(), arms=["dropout=0.2", "baseline"])
    assert list(chosen.arms) == ["baseline", "dropout=0.2"]


def test_seeds_and_folds_are_narrowed_and_extended_beyond_the_file():
    question = ablation(blocks={"seed": [0, 1, 2], "fold": [1, 2]})
    assert plan(question, seeds=[1]).seeds == (1,)
    assert plan(question, seeds=range(5), folds=[3]).blocks == [(seed, 3) for seed in range(5)]
    assert plan(question, seeds=[4, 4, 1]).seeds == (4, 1)


def test_extending_leaves_the_cells_that_were_there_as_they_were(cache):
    few = study(plan(ablation(), seeds=[0, 1]), cache).study.cells
    more = study(plan(ablation(), seeds=[0, 1, 2]), cache).study.cells
    assert set(few) < set(more)


def test_folds_that_the_files_blocks_ask_in_vain_are_left_out_with_a_note():
    chosen = plan(ablation(blocks={"fold": [1, 2, 3]}))
    kept = within_folds(chosen, (1,), "digits", is_requested=False)
    assert kept.folds == (1,)
    assert kept.notes == ("digits has test fold 1; left out: 2, 3.",)
    assert within_folds(chosen, (1, 2, 3, 4), "d", is_requested=False) is chosen


def test_folds_asked_for_on_the_command_line_and_not_there_are_refused():
    chosen = plan(ablation(), folds=[1, 6])
    with pytest.raises(UsageError, match=r"has test folds 1, 2; got 6\. Narrow with --folds"):
        within_folds(chosen, (1, 2), "d", is_requested=True)


def test_no_fold_left_is_refused_and_not_an_empty_plan():
    with pytest.raises(UsageError, match="got 4, 5"):
        within_folds(plan(ablation(), folds=[4, 5]), (1,), "d", is_requested=False)


@pytest.mark.parametrize(("data", "folds"), [(Synthetic(), (1, 2, 5)), (SpeechCommands(), (1,))])
def test_official_folds_are_known_without_the_disk(data, folds, tmp_path):
    config = _config(data)
    chosen = on_available_folds(
        plan(ablation(), folds=[1, 2, 5]), config, tmp_path, is_requested=False
    )
    assert chosen.folds == folds
    assert not list(tmp_path.iterdir())


def test_the_folds_of_a_manifest_are_read_from_it(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.wav").touch()
    rows = "".join(f"{i}.wav,x,{i + 1}\n" for i in range(3))
    (tmp_path / "manifest.csv").write_text("path,label,fold\n" + rows)
    chosen = on_available_folds(
        plan(ablation(), folds=[2, 4]), _config(Folder(root=str(tmp_path))), tmp_path, False
    )
    assert chosen.folds == (2,)


def _config(data) -> Config:
    return resolve([{**DEFAULTS, "data": data.model_dump()}], "")


def test_factors_and_arms_together_or_neither_are_refused():
    assert "either `factors` or `arms`" in faults(factors={"a": [1]}, arms={"x": {}, "y": {"a": 1}})
    assert "either `factors` or `arms`" in faults(factors={})


def test_one_arm_is_no_comparison():
    assert "at least two" in faults(arms={"x": {}})


def test_a_design_has_no_effect_on_named_arms_and_is_refused():
    assert "`design` has no effect" in faults(arms={"x": {}, "y": {"a": 1}}, design="ofat")


@pytest.mark.parametrize("key", ["seed", "fold"])
def test_a_block_is_no_factor(key):
    for place in ({"factors": {key: [1]}}, {"arms": {"x": {}, "y": {key: 1}}}):
        assert f"{key} is a block, not a factor" in faults(**place)
    assert f"{key} is a block, not a factor" in faults(overrides={key: 1})


def test_a_block_listed_twice_is_refused():
    assert "seed lists a value twice: [0, 0]" in faults(blocks={"seed": [0, 0]})


def test_every_fault_of_the_file_is_reported_at_once():
    message = faults(
        blocks={"seed": [-1], "folds": [1]}, metric={"goal": "max"}, stats={"alpha": 2}, nmae="x"
    )
    assert message.startswith("a.yaml:")
    for part in (
        "blocks.seed.0: got -1",
        "blocks.folds: unknown key. Did you mean 'fold'?",
        "metric.goal: got 'max'",
        "stats.alpha: got 2",
        "nmae: unknown key. Did you mean 'name'?",
    ):
        assert part in message


def test_faults_of_all_arms_are_reported_at_once_and_each_once():
    factors = {"model.dropout": [2, 3], "model.kernel": [4]}
    chosen = plan(ablation(factors=factors, overrides={"optim.lr": -1}))
    with pytest.raises(ConfigError) as raised:
        configs_of(chosen, DEFAULTS, {})
    keys = sorted(fault.split(":")[0] for fault in raised.value.faults)
    assert keys == ["model.dropout", "model.dropout", "model.kernel", "optim.lr"]


def test_a_model_that_cannot_hear_its_features_is_a_fault_of_the_plan():
    factors = {"model": [{"name": "eat"}, {"name": "logmel_cnn", "groups": 3}]}
    with pytest.raises(ConfigError) as raised:
        configs_of(plan(ablation(factors=factors)), DEFAULTS, {})
    deaf, indivisible = raised.value.faults
    assert "model eat: got features of 64 channels, allowed: 1" in deaf
    assert "model logmel_cnn: groups: got 3, which does not divide input (mel bands) = 64" in (
        indivisible
    )


def test_clips_too_short_for_the_features_are_a_fault_of_the_plan():
    chosen = plan(ablation(overrides={"data.duration_s": 0.01}))
    with pytest.raises(ConfigError, match="features logmel: got a clip of 160 samples"):
        configs_of(chosen, DEFAULTS, {})


def test_precedence_is_recipe_then_ablation_then_command_line_then_the_arm():
    chosen = plan(
        ablation(overrides={"optim.lr": 0.1, "train.epochs": 7}, factors={"model.dropout": [0.3]})
    )
    recipe = {**DEFAULTS, "train.epochs": 5, "model.pool": 2}
    configs = configs_of(chosen, recipe, {"optim.lr": 0.2})
    found = {(c.optim.lr, c.train.epochs, c.model.pool) for c in configs.values()}
    assert found == {(0.2, 7, 2)}
    assert {arm: c.model.dropout for arm, c in configs.items()} == {
        "baseline": 0.0,
        "dropout=0.3": 0.3,
    }


def test_what_the_ablation_varies_cannot_be_overridden():
    with pytest.raises(ConfigError, match=r"model\.dropout: it is what the ablation varies"):
        configs_of(plan(ablation()), DEFAULTS, {"model.dropout": 0.5})


def test_planning_imports_neither_torch_nor_wandb():
    code = (
        "import sys, audiocls.design, audiocls.config, audiocls.studies.resolve;"
        "sys.exit(bool({'torch', 'wandb'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_that_asks_for_the_same_again_names_a_study_of_another_name():
    asked = ablation_request("dropout", assignments=["train.epochs=3"], seeds="0..2")
    same = "audiocls sweep launch dropout --set train.epochs=3 --seeds 0..2"
    assert asked.stored().line() == same
    renamed = replace(asked, study="real").stored().line()
    assert renamed == same.replace("dropout", "dropout --study real")


def test_the_metrics_that_may_decide_are_those_that_trials_measure():
    from audiocls.design.ablation import GOALS
    from audiocls.training.metrics import SINGLE_LABEL

    assert GOALS.keys() == {f"test/{name}" for name in (*SINGLE_LABEL, "loss")}


def test_what_is_usually_wanted_of_a_metric_need_not_be_said():
    others = [{"name": "test/calibration_error"}, {"name": "test/map"}]
    asked = ablation(metric={"name": "test/loss"}, secondary=others)
    assert asked.metric.goal == "minimize"
    assert [each.goal for each in asked.secondary] == ["minimize", "maximize"]


@pytest.mark.parametrize("name", ["val/accuracy", "test/acuracy"])
def test_a_metric_that_no_trial_measures_on_test_clips_is_refused_before_training(name):
    told = faults(metric={"name": name})
    assert f"got {name!r}; allowed, on test clips alone: test/accuracy, " in told
    assert "'test/accuracy'?" in told


ESTIMATE = "(estimated: its file says 2.5 s of a core for a trial)"
ELSEWHERE = (
    f"480 epochs; about 1 min 40 s of a core {ESTIMATE}; on {{}}: known once a trial has run"
)
COSTS = {
    "local": ({}, f"480 epochs; about 50 s on the 2 cores of this machine {ESTIMATE}"),
    "inline": (
        {"executor": "inline"},
        f"480 epochs; about 1 min 40 s on 1 core of this machine {ESTIMATE}",
    ),
    "wandb": (
        {"executor": "wandb"},
        f"480 epochs; about 50 s on the 2 cores of this machine {ESTIMATE}",
    ),
    "slurm": ({"executor": "slurm", "workers": 2}, ELSEWHERE.format("SLURM's tasks")),
    "ray": ({"executor": "ray"}, ELSEWHERE.format("Ray's workers")),
}


def cost_of(**options) -> str:
    """Return what a plan of `dropout` says of its cost."""
    blocks = audiocls.plan("dropout", **options).report.document.blocks
    return next(dict(block.items)["cost"] for block in blocks if isinstance(block, Facts))


@pytest.mark.parametrize(("options", "said"), COSTS.values(), ids=COSTS)
def test_a_cost_says_what_it_is_of_for_every_executor(options, said, monkeypatch):
    monkeypatch.setattr(devices, "core_ids", lambda: [3, 5])
    assert COSTS.keys() == set(EXECUTORS)
    assert cost_of(**options) == said


def test_a_cost_on_cores_is_none_of_the_gpus_that_a_launch_would_use(monkeypatch):
    monkeypatch.setattr(gpus, "installed_gpus", lambda: (Gpu("0", "NVIDIA T4", "GPU-0"),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cost_of() == ELSEWHERE.format("cuda:0")
    assert "cores of this machine" in cost_of(devices="cpu")
