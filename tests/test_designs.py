"""Designs: what each is made of, what it is compared with, and what it cannot tell apart."""

import itertools
import json
from random import Random

import numpy as np
import pytest
from helpers.recipes import DEFAULTS, make_ablation
from typer.testing import CliRunner

from audiocls import yaml_file
from audiocls.cli import app
from audiocls.design import Plan, arms_of, plan, wandb_sweep
from audiocls.design.fraction import MOST_FACTORS, regular_fraction
from audiocls.errors import ConfigError
from audiocls.studies.ablation import one_trial, resolved
from audiocls.studies.request import ablation_request
from audiocls.studies.resolve import configs_of, study_of

PARTS = {"model.dropout": [0.1], "train.label_smoothing": [0.1], "optim.lr": [0.01]}
TWO_LEVELS = {f"k.{letter}": [0, 1] for letter in "abcdefghijk"}


def faults(**given) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        make_ablation(**given)
    return raised.value.faults


def planned(**given) -> Plan:
    return plan(make_ablation(**given))


def first(num: int) -> dict[str, list[int]]:
    return dict(list(TWO_LEVELS.items())[:num])


def fractional(num: int, resolution: int) -> Plan:
    return planned(factors=first(num), design="fractional", resolution=resolution)


def signs(chosen: Plan) -> np.ndarray:
    """The levels of every arm as -1 and +1, a row each."""
    keys = list(chosen.factors)
    return np.array([[2 * arm[key] - 1 for key in keys] for arm in chosen.arms.values()])


# Leave one out, both, cumulative.


def test_leave_one_out_is_everything_and_everything_without_each_change():
    chosen = planned(factors=PARTS, design="leave_one_out")
    everything = {key: levels[0] for key, levels in PARTS.items()}
    assert chosen.baseline == "all"
    assert chosen.arms["all"] == everything
    for key, name in zip(PARTS, ("dropout", "label_smoothing", "lr"), strict=True):
        without = chosen.arms[f"without {name}"]
        assert without == {k: v for k, v in everything.items() if k != key}
    assert len(chosen.arms) == 1 + 3
    assert not chosen.references


def test_both_is_one_factor_at_a_time_and_leave_one_out():
    together = planned(factors=PARTS, design="both")
    alone = planned(factors=PARTS, design="ofat")
    without = planned(factors=PARTS, design="leave_one_out")
    assert together.arms == {**alone.arms, **without.arms}
    assert together.baseline == alone.baseline
    assert together.references == dict.fromkeys(list(without.arms)[1:], without.baseline)


def test_cumulative_grows_by_one_change_an_arm_and_ends_with_all_of_them():
    chosen = planned(factors=PARTS, design="cumulative")
    arms = list(chosen.arms.values())
    assert arms[0] == {}
    assert arms[-1] == {key: levels[0] for key, levels in PARTS.items()}
    for before, after, key in zip(arms, arms[1:], PARTS, strict=False):
        assert after == {**before, key: PARTS[key][0]}


def test_in_a_cumulative_design_each_arm_is_compared_with_the_one_before_it():
    chosen = planned(factors=PARTS, design="cumulative")
    names = list(chosen.arms)
    assert names == ["baseline", "+dropout=0.1", "+label_smoothing=0.1", "+lr=0.01"]
    assert {arm: chosen.references.get(arm, chosen.baseline) for arm in names[1:]} == dict(
        zip(names[1:], names, strict=False)
    )
    assert "+dropout=0.1" not in chosen.references


def test_a_cumulative_design_says_that_its_answer_depends_on_the_order(cache):
    chosen = planned(factors=PARTS, design="cumulative")
    assert "in another order" in chosen.notes[0]
    study = study_of(chosen, configs_of(chosen, DEFAULTS, {}), {}, cache, "a").study
    assert study.notes[0] == chosen.notes[0]


