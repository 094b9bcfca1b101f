from dataclasses import replace

import numpy as np
import pytest
from helpers.records import COST, PROVENANCE, drop_records, finished_study, paired_values, verdicts

from audiocls.analysis import compare
from audiocls.errors import ConfigError, NotComparable
from audiocls.render.build.verdicts import headline
from audiocls.stats import corrected_t, holm, sign_flip_p
from audiocls.store.record import Objective

ACCURACY = "test/accuracy"


def test_golden_1_is_too_few_pairs():
    values = {"B": [94.3, 97.0, 94.8, 96.3, 91.8], "A": [94.00, 95.75, 93.75, 95.75, 91.50]}
    study, records = finished_study(values, seeds=(0,), margin=1.0)
    quarter = {key: replace(record, num_train=1600) for key, record in records.items()}
    arm = compare(study, quarter).compared[0]
    assert arm.verdict == "too_few_pairs"
    assert arm.delta == pytest.approx(-0.69)
    assert arm.p_corrected_t == pytest.approx(0.078605, abs=5e-7)
    assert arm.p_sign_flip == 0.0625
    assert (arm.ci_low, arm.ci_high) == pytest.approx((-1.505573, 0.125573), abs=5e-7)
    assert arm.reason == "5 pairs; 6 needed for α = 0.05, m = 1"


def test_the_words_of_clear_cases():
    study, records = finished_study(paired_values(0.03, -0.03, 0.0))
    assert verdicts(study, records) == ["better", "worse", "equivalent"]
    wild = finished_study(paired_values(0.0, spread=0.05))
    assert verdicts(*wild) == ["no_evidence"]


def test_numbers_are_those_of_the_tests_over_all_pairs():
    study, records = finished_study(paired_values(0.01, 0.002))
    result = compare(study, records)
    ps = []
    for arm in result.compared:
        values = [difference for *_, difference in arm.differences]
        test = corrected_t(values, 1 / 3)
        assert (arm.delta, arm.ci_low, arm.ci_high) == (test.mean, test.ci_low, test.ci_high)
        assert (arm.p_corrected_t, arm.p_sign_flip) == (test.p, sign_flip_p(values))
        ps.append(max(test.p, sign_flip_p(values)))
    assert [arm.p_holm for arm in result.compared] == holm(ps)


def test_the_baseline_comes_first_and_has_no_difference():
    study, records = finished_study(paired_values(0.0))
    study = replace(study, arms=dict(reversed(study.arms.items())))
    first = compare(study, records).arms[0]
    assert (first.arm, first.verdict, first.delta, first.num_pairs) == (
        "base",
        "baseline",
        None,
        15,
    )


@pytest.mark.parametrize(
    ("folds", "seeds", "words"),
    [
        (
            (1,),
            range(8),
            "plain paired t test over seeds (one fold: of this split of the data alone)",
        ),
        (range(1, 9), (0,), "Nadeau and Bengio 2003"),
        ((1, 2), range(4), "Bouckaert and Frank 2004"),
    ],
)
def test_the_method_names_the_variance_used(folds, seeds, words):
    values = np.random.default_rng(0).normal(0.8, 0.01, (2, 8))
    study, records = finished_study(dict(zip("ab", values, strict=True)), seeds, folds)
    result = compare(study, records)
    assert words in result.method
    expected = corrected_t(list((values[1] - values[0]).round(12)), 0 if folds == (1,) else 1 / 3)
    assert result.compared[0].p_corrected_t == pytest.approx(expected.p)


def test_equal_arms_are_equivalent_and_never_better():
    study, records = finished_study({arm: [0.7 + 0.01 * i for i in range(15)] for arm in "abc"})
    assert verdicts(study, records) == ["equivalent", "equivalent"]


def test_equal_scores_on_few_clips_show_no_equivalence_within_less_than_a_clip():
    study, records = finished_study({arm: [0.7 + 0.1 * (i % 3) for i in range(15)] for arm in "ab"})
    few = {key: replace(record, num_test=10) for key, record in records.items()}
    assert verdicts(study, few) == ["no_evidence"]
    assert verdicts(replace(study, margin=0.1), few) == ["equivalent"]


def test_rounding_noise_of_decimals_is_no_effect():
    study, records = finished_study({"a": [0.3] * 15, "b": [0.1 + 0.2] * 15})
    assert compare(study, records).compared[0].delta == 0.0
    assert verdicts(study, records) == ["equivalent"]


def test_swapping_arm_and_baseline_mirrors_the_answer():
    for effect, mirrored in [(0.03, "worse"), (-0.03, "better"), (0.0, "equivalent")]:
        values = paired_values(effect)
        there = compare(*finished_study(values)).compared[0]
        back = compare(*finished_study(dict(reversed(values.items())))).compared[0]
        assert back.verdict == mirrored
        assert (back.delta, back.ci_low, back.p_holm) == pytest.approx(
            (-there.delta, -there.ci_high, there.p_holm)
        )


