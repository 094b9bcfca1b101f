"""Effects of factors: each averaged over the others, and whether they add up."""

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from helpers.designs import (
    CHANGES,
    LEVELS,
    add_and_leave_one_out,
    additive_response,
    designed_study,
    factorial_arms,
)
from helpers.records import drop_records, finished_study, recorded_study

from audiocls.analysis import compare
from audiocls.analysis.contrasts.effects import effects_of
from audiocls.analysis.pairing import RecordGrid
from audiocls.design import load_ablation, plan
from audiocls.design.fraction import regular_fraction
from audiocls.stats import FoldDifferences, components_of, holm, stacked, uncertainties


def effects(study, records):
    return {each.name: each for each in compare(study, records).effects.estimates}


def deltas(study, records):
    return {name: each.delta for name, each in effects(study, records).items()}


def test_of_an_additive_response_main_effects_are_as_put_in_and_interactions_exactly_zero():
    found = deltas(*designed_study(factorial_arms(LEVELS), additive_response, LEVELS))
    mains = {name: delta for name, delta in found.items() if "×" not in name}
    assert mains == {"x=1": 0.03, "x=2": -0.02, "y=q": 0.05, "z=on": 0.01}
    rest = {name: delta for name, delta in found.items() if "×" in name}
    assert set(rest.values()) == {0.0}
    assert list(rest) == ["x=1 × y=q", "x=2 × y=q", "x=1 × z=on", "x=2 × z=on", "y=q × z=on"]


def test_an_interaction_is_the_effect_with_the_other_minus_the_effect_without():
    def response(changes):
        return additive_response(changes) + 0.04 * (changes["a.x"] == 1) * (changes["b.y"] == "q")

    found = effects(*designed_study(factorial_arms(LEVELS), response, LEVELS))
    both = found["x=1 × y=q"]
    assert both.delta == 0.04
    assert [(part.name, part.delta) for part in both.parts] == [
        ("x=1 with y=p", pytest.approx(0.03)),
        ("x=1 with y=q", pytest.approx(0.07)),
    ]
    assert found["x=2 × y=q"].delta == found["x=1 × z=on"].delta == 0.0
    assert found["x=1"].delta == pytest.approx(0.05)  # averaged over both levels of y


def test_effects_are_judged_as_paired_differences_are():
    study, records = designed_study(factorial_arms(LEVELS), additive_response, LEVELS, noise=0.02)
    found = compare(study, records).effects.estimates
    for name, (key, high, low) in {"x=1": ("a.x", 1, 0), "x=2": ("a.x", 2, 0)}.items():
        effect = next(each for each in found if each.name == name)
        sides = []
        for wanted in (high, low):
            arms = [name for name, changes in study.arms.items() if changes[key] == wanted]
            cells = [[c for c in study.cells if c.arm == arm] for arm in arms]
            metric = [[records[c.id].metrics["test/accuracy"] for c in own] for own in cells]
            sides.append(np.mean(metric, axis=0))
        columns = np.reshape(sides[0] - sides[1], (-1, len(study.folds))).T
        components = components_of([FoldDifferences(column) for column in columns], 1 / 400)
        assert effect.delta == pytest.approx(components.mean)
        assert effect.components.seed == pytest.approx(components.seed)
        assert effect.components.fold == pytest.approx(components.fold)
    for kind in ("main", "interaction"):
        alike = [each for each in found if each.kind == kind]
        together = stacked([each.components for each in alike])
        (errors,) = uncertainties(together, 1 / 3)
        assert [each.p for each in alike] == pytest.approx(list(errors.p(np.abs(together.mean))))
    assert [each.p_holm for each in found] == holm([each.p for each in found])


TWO = {"a": [0, 1], "b": [0, 1], "c": [0, 1], "d": [0, 1], "e": [0, 1]}


def two_level(num):
    return dict(itertools.islice(TWO.items(), num))


def random_response(num, seed):
    """A number for every combination, so that every interaction is there."""
    table = np.random.default_rng(seed).normal(0, 0.05, (2,) * num)
    return lambda changes: float(table[tuple(changes.values())])