@pytest.mark.parametrize(
    ("design", "num", "instead"),
    [("leave_one_out", 1, "ofat"), ("both", 2, "factorial"), ("cumulative", 1, "ofat")],
)
def test_too_few_changes_for_a_design_are_refused_with_the_design_that_fits(design, num, instead):
    factors = dict(list(PARTS.items())[:num])
    (fault,) = faults(factors=factors, design=design)
    assert f"{design} needs {num + 1} factors, got {num}" in fault
    assert f"use design: {instead}" in fault


@pytest.mark.parametrize("design", ["leave_one_out", "both", "cumulative"])
def test_a_change_that_is_made_or_not_has_one_level(design):
    found = faults(factors={**PARTS, "model.pool": [1, 2]}, design=design)
    assert found == [f"factors: model.pool has 2 levels; {design} takes 1 of each factor"]


# Fractions.

TEXTBOOK = {
    3: {3: 4, 5: 8, 6: 8, 7: 8, 9: 16, 10: 16, 11: 16},
    4: {4: 8, 6: 16, 7: 16, 8: 16, 9: 32, 10: 32, 11: 32},
    5: {5: 16, 6: 32, 7: 64, 8: 64, 9: 128, 10: 128, 11: 128},
}
"""Resolution → factors → runs of the smallest fraction: Box, Hunter and Hunter, table 6.22."""
EVERY_FRACTION = [(r, n, runs) for r, table in TEXTBOOK.items() for n, runs in table.items()]


@pytest.mark.parametrize(("resolution", "num", "runs"), EVERY_FRACTION)
def test_a_fraction_is_as_small_as_the_textbooks(resolution, num, runs):
    fraction = regular_fraction(num, resolution)
    assert len(fraction.runs) == len(set(fraction.runs)) == runs
    assert fraction.resolution >= resolution


@pytest.mark.parametrize(("resolution", "num", "runs"), EVERY_FRACTION)
def test_a_fraction_is_balanced_and_orthogonal_and_holds_the_run_of_first_levels(
    resolution, num, runs
):
    table = 2 * np.array(regular_fraction(num, resolution).runs) - 1
    assert (table.T @ table == runs * np.eye(num)).all()
    assert (table.sum(axis=0) == 0).all()
    assert (table[0] == -1).all()


@pytest.mark.parametrize(("resolution", "num"), [(r, n) for r, n, _ in EVERY_FRACTION if n <= 9])
def test_the_resolution_is_the_length_of_the_shortest_product_of_columns_that_is_constant(
    resolution, num
):
    fraction = regular_fraction(num, resolution)
    table = 2 * np.array(fraction.runs) - 1
    shortest = next(
        size
        for size in range(1, num + 1)
        if any(
            abs(table[:, chosen].prod(axis=1).sum()) == len(table)
            for chosen in map(list, itertools.combinations(range(num), size))
        )
    )
    assert fraction.resolution == shortest


def brute_force_aliases(table: np.ndarray) -> set[frozenset[tuple[int, ...]]]:
    """Main effects and two-way interactions whose contrasts are equal, up to the sign."""
    num = table.shape[1]
    effects = [e for size in (1, 2) for e in itertools.combinations(range(num), size)]
    contrasts = {e: table[:, list(e)].prod(axis=1) for e in effects}
    same = {
        e: frozenset(o for o in effects if abs(contrasts[e] @ contrasts[o]) == len(table))
        for e in effects
    }
    return {group for group in same.values() if len(group) > 1}


@pytest.mark.parametrize(("resolution", "num"), [(r, n) for r, n, _ in EVERY_FRACTION if n <= 9])
def test_aliases_are_those_that_brute_force_finds(resolution, num):
    fraction = regular_fraction(num, resolution)
    found = {frozenset(group) for group in fraction.aliases}
    assert found == brute_force_aliases(2 * np.array(fraction.runs) - 1)


@pytest.mark.parametrize("num", range(4, MOST_FACTORS + 1))
def test_at_resolution_iv_no_main_effect_is_aliased_with_a_two_way_interaction(num):
    for group in regular_fraction(num, 4).aliases:
        assert all(len(effect) == 2 for effect in group)


@pytest.mark.parametrize("num", range(5, MOST_FACTORS + 1))
def test_at_resolution_v_nothing_up_to_two_way_interactions_is_aliased(num):
    assert regular_fraction(num, 5).aliases == []