def test_a_goal_to_minimise_mirrors_the_words_and_not_the_numbers():
    study, records = finished_study(paired_values(0.03, -0.03, 0.0))
    up, down = compare(study, records), compare(replace(study, goal="minimize"), records)
    assert [arm.verdict for arm in down.compared] == ["worse", "better", "equivalent"]
    assert [arm.delta for arm in down.arms] == [arm.delta for arm in up.arms]


def test_a_missing_record_is_named_and_withholds_the_number():
    study, records = finished_study(paired_values(0.03, 0.03))
    result = compare(study, drop_records(records, "arm0-1-3"))
    first, second = result.compared
    assert [cell.id for cell in result.missing] == ["arm0-1-3"]
    assert (first.verdict, first.delta, first.p_holm) == ("not_comparable", None, None)
    assert first.reason == "1 of 15 pairs missing (0 allowed): seed 1 fold 3"
    assert second.verdict == "better"


def test_a_missing_baseline_spoils_every_arm():
    study, records = finished_study(paired_values(0.03, 0.03))
    assert verdicts(study, drop_records(records, "base-0-1")) == ["not_comparable"] * 2


def test_missing_pairs_are_allowed_up_to_the_number_said():
    study, records = finished_study(paired_values(0.03), max_missing=1)
    result = compare(study, drop_records(records, "arm0-1-3"))
    assert (result.compared[0].verdict, result.compared[0].num_pairs) == ("better", 14)
    assert verdicts(study, drop_records(records, "arm0-1-3", "base-0-1")) == ["not_comparable"]


def test_a_metric_that_is_not_a_number_is_a_missing_trial():
    study, records = finished_study(paired_values(0.03))
    records["arm0-0-1"] = replace(records["arm0-0-1"], metrics={"test/accuracy": float("nan")})
    assert [cell.id for cell in compare(study, records).missing] == ["arm0-0-1"]


@pytest.mark.parametrize(
    ("match", "change"),
    [
        ("epochs", {"epochs": 11}),
        ("steps", {"steps": 102, "gradient_passes": 102}),
        ("samples", {"samples": 3250}),
        ("macs", {"macs": 35_000_000}),
        ("macs", {"gradient_passes": 200}),
    ],
)
def test_unequal_compute_is_refused_with_the_reason(match, change):
    study, records = finished_study(paired_values(0.03), match=match)
    for key in [key for key in records if key.startswith("arm0")]:
        records[key] = replace(records[key], cost=replace(COST, **change))
    arm = compare(study, records).compared[0]
    assert (arm.verdict, arm.delta) == ("not_comparable", None)
    assert arm.reason.startswith(f"unequal compute in 15 of 15 pairs: {match}")


def test_sam_is_comparable_at_equal_epochs_and_costs_twice_at_equal_macs():
    study, records = finished_study(paired_values(0.03))
    for key in [key for key in records if key.startswith("arm0")]:
        records[key] = replace(records[key], cost=replace(COST, gradient_passes=200))
    assert verdicts(study, records) == ["better"]
    arm = compare(replace(study, match="macs"), records).compared[0]
    assert "2.00 times those of base" in arm.reason


@pytest.mark.parametrize("part", ["code", "torch", "device", "data"])
def test_another_environment_is_refused_with_the_reason(part):
    study, records = finished_study(paired_values(0.03))
    origin = replace(PROVENANCE, **{part: "other"})
    records["arm0-0-1"] = replace(records["arm0-0-1"], provenance=origin)
    arm = compare(study, records).compared[0]
    assert arm.verdict == "not_comparable"
    assert arm.reason.startswith(f"different {part} in 1 of 15 pairs: other")


@pytest.mark.parametrize("arm", ["base", "arm0"])
def test_early_stopped_trials_enter_no_comparison(arm):
    study, records = finished_study(paired_values(0.03))
    records[f"{arm}-0-1"] = replace(records[f"{arm}-0-1"], early_stopped=True)
    result = compare(study, records).compared[0]
    assert (result.verdict, result.reason) == ("not_comparable", "stopped early in 1 of 15 pairs")


def test_more_comparisons_never_lower_a_corrected_p():
    effects = (0.004, 0.002, 0.0, 0.001, -0.003)
    values = paired_values(*effects)
    before = 0.0
    for count in range(2, len(values) + 1):
        family = dict(list(values.items())[:count])
        p = compare(*finished_study(family)).compared[0].p_holm
        assert p >= before
        before = p


def test_an_arm_that_could_not_be_computed_still_counts_in_the_family():
    study, records = finished_study(paired_values(0.004, 0.0))
    alone = compare(*finished_study(paired_values(0.004))).compared[0]
    kept = {key: record for key, record in records.items() if not key.startswith("arm1")}
    assert compare(study, kept).compared[0].p_holm == pytest.approx(2 * alone.p_holm)


def test_one_seed_never_has_an_interval():
    study, records = finished_study({"a": [0.7], "b": [0.8]}, seeds=(0,), folds=(1,))
    for arm in compare(study, records).arms:
        assert arm.mean_ci_low is None
        assert arm.ci_low is None
        assert arm.p_corrected_t is None
    assert verdicts(study, records) == ["too_few_pairs"]


