import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.records import (
    COST,
    PROVENANCE,
    drop_records,
    finished_study,
    paired_values,
    recorded_study,
    verdicts,
)

from audiocls.analysis import compare
from audiocls.errors import ConfigError, NotComparable
from audiocls.render.build.headline import headline
from audiocls.stats import (
    FoldDifferences,
    components_of,
    half_width,
    holm,
    p_value,
    stacked,
    uncertainties,
)
from audiocls.store.record import Objective
from audiocls.training.micro_batches import MicroBatches

ACCURACY = "test/accuracy"


def judged(arms, folds, ratio=1 / 3, influences=None, step=0.0):
    """Intervals at 95 % and p of arms' differences, ordered by seed and fold, by hand."""
    every = []
    for arm, values in enumerate(arms):
        grid = np.reshape(values, (-1, len(folds)))
        own = [None] * len(folds) if influences is None else influences[arm]
        found = [FoldDifferences(column, each) for column, each in zip(grid.T, own, strict=True)]
        every.append(components_of(found, step))
    components = stacked(every)
    errors = uncertainties(components, ratio)
    halves = half_width(errors, 0.05)
    ps = p_value(errors, np.abs(components.mean))
    return components.mean, halves, ps


def test_golden_1_shows_no_difference():
    values = {"B": [94.3, 97.0, 94.8, 96.3, 91.8], "A": [94.00, 95.75, 93.75, 95.75, 91.50]}
    study, records = finished_study(values, seeds=(0,), margin=1.0)
    quarter = {key: replace(record, num_train=1600) for key, record in records.items()}
    arm = compare(study, quarter).compared[0]
    assert arm.verdict == "no_evidence"
    assert arm.delta == pytest.approx(-0.69)
    assert 0.05 < arm.p < 0.06


def test_the_words_of_clear_cases():
    study, records = finished_study(paired_values(0.03, -0.03, 0.0))
    assert verdicts(study, records) == ["better", "worse", "equivalent"]
    wild = finished_study(paired_values(0.0, spread=0.05))
    assert verdicts(*wild) == ["no_evidence"]


def test_without_predictions_folds_are_the_units_and_the_reason_is_said():
    study, records = finished_study(paired_values(0.01, 0.002))
    result = compare(study, records)
    arms = result.compared
    values = [[difference for *_, difference in arm.differences] for arm in arms]
    means, halves, ps = judged(values, study.folds, step=1 / 400)
    assert [arm.delta for arm in arms] == pytest.approx(list(means))
    assert [arm.ci_high for arm in arms] == pytest.approx(list(means + halves))
    assert [arm.p_replicates for arm in arms] == pytest.approx(list(ps))
    assert {arm.p_units for arm in arms} == {None}
    assert [arm.p_holm for arm in arms] == pytest.approx(holm(list(ps)))
    assert {arm.without_recordings for arm in arms} == {"no predictions are kept"}
    assert "no predictions are kept" in result.method


def test_with_predictions_recordings_are_units_too():
    study, records, influences = recorded_study(0.02, 0.0)
    result = compare(study, records, influences=influences)
    arms, known = result.compared, influences["test/accuracy"]
    values = [[difference for *_, difference in arm.differences] for arm in arms]
    own = [
        [
            np.stack(
                [
                    known[f"{arm.arm}-{seed}-{fold}"].values - known[f"base-{seed}-{fold}"].values
                    for seed in study.seeds
                ]
            )
            for fold in study.folds
        ]
        for arm in arms
    ]
    means, halves, ps = judged(values, study.folds, influences=own, step=1 / 400)
    assert [arm.delta for arm in arms] == pytest.approx(list(means))
    assert [arm.ci_low for arm in arms] == pytest.approx(list(means - halves))
    assert [arm.p for arm in arms] == pytest.approx(list(ps))
    assert {arm.components.num_recordings for arm in arms} == {200}
    assert result.scope == "data"


def test_recordings_make_one_seed_of_all_folds_enough_for_a_claim():
    study, records, influences = recorded_study(0.12, seeds=(0,), lasting=0.3, noise=0.3)
    assert compare(study, records, influences=influences).compared[0].verdict == "better"


def test_a_trial_without_predictions_leaves_its_comparison_to_the_folds_and_no_other():
    study, records, influences = recorded_study(0.02, 0.02)
    influences["test/accuracy"]["arm1-1-3"] = "the predictions cannot be read (damaged)"
    first, second = compare(study, records, influences=influences).compared
    assert first.p_units is not None
    assert second.p_units is None
    assert second.without_recordings == "the predictions cannot be read (damaged)"