def test_half_of_three_factors_aliases_each_with_the_interaction_of_the_others():
    chosen = fractional(3, resolution=3)
    assert chosen.aliases == ("a = b×c", "b = a×c", "c = a×b")
    assert "A fraction of resolution III, 4 of 8 combinations" in chosen.notes[0]
    assert "a = b×c; b = a×c; c = a×b." in chosen.notes[0]


def test_the_resolution_told_is_the_one_reached_and_not_the_one_asked_for():
    chosen = fractional(5, resolution=4)
    assert chosen.resolution == 5
    assert "resolution V," in chosen.notes[0]


def test_arms_of_a_fraction_are_balanced_levels_of_the_file_and_start_with_the_first():
    factors = {"a": [0.1, 0.5], "b": ["x", "y"], "c": [True, False], "d": [None, 3]}
    chosen = planned(factors=factors, design="fractional", resolution=4)
    assert chosen.arms[chosen.baseline] == {key: levels[0] for key, levels in factors.items()}
    for key, levels in factors.items():
        found = [arm[key] for arm in chosen.arms.values()]
        assert [found.count(level) for level in levels] == [4, 4]


def test_main_effects_of_a_fraction_are_found_exactly_where_there_are_no_interactions():
    """Algebra: the contrast of a factor is twice its coefficient, whatever the others are."""
    chosen = fractional(7, resolution=3)
    table = signs(chosen)
    coefficients = np.arange(1.0, 8.0)
    answer = table @ coefficients
    for i, coefficient in enumerate(coefficients):
        high, low = answer[table[:, i] == 1], answer[table[:, i] == -1]
        assert high.mean() - low.mean() == pytest.approx(2 * coefficient)


def test_a_fraction_that_is_no_fraction_is_refused():
    (fault,) = faults(factors=first(4), design="fractional", resolution=5)
    assert "takes every combination: use design: factorial" in fault


def test_a_fraction_wants_a_resolution_two_levels_and_no_hole():
    factors = {**first(4), "k.z": [1, 2, 3]}
    found = faults(factors=factors, design="fractional", exclude=[{"k.a": 0, "k.b": 0}])
    assert [fault.split(":")[0] for fault in found] == ["factors", "resolution", "exclude"]
    assert "k.z has 3 levels; fractional takes 2" in found[0]
    assert "needs one of 3, 4, 5" in found[1]


def test_a_resolution_of_another_design_has_no_effect_and_is_refused():
    assert "resolution: has no effect" in faults(factors=PARTS, resolution=3)[0]


def test_a_narrowed_fraction_claims_no_resolution():
    question = make_ablation(factors=first(4), design="fractional", resolution=4)
    every = list(plan(question).arms)
    assert plan(question, arms=every).resolution == 4
    assert plan(question, arms=every[:3]).resolution is None
    assert plan(question, arms=every[:3]).aliases == ()


# Zipped keys.

ZIP = {"model.width": [8, 16, 32], "model.depth": [2, 3, 4]}
ZIPPED = {"factors": ZIP, "zip": [["model.width", "model.depth"]]}


def test_a_zip_of_n_levels_is_one_factor_of_n_levels():
    chosen = planned(**ZIPPED)
    assert list(chosen.arms.values())[1:] == [
        {"model.width": width, "model.depth": depth} for width, depth in [(8, 2), (16, 3), (32, 4)]
    ]
    assert list(chosen.arms)[1] == "width=8,depth=2"
    assert chosen.factors == {"model.width,model.depth": [[8, 2], [16, 3], [32, 4]]}


def test_a_zip_counts_as_one_factor_in_every_design():
    both_levels = {"model.width": [8, 16], "model.depth": [2, 3]}
    zipped = [["model.width", "model.depth"]]
    crossed = planned(factors={**both_levels, "optim.lr": [1, 2]}, zip=zipped, design="factorial")
    assert len(crossed.arms) == 2 * 2
    fraction = planned(
        factors={**both_levels, **first(2)}, zip=zipped, design="fractional", resolution=3
    )
    assert len(fraction.arms) == 4
    assert fraction.aliases[0] == "width+depth = a×b"
    one = {"model.width": [8], "model.depth": [2]}
    assert (
        "without width+depth" in planned(factors={**one, **PARTS}, zip=zipped, design="both").arms
    )