def parity(*keys):
    return lambda changes: sum(changes[key] for key in keys) % 2


@pytest.mark.parametrize("even", [True, False])
def test_a_main_effect_of_a_half_fraction_is_its_own_plus_half_its_alias_exactly(even):
    factors, response = two_level(3), random_response(3, seed=1)
    whole = deltas(*designed_study(factorial_arms(factors), response, factors))
    is_even = parity("a", "b", "c")
    half = factorial_arms(factors, keep=lambda changes: is_even(changes) == (not even))
    found = effects(*designed_study(half, response, factors))
    # With a + b + c odd, the product of the codes −1 and 1 is 1, and a = bc; else a = −bc.
    sign = -1 if even else 1
    assert list(found) == ["a=1", "b=1", "c=1"]
    for name, alias, label in [("a=1", "b=1 × c=1", "b × c"), ("b=1", "a=1 × c=1", "a × c")]:
        assert found[name].delta == pytest.approx(whole[name] + sign * whole[alias] / 2, abs=1e-12)
        assert found[name].aliases == (("−" if even else "") + label,)


def test_interactions_of_resolution_four_are_told_once_with_their_aliases():
    factors, response = two_level(4), random_response(4, seed=2)
    whole = deltas(*designed_study(factorial_arms(factors), response, factors))
    odd = parity(*factors)
    found = effects(
        *designed_study(factorial_arms(factors, keep=lambda c: not odd(c)), response, factors)
    )
    names = ["a=1 × b=1", "a=1 × c=1", "a=1 × d=1"]
    assert [name for name in found if "×" in name] == names
    assert found["a=1 × b=1"].aliases == ("c × d",)
    assert found["a=1"].aliases == ("b × c × d",)
    expected = whole["a=1 × b=1"] + whole["c=1 × d=1"]
    assert found["a=1 × b=1"].delta == pytest.approx(expected, abs=1e-12)


def test_a_full_factorial_has_no_aliases():
    factors = two_level(4)
    found = effects(*designed_study(factorial_arms(factors), random_response(4, 0), factors))
    assert {each.aliases for each in found.values()} == {()}
    assert len(found) == 4 + 6


def test_a_latin_square_of_three_levels_tells_main_effects_and_their_aliases():
    factors = {"a": [0, 1, 2], "b": [0, 1, 2], "c": [0, 1, 2]}
    square = factorial_arms(factors, keep=lambda v: (v["a"] + v["b"] + v["c"]) % 3 == 0)
    gains = {"a": 0.01, "b": 0.02, "c": -0.03}
    found = effects(*designed_study(square, lambda v: sum(gains[k] * v[k] for k in v), factors))
    assert {name: each.delta for name, each in found.items()} == pytest.approx(
        {"a=1": 0.01, "a=2": 0.02, "b=1": 0.02, "b=2": 0.04, "c=1": -0.03, "c=2": -0.06}
    )
    assert found["a=1"].aliases == ("b × c",)


def test_excluded_combinations_bias_nothing_and_what_cannot_be_estimated_is_named():
    factors = {"a": [0, 1, 2], "b": ["p", "q"]}
    arms = factorial_arms(factors, keep=lambda v: v != {"a": 2, "b": "q"})
    gains = {0: 0.0, 1: 0.03, 2: 0.02, "p": 0.0, "q": 0.1}
    study, records = designed_study(arms, lambda v: gains[v["a"]] + gains[v["b"]], factors)
    found = effects(study, records)
    assert {name: each.delta for name, each in found.items()} == pytest.approx(
        {"a=1": 0.03, "b=q": 0.1, "a=1 × b=q": 0.0}
    )
    assert found["b=q"].reason.startswith("over 2 of 3 combinations of the other factors")
    assert found["a=1"].reason == ""
    lacking = compare(study, records).effects.not_estimated
    assert lacking == ("a=2 × b=q: no arms differ in this and in nothing else",)
    assert compare(study, records).effects.compared == ("a=2",)