def test_other_recordings_in_one_trial_are_not_mixed_with_the_rest():
    study, records, influences = recorded_study(0.02)
    odd = influences["test/accuracy"]["arm0-1-3"]
    influences["test/accuracy"]["arm0-1-3"] = replace(odd, recordings=odd.recordings[::-1].copy())
    arm = compare(study, records, influences=influences).compared[0]
    assert arm.without_recordings == "not tested on the same recordings"


@pytest.mark.parametrize(
    ("folds", "has_predictions", "scope"),
    [
        ((1, 2, 3, 4, 5), True, "data"),
        ((1, 2, 3, 4, 5), False, "data"),
        ((1, 2), True, "folds"),
        ((1,), True, "split"),
        ((1,), False, "clips"),
    ],
)
def test_the_scope_is_what_the_folds_and_their_recordings_can_speak_of(
    folds, has_predictions, scope
):
    study, records, influences = recorded_study(0.02, folds=folds)
    records = {
        key: replace(record, num_train=1200, num_val=400, num_test=400)
        for key, record in records.items()
    }
    result = compare(study, records, influences=influences if has_predictions else {})
    assert result.scope == scope
    assert result.num_all_folds == (None if len(folds) == 1 else 5)


def test_folds_of_unknown_size_do_not_stand_for_the_data():
    study, records = finished_study(paired_values(0.03))
    unknown = {key: replace(record, num_train=None) for key, record in records.items()}
    assert compare(study, unknown).scope == "folds"


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
    ("folds", "has_predictions", "words"),
    [
        ((1,), False, "paired t test over seeds, which applies to these test clips alone"),
        ((1, 2), False, "t test over 2 folds, whose differences beyond those of seeds"),
        ((1,), True, "over trainings and recordings together, .* and over seeds"),
        ((1, 2, 3, 4, 5), True, r"recordings count 1\.83 times .* and over folds"),
    ],
)
def test_the_method_names_the_errors_that_a_claim_had_to_exceed(folds, has_predictions, words):
    study, records, influences = recorded_study(0.02, folds=folds)
    result = compare(study, records, influences=influences if has_predictions else {})
    assert re.search(words, result.method)


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


def test_a_metric_that_is_not_a_number_is_a_missing_trial_and_called_that():
    study, records = finished_study(paired_values(0.03))
    records["arm0-0-1"] = replace(records["arm0-0-1"], metrics={"test/accuracy": float("nan")})
    result = compare(study, records)
    assert [cell.id for cell in result.missing] == ["arm0-0-1"]
    assert result.compared[0].reason.endswith("seed 0 fold 1 (test/accuracy is nan)")


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


@pytest.mark.parametrize("part", ["code", "torch", "device", "data", "execution"])
def test_another_environment_is_refused_with_the_reason(part):
    study, records = finished_study(paired_values(0.03))
    origin = replace(PROVENANCE, **{part: "other"})
    records["arm0-0-1"] = replace(records["arm0-0-1"], provenance=origin)
    arm = compare(study, records).compared[0]
    assert arm.verdict == "not_comparable"
    assert arm.reason.startswith(f"different {part} in 1 of 15 pairs: other")


def test_seconds_of_packed_trials_are_not_compared():
    study, records = finished_study(paired_values(0.03))
    packed = replace(records["arm0-0-1"], cost=replace(COST, pack=4))
    records["arm0-0-1"] = packed
    arm = compare(replace(study, match="seconds"), records).compared[0]
    assert arm.reason == (
        "unequal compute in 1 of 15 pairs: seconds are shares of what several trials took at once"
    )
    assert compare(replace(study, match="none"), records).compared[0].verdict != "not_comparable"


@pytest.mark.parametrize("arm", ["base", "arm0"])
def test_early_stopped_trials_enter_no_comparison(arm):
    study, records = finished_study(paired_values(0.03))
    records[f"{arm}-0-1"] = replace(records[f"{arm}-0-1"], early_stopped=True)
    result = compare(study, records).compared[0]
    assert (result.verdict, result.reason) == ("not_comparable", "stopped early in 1 of 15 pairs")


def test_more_comparisons_cost_more_and_tell_more_of_the_noise_of_few_folds():
    """Corrected p values are Holm's, but arms share what their folds tell of the noise."""
    few = {"seeds": (0,)}
    values = {arm: list(own[:5]) for arm, own in paired_values(0.01, 0.0, 0.0, 0.0).items()}
    alone = {arm: values[arm] for arm in ("base", "arm0")}
    one = compare(*finished_study(alone, **few)).compared[0]
    family = compare(*finished_study(values, **few)).compared
    assert family[0].p < one.p
    assert [arm.p_holm for arm in family] == holm([arm.p for arm in family])
    assert all(arm.p_holm >= arm.p for arm in family)