def test_a_zip_of_unequal_lengths_or_unknown_keys_is_refused_with_all_that_is_wrong():
    found = faults(
        factors={"model.width": [1, 2], "model.depth": [1]},
        zip=[["model.width", "model.depth"], ["model.widht"]],
    )
    assert "zip: keys that advance together need equally many levels" in found[-2] + found[0]
    assert any("Did you mean 'model.width'?" in fault for fault in found)
    assert any("zips nothing" in fault for fault in found)


def test_a_zipped_level_given_twice_is_refused_but_a_repeated_value_is_not():
    zipped = [["k.a", "k.b"]]
    assert len(planned(factors={"k.a": [1, 1], "k.b": [1, 2]}, zip=zipped).arms) == 3
    (fault,) = faults(factors={"k.a": [1, 1], "k.b": [2, 2]}, zip=zipped)
    assert "listed twice" in fault


# Excluded combinations.


def test_excluded_combinations_never_appear_and_nothing_else_is_lost():
    random = Random(1)
    for _ in range(200):
        factors = {f"k.{i}": list(range(random.randint(2, 3))) for i in range(3)}
        part = {f"k.{i}": random.randint(1, len(factors[f"k.{i}"]) - 1) for i in range(2)}
        every = planned(factors=factors, design="factorial").arms
        kept = planned(factors=factors, design="factorial", exclude=[part]).arms
        out = [name for name, arm in every.items() if part.items() <= arm.items()]
        assert out
        assert list(kept) == [name for name in every if name not in out]


def test_an_exclusion_that_matches_nothing_is_refused():
    (fault,) = faults(factors=first(2), exclude=[{"k.a": 1, "k.b": 1}])
    assert "matches no arm of design: ofat" in fault


def test_an_exclusion_speaks_of_factors_and_their_levels():
    found = faults(factors=first(2), exclude=[{"k.c": 1}, {"k.a": 2}, {}], design="factorial")
    assert "k.c is no factor; factors: k.a, k.b. Did you mean" in found[0]
    assert "k.a has no level 2; its levels: 0, 1" in found[1]
    assert "an empty combination" in found[2]
    assert "seed is a block" in faults(factors=first(2), exclude=[{"seed": 1}])[0]


def test_what_others_are_compared_with_cannot_be_excluded():
    (fault,) = faults(factors=first(2), exclude=[{"k.a": 0, "k.b": 0}], design="factorial")
    assert "is the baseline" in fault
    given = {"factors": PARTS, "design": "cumulative"}
    assert len(planned(**given, exclude=[{"optim.lr": 0.01}]).arms) == 3
    factors = {"k.a": ["x"], "k.b": [1, 2]}
    (fault,) = faults(factors=factors, when={"k.b": {"k.a": "x"}}, exclude=[{"k.a": "x"}])[:1]
    assert "no arm but the baseline is left" in fault


# Conditional factors.

SAM = {"optim.name": ["adamw", "sam"], "optim.rho": [0.02, 0.05]}
IF_SAM = {"optim.rho": {"optim.name": "sam"}}


def test_a_conditional_factor_is_set_only_where_its_condition_holds_and_duplicates_are_one():
    chosen = planned(factors=SAM, when=IF_SAM, design="factorial")
    assert list(chosen.arms.values()) == [
        {"optim.name": "adamw"},
        {"optim.name": "sam", "optim.rho": 0.02},
        {"optim.name": "sam", "optim.rho": 0.05},
    ]


def test_a_factor_without_a_condition_is_crossed_with_those_that_have_one():
    given = {"factors": {**SAM, "k.a": [0, 1]}, "when": IF_SAM, "design": "factorial"}
    chosen = planned(**given)
    assert len(chosen.arms) == 3 * 2
    for changes in chosen.arms.values():
        assert ("optim.rho" in changes) == (changes["optim.name"] == "sam")