def test_a_factor_varied_only_with_another_is_averaged_where_it_is_varied():
    arms = {
        "baseline": {"sam": 0, "drop": 0},
        "d": {"sam": 0, "drop": 1},
        **factorial_arms({"sam": [1], "drop": [0, 1], "rho": [0.05, 0.1]}),
    }
    factors = {"sam": [0, 1], "drop": [0, 1], "rho": [0.05, 0.1]}

    def response(v):
        return 0.02 * v["drop"] + 0.05 * v["sam"] + (0.01 if v.get("rho") == 0.1 else 0.0)

    found = effects(*designed_study(arms, response, factors))
    assert (found["rho=0.1"].delta, found["rho=0.1"].against) == (0.01, "rho=0.05")
    assert found["drop=1"].delta == 0.02


def test_zipped_keys_are_one_factor():
    factors = {"m.width,m.depth": [[16, 2], [32, 4]], "dropout": [0, 0.1]}
    arms = {
        f"{w}-{p}": {"m.width": w, "m.depth": d, "dropout": p}
        for (w, d), p in itertools.product(factors["m.width,m.depth"], [0, 0.1])
    }
    found = deltas(*designed_study(arms, lambda v: v["m.depth"] / 100 + v["dropout"] / 10, factors))
    assert found == {
        "width+depth=32x4": 0.02,
        "dropout=0.1": 0.01,
        "width+depth=32x4 × dropout=0.1": 0.0,
    }


def test_alone_and_with_the_rest_are_equal_where_effects_add_up():
    study, records = designed_study(
        add_and_leave_one_out(), lambda v: 0.02 * len(v), CHANGES, design="both"
    )
    found = effects(study, records)
    assert list(found) == ["dropout=0.1 × the rest", "mixup=on × the rest", "smooth=0.2 × the rest"]
    for each in found.values():
        assert each.delta == 0.0
        assert each.verdict == "additive"
        assert [part.delta for part in each.parts] == pytest.approx([0.02, 0.02])


def test_words_of_an_interaction_with_the_rest():
    def response(changes):
        return 0.03 * ("dropout" in changes) * ("mixup" in changes)

    clear = designed_study(add_and_leave_one_out(), response, CHANGES, noise=0.003, design="both")
    words = [each.verdict for each in effects(*clear).values()]
    assert words == ["interacts", "interacts", "additive"]
    wild = designed_study(add_and_leave_one_out(), response, CHANGES, noise=0.05, design="both")
    assert {each.verdict for each in effects(*wild).values()} == {"no_evidence"}
    study, records = designed_study(
        add_and_leave_one_out(), response, CHANGES, noise=0.003, design="both"
    )
    one = tuple(cell for cell in study.cells if cell.block == (0, 1))
    found = effects(replace(study, cells=one), records)
    assert {each.verdict for each in found.values()} == {"too_few_pairs"}
    assert found["mixup=on × the rest"].reason.startswith("1 block; two seeds or two folds needed")


def test_words_of_main_effects_are_those_of_comparisons():
    gains = {"a": 0.03, "b": -0.03, "c": 0.0}
    factors = two_level(3)
    study, records = designed_study(
        factorial_arms(factors), lambda v: sum(gains[k] * v[k] for k in v), factors, noise=0.004
    )
    found = effects(study, records)
    assert [found[f"{key}=1"].verdict for key in "abc"] == ["better", "worse", "equivalent"]
    turned = effects(replace(study, goal="minimize"), records)
    assert [turned[f"{key}=1"].verdict for key in "abc"] == ["worse", "better", "equivalent"]
    assert found["a=1"].p_holm <= 0.05