def test_an_arm_that_could_not_be_computed_still_counts_in_the_family():
    study, records = finished_study(paired_values(0.006, 0.0))
    alone = compare(*finished_study(paired_values(0.006))).compared[0]
    kept = {key: record for key, record in records.items() if not key.startswith("arm1")}
    assert compare(study, kept).compared[0].p_holm == pytest.approx(2 * alone.p_holm)


def test_simultaneous_intervals_are_those_of_the_family_at_once():
    alone = compare(*finished_study(paired_values(0.006))).compared[0]
    assert (alone.simultaneous_low, alone.simultaneous_high) == (alone.ci_low, alone.ci_high)
    study, records = finished_study(paired_values(0.006, 0.0))
    kept = {key: record for key, record in records.items() if not key.startswith("arm1")}
    among = compare(study, kept).compared[0]
    at_half = compare(replace(study, alpha=0.025), kept).compared[0]
    assert (among.simultaneous_low, among.simultaneous_high) == (at_half.ci_low, at_half.ci_high)


def test_no_interval_of_a_share_leaves_0_to_100_percent():
    study, records = finished_study({"a": [0.99, 0.4], "b": [0.5, 1.0]}, (0,), (1, 2))
    first, second = compare(study, records).arms
    for arm in (first, second):
        assert 0 <= arm.mean_ci_low < arm.mean < arm.mean_ci_high <= 1
    assert -1 <= second.ci_low < second.ci_high <= 1
    loss, losses = (
        replace(study, metric="test/loss", goal="minimize"),
        {
            key: replace(record, metrics={"test/loss": record.metrics[ACCURACY]})
            for key, record in records.items()
        },
    )
    assert compare(loss, losses).arms[0].mean_ci_high > 1


def test_two_pairs_that_agree_to_the_clip_are_no_proof():
    study, records = finished_study({"a": [0.7, 0.7], "b": [0.8, 0.8]}, (0, 1), (1,))
    few = {key: replace(record, num_test=10) for key, record in records.items()}
    arm = compare(study, few).compared[0]
    assert (arm.verdict, arm.p > 0.05) == ("no_evidence", True)


def test_equivalence_is_corrected_over_the_family():
    study, records = finished_study(paired_values(0.0, 0.0, spread=0.008))
    for arm in compare(study, records).compared:
        assert (arm.p_equivalence <= 0.05) == (arm.verdict == "equivalent")
    ps = [arm.p_equivalence for arm in compare(study, records).compared]
    alone = compare(*finished_study(paired_values(0.0, spread=0.008))).compared[0]
    assert max(ps) >= alone.p_equivalence


def test_one_seed_never_has_an_interval():
    study, records = finished_study({"a": [0.7], "b": [0.8]}, seeds=(0,), folds=(1,))
    for arm in compare(study, records).arms:
        assert arm.mean_ci_low is None
        assert arm.ci_low is None
        assert arm.p is None
    assert verdicts(study, records) == ["too_few_pairs"]
    assert compare(study, records).compared[0].reason == (
        "1 pair; two seeds or two folds needed at least, to see how much trainings vary"
    )


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
    assert improved.startswith("arm0 helps over all 5 folds: +")
    assert "points (95 % interval" in improved
    assert "no evidence of a difference for the other two arms (effects beyond" in improved
    worse = headline(compare(*finished_study(paired_values(-0.03))))
    assert worse.startswith("arm0 hurts over all 5 folds: −")
    nothing = headline(compare(*finished_study(paired_values(0.0, 0.0, spread=0.05))))
    assert nothing.startswith(
        "No evidence that either of the two arms differs from base over all 5"
    )
    few = {"a": [0.7], "b": [0.8]}
    one = headline(compare(*finished_study(few, seeds=(0,), folds=(1,))))
    assert one.startswith("Too few pairs to tell on these test clips")


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


def test_batches_that_did_not_fit_into_memory_are_told_of():
    study, records = finished_study(paired_values(0.03))
    assert "parts" not in " ".join(compare(study, records).notes)
    split = MicroBatches()
    split.count = 2
    for cell in (study.cells[0], study.cells[-1]):
        records[cell.id] = replace(records[cell.id], notes=split.notes())
    [said] = [note for note in compare(study, records).notes if "computed in parts" in note]
    assert said.endswith(f"{study.cells[0].arm} (1 trial), {study.cells[-1].arm} (1 trial).")


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