def test_one_at_a_time_a_conditional_level_is_compared_with_its_condition_alone():
    chosen = planned(factors={"optim.name": ["sam"], "optim.rho": [0.02, 0.05]}, when=IF_SAM)
    assert chosen.arms["name=sam,rho=0.05"] == {"optim.name": "sam", "optim.rho": 0.05}
    assert chosen.references == {
        "name=sam,rho=0.02": "name=sam",
        "name=sam,rho=0.05": "name=sam",
    }


def test_left_out_a_condition_takes_along_what_depends_on_it():
    factors = {"optim.name": ["sam"], "optim.rho": [0.05], "k.a": [1]}
    chosen = planned(factors=factors, when=IF_SAM, design="leave_one_out")
    assert chosen.arms["without name"] == {"k.a": 1}
    assert chosen.arms["without rho"] == {"optim.name": "sam", "k.a": 1}


def test_on_top_of_each_other_a_condition_comes_first():
    factors = {"optim.rho": [0.05], "optim.name": ["sam"]}
    (fault,) = faults(factors=factors, when=IF_SAM, design="cumulative")
    assert "optim.name comes later in `factors`" in fault


def test_a_condition_of_a_condition_is_named_as_well():
    factors = {"k.a": [0, 1], "k.b": [0, 1], "k.c": [0, 1]}
    when = {"k.b": {"k.a": 1}, "k.c": {"k.b": 1}}
    (fault,) = faults(factors=factors, when=when, design="factorial")
    assert "k.b is itself conditional" in fault
    chosen = planned(
        factors=factors, when={**when, "k.c": {"k.a": 1, "k.b": 1}}, design="factorial"
    )
    assert list(chosen.arms.values()) == [
        {"k.a": 0},
        {"k.a": 1, "k.b": 0},
        {"k.a": 1, "k.b": 1, "k.c": 0},
        {"k.a": 1, "k.b": 1, "k.c": 1},
    ]


def test_a_condition_that_no_arm_has_alone_is_refused_one_at_a_time():
    when = {"k.c": {"k.a": 1, "k.b": 1}}
    found = faults(factors={"k.a": [1], "k.b": [1], "k.c": [1]}, when=when)
    assert "no arm has a=1,b=1 alone" in found[0]


def test_a_condition_that_makes_one_arm_of_two_comparisons_is_refused():
    found = faults(factors=PARTS, when={"optim.lr": {"model.dropout": 0.1}}, design="both")
    assert "label_smoothing=0.1 and without dropout are one arm" in found[0]


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        ({"k.x": {"k.a": 1}}, "k.x is no factor"),
        ({"k.a": {"k.x": 1}}, "k.x is no factor"),
        ({"k.a": {"k.b": 7}}, "k.b has no level 7"),
        ({"k.a": {"k.a": 1}}, "cannot be the condition of itself"),
        ({"k.a": {}}, "no condition"),
        ({"k.a": {"fold": 1}}, "fold is a block"),
    ],
)
def test_a_condition_names_levels_of_other_factors(when, fault):
    assert any(fault in found for found in faults(factors=first(2), when=when, design="factorial"))


# Secondary metrics.


def test_secondary_metrics_reach_the_study_with_the_margin_of_the_first_by_default(cache):
    chosen = planned(
        factors={"model.dropout": [0.1]},
        secondary=[
            {"name": "test/macro_f1"},
            {"name": "test/loss", "margin": 1},
        ],
        stats={"margin": 0.02},
    )
    study = study_of(chosen, configs_of(chosen, DEFAULTS, {}), {}, cache, "a").study
    assert [(o.name, o.goal, o.margin) for o in study.secondary] == [
        ("test/macro_f1", "maximize", 0.02),
        ("test/loss", "minimize", 1.0),
    ]


def test_a_metric_is_named_once():
    names = [{"name": name} for name in ("test/accuracy", "test/loss", "test/loss")]
    found = faults(factors=PARTS, secondary=names)
    assert "test/accuracy is the metric that decides" in found[0]
    assert "test/loss is listed twice" in found[1]


# One count.