def test_a_block_with_a_missing_trial_is_named_and_never_averaged():
    factors = two_level(2)
    study, records = designed_study(
        factorial_arms(factors), lambda v: 0.01 * v["a"], factors, noise=0.01
    )
    left = drop_records(records, "a=1,b=1-0-3")
    found = effects(study, left)
    assert {each.verdict for each in found.values()} == {"not_comparable"}
    assert {each.delta for each in found.values()} == {None}
    assert "a=1,b=1 is not comparable: 1 of 15 pairs missing" in found["a=1"].reason
    allowed = effects(replace(study, max_missing=1), left)
    assert {each.num_pairs for each in allowed.values()} == {14}
    both = drop_records(records, "a=1,b=1-0-3", "a=0,b=1-1-2")
    reason = effects(replace(study, max_missing=1), both)["a=1 × b=1"].reason
    assert reason == (
        "2 blocks missing (1 allowed): seed 0 fold 3 of a=1,b=1, seed 1 fold 2 of a=0,b=1"
    )


def test_the_means_of_two_factors_are_shown_only_where_their_interaction_may_be():
    factors = two_level(2)
    study, records = designed_study(
        factorial_arms(factors), lambda v: 0.01 * v["a"], factors, noise=0.01
    )
    assert len(compare(study, records).effects.tables) == 1
    left = drop_records(records, "a=1,b=1-0-3")
    assert compare(study, left).effects.tables == ()
    allowed = replace(study, max_missing=1)
    assert len(compare(allowed, left).effects.tables) == 1
    assert compare(allowed, drop_records(left, "a=0,b=1-1-2")).effects.tables == ()
    odd = records["a=1,b=1-0-3"]
    other = {odd.id: replace(odd, provenance=replace(odd.provenance, code="new"))}
    assert compare(study, records | other).effects.tables == ()


def test_effects_have_the_same_units_as_comparisons_where_predictions_are_known():
    study, records, influences = recorded_study(0.02, 0.03, 0.05)
    arms = dict(zip(study.arms, factorial_arms(two_level(2)).values(), strict=True))
    study = replace(study, arms=arms, factors=two_level(2), design="factorial")
    found = compare(study, records, influences=influences).effects.estimates
    assert {each.components.num_recordings for each in found} == {200}
    assert all(each.p_units is not None for each in found)


def test_designs_whose_effects_are_their_comparisons_tell_nothing_twice():
    alone = {name: changes for name, changes in add_and_leave_one_out().items() if len(changes) < 2}
    left = {name: changes for name, changes in add_and_leave_one_out().items() if len(changes) > 1}
    left = {"all": left.pop("all"), **left}
    for arms in (alone, left):
        study, records = designed_study(arms, lambda v: 0.01 * len(v), CHANGES, noise=0.01)
        found = compare(study, records).effects
        assert (found.estimates, found.not_estimated) == ((), ())


def test_arms_of_any_order_have_the_same_effects():
    study, records = designed_study(factorial_arms(LEVELS), additive_response, LEVELS, noise=0.01)
    first, *rest = study.arms.items()
    turned = replace(study, arms=dict([first, *reversed(rest)]))
    one, other = effects(study, records), effects(turned, records)
    assert list(one) == list(other)
    for name, effect in one.items():
        assert effect.delta == pytest.approx(other[name].delta, abs=1e-9)
        assert effect.verdict == other[name].verdict


def test_without_any_effect_few_studies_claim_one():
    """At most α of them, as all effects are one family; seeds on one fold, where t is exact."""
    factors, num = two_level(3), 250
    arms = factorial_arms(factors)
    claims = 0
    study, records = designed_study(arms, lambda v: 0.0, factors)
    rng = np.random.default_rng(5)
    for _ in range(num):
        noise = dict(zip(records, rng.normal(0.7, 0.02, len(records)), strict=True))
        given = {
            key: replace(record, metrics={"test/accuracy": noise[key]})
            for key, record in records.items()
        }
        found = effects_of(RecordGrid.of(study, given), {}).estimates
        claims += any(each.verdict in ("better", "worse", "interacts") for each in found)
    error = np.sqrt(0.05 * 0.95 / num)
    assert claims / num <= 0.05 + 3 * error