def test_a_study_without_records_is_an_answer_that_lists_every_cell():
    study, _ = finished_study(paired_values(0.03))
    result = compare(study, {})
    assert result.missing == study.cells
    assert [arm.verdict for arm in result.arms] == ["baseline", "not_comparable"]
    assert headline(result).startswith("Nothing can be compared yet")


def test_a_metric_that_no_record_has_is_refused_with_the_nearest_name():
    study, records = finished_study(paired_values(0.0))
    with pytest.raises(NotComparable, match="'test/accuracy'"):
        compare(replace(study, metric="test/acuracy"), records)


def test_unknown_rules_are_refused_all_at_once():
    study, records = finished_study(paired_values(0.0), match="epoch", correction="none")
    with pytest.raises(ConfigError) as error:
        compare(study, records)
    assert "Did you mean 'epochs'?" in str(error.value)
    assert "correction: got 'none', allowed: holm" in str(error.value)


def test_headlines_say_it_in_plain_words():
    improved = headline(compare(*finished_study(paired_values(0.03, 0.0, 0.0, spread=0.012))))
    assert improved.startswith("arm0 helps: +")
    assert "points (95 % interval" in improved
    assert improved.endswith("15 pairs); the other two arms show no evidence.")
    assert headline(compare(*finished_study(paired_values(-0.03)))).startswith("arm0 hurts: −")
    nothing = headline(compare(*finished_study(paired_values(0.0, 0.0, spread=0.05))))
    assert nothing == "No evidence that any of the two arms differs from base (15 pairs)."
    few = {"a": [0.7] * 5, "b": [0.8] * 5}
    assert headline(compare(*finished_study(few, seeds=(0,)))) == (
        "Too few pairs to tell: 5 pairs, and one comparison at α = 0.05 needs 6."
    )


def test_without_an_effect_at_most_alpha_of_studies_claim_one():
    """Studies of three arms whose pairs correlate as Nadeau and Bengio assume, by test/all clips.

    The plain t test, which takes the pairs as independent, claims an effect in most of them.
    """
    rng = np.random.default_rng(0)
    num, correlation = 600, 400 / 1600
    study, records = finished_study({arm: [0.8] * 15 for arm in ("base", "x", "y", "z")})
    num_claims = num_plain = 0
    for _ in range(num):
        shared, own = rng.normal(size=(3, 1)), rng.normal(size=(3, 15))
        differences = 0.01 * (correlation**0.5 * shared + (1 - correlation) ** 0.5 * own)
        values = 0.8 + np.concatenate([np.zeros((1, 15)), differences]).ravel()
        drawn = {
            key: replace(record, metrics={"test/accuracy": float(value)})
            for (key, record), value in zip(records.items(), values, strict=True)
        }
        num_claims += any(verdict in ("better", "worse") for verdict in verdicts(study, drawn))
        num_plain += min(corrected_t(d, 0).p for d in differences) < 0.05
    assert num_claims / num <= 0.05 + 2 * (0.05 * 0.95 / num) ** 0.5
    assert num_plain / num > 0.5


def by_steps():
    """A study in which each arm is compared with the one before it."""
    study, records = finished_study(paired_values(0.03, 0.06))
    return replace(study, references={"arm1": "arm0"}), records


def test_an_arm_is_compared_with_its_reference():
    result = compare(*by_steps())
    first, second = result.compared
    assert (first.against, second.against) == ("base", "arm0")
    reached = {arm.arm: arm.mean for arm in result.arms}
    assert second.delta == pytest.approx(reached["arm1"] - reached["arm0"])
    assert result.has_references
    assert "against arm0" in headline(result)


def test_the_baseline_has_nothing_to_be_compared_with():
    assert compare(*by_steps()).arms[0].against == ""


def test_a_reference_that_is_no_arm_is_refused():
    study, records = by_steps()
    with pytest.raises(ConfigError, match="reference of arm1: got 'arm9', allowed: base, arm0"):
        compare(replace(study, references={"arm1": "arm9"}), records)


def test_secondary_metrics_are_compared_alike_and_decide_nothing():
    study, records = finished_study(paired_values(0.03))
    errors = {
        key: replace(record, metrics={**record.metrics, "test/error": -record.metrics[ACCURACY]})
        for key, record in records.items()
    }
    both = replace(study, secondary=(Objective("test/error", "minimize", 0.01),))
    result = compare(both, errors)
    assert headline(result) == headline(compare(study, records))
    assert [arm.verdict for arm in result.secondary[0].compared] == ["better"]
    assert result.secondary[0].compared[0].delta == pytest.approx(-result.compared[0].delta)


def test_a_secondary_metric_that_nobody_recorded_is_named():
    study, records = finished_study(paired_values(0.03))
    both = replace(study, secondary=(Objective("test/mpa", "maximize", 0.01),))
    result = compare(both, records)
    assert result.secondary == ()
    assert "No record has the secondary metric test/mpa." in result.notes