QUESTIONS = [
    {"factors": PARTS},
    {"factors": PARTS, "design": "leave_one_out"},
    {"factors": PARTS, "design": "both"},
    {"factors": PARTS, "design": "cumulative"},
    {
        "factors": {"model.dropout": [0.0, 0.1], "optim.lr": [0.1, 0.2], "model.groups": [1, 2]},
        "design": "fractional",
        "resolution": 3,
    },
    {
        "factors": {"model.dropout": [0.0, 0.1, 0.2], "optim.lr": [0.1, 0.2]},
        "design": "factorial",
        "exclude": [{"model.dropout": 0.2, "optim.lr": 0.2}],
    },
]


@pytest.mark.parametrize("given", QUESTIONS, ids=lambda given: given.get("design", "ofat"))
def test_the_plan_the_study_and_the_registered_sweep_have_the_same_cells(given, cache):
    chosen = planned(**given, blocks={"seed": [0, 1], "fold": [1, 2]})
    study = study_of(chosen, configs_of(chosen, DEFAULTS, {}), {}, cache, "a").study
    grid = wandb_sweep(chosen)["parameters"].values()
    registered = set(itertools.product(*(values["values"] for values in grid)))
    assert {(c.arm, c.seed, c.fold) for c in study.cells} == registered == set(chosen.cells)
    assert len(study.cells) == len(registered) == chosen.num_trials
    assert chosen.num_comparisons == sum(arm != study.baseline for arm in study.arms)
    assert {arm: study.reference_of(arm) for arm in chosen.references} == chosen.references
    assert study.factors == chosen.factors


@pytest.mark.parametrize("given", QUESTIONS, ids=lambda given: given.get("design", "ofat"))
def test_every_arm_is_compared_with_an_arm_of_the_plan(given):
    question = make_ablation(**given)
    for arm in arms_of(question):
        chosen = plan(question, arms=[arm])
        assert {arm, chosen.baseline} <= chosen.arms.keys()
        assert set(chosen.references.values()) <= chosen.arms.keys()
        assert chosen.references.get(arm) == plan(question).references.get(arm)


@pytest.mark.parametrize("given", QUESTIONS, ids=lambda given: given.get("design", "ofat"))
def test_the_command_line_counts_what_the_plan_counts(given, tmp_path):
    (tmp_path / "r.yaml").write_text(yaml_file.dump(DEFAULTS))
    content = {"name": "a", "question": "?", "recipe": str(tmp_path / "r.yaml"), **given}
    (tmp_path / "a.yaml").write_text(yaml_file.dump(content))
    ran = CliRunner().invoke(app, ["ablation", "plan", str(tmp_path / "a.yaml"), "--json"])
    facts, chosen = json.loads(ran.stdout), planned(**given)
    assert facts["num_trials"] == len(facts["arms"]) * len(facts["blocks"]) == len(chosen.cells)
    assert facts["num_comparisons"] == len(facts["arms"]) - 1
    told = (facts["design"], facts["resolution"], facts["aliases"], facts["references"])
    assert told == (chosen.design, chosen.resolution, list(chosen.aliases), chosen.references)


def test_each_registered_cell_leads_back_to_the_studys_cell(cache, monkeypatch):
    """As W&B's agents ask for it: `arm=without dropout seed=0 fold=1`."""
    monkeypatch.setenv("AUDIOCLS_CACHE", str(cache))
    study = resolved(ablation_request("recipe_parts", seeds="0", folds="1")).study
    for cell in study.cells:
        words = [f"arm={cell.arm}", "seed=0", "fold=1"]
        alone = one_trial(words, ablation="recipe_parts").study
        assert alone.cells == (cell,)
        assert alone.reference_of(cell.arm) == study.reference_of(cell.arm)


@pytest.mark.parametrize("key", ["design", "resolution", "zip", "exclude", "when"])
def test_what_speaks_of_factors_has_no_effect_on_named_arms(key):
    value = {"design": "both", "resolution": 3, "zip": [], "exclude": [], "when": {}}[key]
    (fault,) = faults(arms={"x": {}, "y": {"a": 1}}, **{key: value})
    assert f"`{key}` has no effect on named arms" in fault