def test_ten_thousand_trials_take_seconds():
    factors = {key: [0, 1] for key in "abcdefg"}
    arms = factorial_arms(factors)
    blocks = range(78)
    values = np.random.default_rng(0).normal(0.7, 0.02, (len(arms), len(blocks)))
    study, records = finished_study(dict(zip(arms, values, strict=True)), seeds=blocks, folds=(1,))
    study = replace(study, arms=arms, factors=factors)
    start = time.perf_counter()
    found = effects_of(RecordGrid.of(study, records), {})
    assert len(found.estimates) == 7 + 21
    assert time.perf_counter() - start < 5


def of_plan(response, noise=0.0, **given):
    """What a planned design makes of such a response, its arms and references as launched."""
    found = plan(load_ablation({"name": "a", "question": "?", "recipe": "r", **given}, "a.yaml"))
    study, records = designed_study(
        found.arms, response, found.factors, noise, design=given["design"]
    )
    return replace(study, references=found.references), records


@pytest.mark.parametrize(
    ("num", "resolution"), [(5, 3), (6, 3), (7, 3), (5, 4), (6, 4), (8, 4), (5, 5), (8, 5)]
)
def test_aliases_are_those_that_the_plan_told(num, resolution):
    """Two ways: from the arms' levels, and from the columns of the fraction."""
    names = "abcdefgh"[:num]
    study, records = of_plan(
        lambda changes: 0.0,
        factors={f"k.{name}": [0, 1] for name in names},
        design="fractional",
        resolution=resolution,
    )
    told = {}
    for group in regular_fraction(num, resolution).aliases:
        named = [" × ".join(names[index] for index in effect) for effect in group]
        told |= {name: {other for other in named if other != name} for name in named}
    for name, effect in effects(study, records).items():
        short = {alias.removeprefix("−") for alias in effect.aliases}
        pairs = {alias for alias in short if alias.count("×") < 2}
        assert pairs == told.get(name.replace("=1", ""), set())


def test_both_with_a_condition_holds_its_change_against_the_condition_alone():
    factors = {"o.sam": [True], "o.rho": [0.1], "m.drop": [0.2], "t.smooth": [0.1]}
    study, records = of_plan(
        lambda c: 0.01 * len(c) + 0.02 * ("o.rho" in c and "m.drop" in c),
        factors=factors,
        when={"o.rho": {"o.sam": True}},
        design="both",
    )
    found = effects(study, records)
    assert [part.delta for part in found["rho=0.1 × the rest"].parts] == pytest.approx([0.01, 0.03])
    assert found["smooth=0.1 × the rest"].delta == 0.0
    lacking = compare(study, records).effects.not_estimated
    assert lacking == ("sam=on × the rest: no arms differ in this alone, and in all",)


def test_zipped_and_excluded_factors_of_a_plan_have_effects():
    study, records = of_plan(
        lambda c: c["m.width"] / 1000 + 0.01 * (c["x.drop"] == 0.1),
        factors={"m.width": [16, 32], "m.depth": [2, 4], "x.drop": [0.0, 0.1], "x.mix": [0, 1]},
        zip=[["m.width", "m.depth"]],
        exclude=[{"x.drop": 0.1, "x.mix": 1}],
        design="factorial",
    )
    found = deltas(study, records)
    assert found["width+depth=32x4"] == 0.016
    assert found["drop=0.1"] == 0.01
    assert found["mix=1"] == 0.0


def test_sides_of_an_interaction_that_agree_to_the_clip_have_an_interval():
    arms = factorial_arms({"a.x": [0, 1], "b.y": ["p", "q"]})
    values = {name: [0.5, 0.5] for name in arms}
    study, records = finished_study(values, (0, 1), (1,))
    study = replace(
        study, arms=arms, factors={"a.x": [0, 1], "b.y": ["p", "q"]}, design="factorial"
    )
    (both,) = [each for each in effects(study, records).values() if each.kind == "interaction"]
    for part in both.parts:
        assert part.ci_low < -1 / 400
        assert part.ci_high > 1 / 400
