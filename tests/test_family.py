"""One rule turns numbers into words, whatever is contrasted; only the words differ."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.records import finished_study, paired_values

from audiocls.analysis.differences import BlockDifferences
from audiocls.analysis.family import VOCABULARIES
from audiocls.analysis.pairing import RecordGrid
from audiocls.analysis.results import ArmResult, Effect
from audiocls.analysis.rule import Rule
from audiocls.stats import holm

RULE = Rule(alpha=0.05, margin=0.01, goal="maximize", ratio=0.0)


def measured(kind, values, rule=RULE):
    names = {"arm": "a", "changes": {}} if kind == "comparison" else {"name": "a"}
    blank = (ArmResult if kind == "comparison" else Effect)(kind=kind, **names)
    differences = tuple((seed, 1, float(v)) for seed, v in enumerate(values))
    return rule.measured(blank, BlockDifferences(differences))


def normal(mean, sd, num=10):
    return mean + sd * np.random.default_rng(0).normal(size=num)


@pytest.mark.parametrize("kind", VOCABULARIES)
@pytest.mark.parametrize("goal", ["maximize", "minimize"])
@pytest.mark.parametrize(
    ("mean", "sd", "role"),
    [(0.1, 0.01, "gain"), (-0.1, 0.01, "loss"), (0, 0.001, "equivalent"), (0, 0.1, "")],
)
def test_every_kind_of_contrast_has_the_same_rule_and_words_of_its_own(kind, goal, mean, sd, role):
    rule = replace(RULE, goal=goal)
    values = normal(mean, sd) * (1 if goal == "maximize" else -1)
    (decided,) = rule.decided([measured(kind, values, rule)])
    word = getattr(VOCABULARIES[kind], role) if role else "no_evidence"
    assert decided.verdict == word


def test_an_effect_too_small_for_the_family_is_claimed_alone_and_not_among_many():
    estimate = measured("main", normal(0.01, 0.02))
    assert RULE.decided([estimate])[0].verdict == "better"
    assert RULE.decided([estimate], num_settled=20)[0].verdict == "no_evidence"


def test_p_values_are_corrected_over_all_kinds_and_settled_contrasts_count_with_a_p_of_1():
    family = [measured("main", normal(0.02, 0.02)), measured("interaction", normal(0.01, 0.02))]
    decided = RULE.decided(family, num_settled=2)
    assert [each.p_holm for each in decided] == holm([*(each.p for each in decided), 1.0, 1.0])[:2]


@pytest.mark.parametrize(("kind", "unit"), [("comparison", "pair"), ("interaction", "block")])
def test_too_few_blocks_are_named_by_the_kind_and_a_reason_given_before_stays(kind, unit):
    estimate = replace(measured(kind, [0.1]), reason="over 1 of 2")
    (decided,) = RULE.decided([estimate])
    assert decided.verdict == "too_few_pairs"
    assert decided.reason == (
        f"1 {unit}; two seeds or two folds needed at least, to see how much trainings vary; "
        "over 1 of 2"
    )


def test_what_is_not_comparable_stays_so_and_belongs_to_the_family():
    odd = ArmResult(kind="comparison", arm="b", changes={}, verdict="not_comparable", reason="r")
    sure = measured("comparison", normal(0.1, 0.01))
    decided = RULE.decided([odd, sure])
    assert decided[0] == odd
    assert decided[1].p_holm == 2 * decided[1].p


def test_a_grid_evaluates_any_weights_on_the_blocks_that_all_their_arms_have():
    values = paired_values(0.01, 0.03)
    study, records = finished_study(values)
    del records["arm1-2-5"]
    grid = RecordGrid.of(study, records)
    weights = {"arm0": 0.5, "arm1": 0.5, "base": -1.0}
    expected = (values["arm0"] + values["arm1"]) / 2 - values["base"]
    differences = grid.differences(weights)
    assert [(seed, fold) for seed, fold, _ in differences.values] == study.blocks[:-1]
    assert [value for *_, value in differences.values] == pytest.approx(list(expected[:-1]))
    assert grid.incomplete(list(weights)) == [((2, 5), ["arm1"])]