def test_faults_of_the_design_are_told_beside_faults_of_other_keys():
    found = faults(factors=first(2), zip=[["k.a", "k.x"]], stats={"alpha": 2}, nmae="x")
    assert [fault.split(":")[0] for fault in found] == ["stats.alpha", "nmae", "zip"]


def test_a_fault_within_a_list_is_told_once_by_its_place():
    (fault,) = faults(
        factors=first(2), secondary=[{"name": "test/map"}, {"nmae": "y", "name": "test/loss"}]
    )
    assert fault.startswith("secondary.1.nmae: unknown key. Did you mean 'name'? Known here: name,")
    (fault,) = faults(factors=first(2), blocks={"seed": [-1], "fold": [1]})
    assert fault.startswith("blocks.seed.0: got -1")


@pytest.mark.parametrize("key", ["zip", "exclude", "secondary"])
def test_what_must_be_a_list_is_said_to_be_one(key):
    (fault,) = faults(factors=first(2), **{key: "x"})
    assert fault == f"{key}: got 'x'; wanted: a list"


def test_faults_of_keys_and_of_the_design_are_told_at_once():
    found = faults(
        factors={**first(2), "k.z": [1]}, design="both", exclude=[{"k.x": 1}], resolution=3
    )
    keys = [fault.split(":")[0] for fault in found]
    assert keys == ["exclude", "factors", "factors", "resolution"]


@pytest.mark.parametrize(
    "given",
    [{"zip": [["k.a", "seed"]]}, {"when": {"k.a": {"seed": 1}}}, {"exclude": [{"fold": 1}]}],
)
def test_blocks_are_told_from_factors_wherever_they_are_named(given):
    assert any("is a block, not a factor" in fault for fault in faults(factors=first(2), **given))


def any_question(random: Random) -> dict:
    """Some file, right or wrong, over few keys, so that its parts meet often."""
    keys = ["k.a", "k.b", "k.c", "k.d", "k.x", "seed"]
    factors = {key: list(range(random.randint(1, 2))) for key in keys[: random.randint(1, 4)]}
    given = {
        "factors": factors,
        "design": random.choice(
            ["ofat", "leave_one_out", "both", "cumulative", "factorial", "fractional"]
        ),
        "resolution": random.choice([None, None, 3, 4]),
        "zip": [random.sample(keys, random.randint(1, 2))] if random.random() < 0.3 else [],
        "exclude": [{random.choice(keys): 0, random.choice(keys): 1}][: random.randint(0, 1)],
        "when": {random.choice(keys): {random.choice(keys): 0}} if random.random() < 0.4 else {},
    }
    return {key: value for key, value in given.items() if value}


def test_any_file_is_refused_or_plans_different_arms_that_have_what_they_are_compared_with():
    random = Random(2)
    num_planned = 0
    for _ in range(2000):
        try:
            question = make_ablation(**any_question(random))
        except ConfigError:
            continue
        chosen = plan(question)
        num_planned += 1
        assert len(chosen.arms) >= 2
        assert chosen.references.keys() | set(chosen.references.values()) <= chosen.arms.keys()
        assert all(keys <= set(question.factors) for keys in map(set, chosen.arms.values()))
        settings = [frozenset(changes.items()) for changes in chosen.arms.values()]
        assert len(set(settings)) == len(settings)
    assert num_planned > 50


def test_a_factorial_without_end_is_refused_before_its_arms_are_made():
    long = {f"model.k{i}": list(range(70)) for i in range(3)}
    (fault,) = faults(factors=long, design="factorial")
    assert fault.startswith("factors: 70 × 70 × 70 levels make 343,000 arms; at most 25,000.")
    pair = [["model.k0", "model.k1"]]
    assert len(planned(factors=long, design="factorial", zip=pair).arms) == 4_900


def test_how_long_to_train_is_no_choice_of_an_arm():
    (fault,) = faults(factors=PARTS, tune={"train.epochs": [1, 2]}, tune_trials=2)
    assert "not comparable" in fault
