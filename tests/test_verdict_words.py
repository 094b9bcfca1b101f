"""The words of an answer: what it applies to, what it excludes, and what it does not claim."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.designs import LEVELS, additive_response, designed_study, factorial_arms
from helpers.records import Records, finished_study, paired_values, recorded_study
from helpers.reports import latex_of, markdown_of, page_of, text_of_html

from audiocls.analysis import compare
from audiocls.analysis.influences import Influences
from audiocls.analysis.results import Comparison
from audiocls.render.build.headline import headline, scope_words
from audiocls.render.build.method import VERDICT_MEANINGS, method_text, scope_sentence
from audiocls.render.build.values import to_json
from audiocls.render.build.verdicts import secondary_table, verdict_table
from audiocls.render.table import Estimate
from audiocls.store.record import Objective, Study

KEYS = Path(__file__).parent.parent / "docs" / "report-json.md"


def on_one_fold(*effects: float, num: int = 8, spread: float = 0.004) -> tuple[Study, Records]:
    rng = np.random.default_rng(1)
    common = 0.8 + 0.02 * rng.normal(size=num)
    values = {f"arm{i}": common + e + spread * rng.normal(size=num) for i, e in enumerate(effects)}
    return finished_study({"base": common, **values}, seeds=range(num), folds=(1,))


def with_recordings(study: Study, records: Records) -> Comparison:
    """The comparison where 40 recordings a fold are known, each of which adds next to nothing."""
    names = np.array([f"r{index}" for index in range(40)])
    rng = np.random.default_rng(0)
    influences = {}
    for trial in records:
        values = rng.normal(scale=1e-4, size=40)
        influences[trial] = Influences(names, values - values.mean())
    return compare(study, records, influences={study.metric: influences})


def with_loss(study: Study, records: Records) -> tuple[Study, Records]:
    """A secondary metric by which the arms differ as well."""
    told = {
        key: replace(each, metrics={**each.metrics, "test/loss": 1 - each.metrics["test/accuracy"]})
        for key, each in records.items()
    }
    return replace(study, secondary=(Objective("test/loss", "minimize", 0.01),)), told


@pytest.mark.parametrize("folds", [(1, 2, 3, 4, 5), (1, 2)])
def test_a_claim_over_folds_says_over_how_many_of_them(folds: Sequence[int]) -> None:
    values = {arm: row[: 3 * len(folds)] for arm, row in paired_values(0.03).items()}
    result = compare(*finished_study(values, folds=folds))
    words = "over all 5 folds" if len(folds) == 5 else "over 2 of 5 folds"
    assert scope_words(result) == words
    assert words in headline(result)


def test_a_claim_on_one_fold_speaks_of_the_split_or_of_its_clips_alone() -> None:
    study, records = on_one_fold(0.03)
    split, clips = with_recordings(study, records), compare(study, records)
    assert headline(split).startswith("arm0 helps on this split: +")
    assert headline(clips).startswith("arm0 helps on these test clips: +")
    assert [to_json(each)["scope"] for each in (split, clips)] == ["split", "clips"]
    assert [to_json(each)["rule"] for each in (split, clips)] == ["two_units", "crossed"]


@pytest.mark.parametrize("effects", [(0.03, -0.03), (0.0,), (0.03, 0.0), (-0.03, 0.03, 0.0, 0.0)])
@pytest.mark.parametrize("spread", [0.004, 0.05])
def test_every_headline_says_once_what_it_speaks_of(
    effects: Sequence[float], spread: float
) -> None:
    for study, records in (
        on_one_fold(*effects, spread=spread),
        finished_study(paired_values(*effects, spread=spread)),
    ):
        result = compare(study, records)
        sentence = headline(result)
        assert sentence.count(scope_words(result)) == 1
        arms = tuple(arm.arm for arm in result.compared)
        assert sentence[0].isupper() or sentence.startswith(arms)
        assert sentence.endswith(".")


def test_no_evidence_says_which_effects_are_excluded_and_never_excludes_zero() -> None:
    for effects in ((0.0,), (0.0, 0.0, 0.0), (0.012, 0.0, 0.0)):
        result = compare(*finished_study(paired_values(*effects, spread=0.02)))
        assert {arm.verdict for arm in result.compared} == {"no_evidence"}
        low, high = _excluded(headline(result))
        assert low < 0 < high
        assert low == pytest.approx(
            100 * min(arm.simultaneous_low or 0 for arm in result.compared), abs=0.06
        )


def _excluded(sentence: str) -> tuple[float, float]:
    found = re.search(r"effects beyond (\S+) to (\S+) points are excluded", sentence)
    assert found
    low, high = (float(each.replace("−", "-")) for each in found.groups())
    return low, high


def test_an_effect_below_the_margin_is_said_to_be_one() -> None:
    small = compare(*finished_study(paired_values(0.004, spread=0.001)))
    assert headline(small).startswith("arm0 helps over all 5 folds, by less than the margin: +0.4")
    assert "by less than the margin" in markdown_of(small)
    assert to_json(small)["arms"][1]["is_within_margin"]
    large = compare(*finished_study(paired_values(0.03, spread=0.001)))
    assert "margin" not in headline(large)
    assert not to_json(large)["arms"][1]["is_within_margin"]


def test_equivalence_stands_beside_its_worst_pair_and_the_collapses_it_cannot_exclude() -> None:
    values = paired_values(0.0, 0.0, spread=0.0005)
    values["arm1"][7] -= 0.004
    result = compare(*finished_study(values))
    assert [arm.verdict for arm in result.compared] == ["equivalent", "equivalent"]
    worst = min(result.compared[1].differences, key=lambda each: each[2])
    assert worst[:2] == (1, 3)
    told = f"worst pair −{abs(100 * worst[2]):.2f} points, seed 1 fold 3"
    assert told in markdown_of(result)
    assert "15 trainings cannot exclude that up to 18 % of them collapse" in markdown_of(result)
    assert headline(result).startswith("Both arms are equivalent to base within ±1 points over all")
    assert "Holm-corrected, worst pair of all −" in headline(result)
    arm = to_json(result)["arms"][2]
    assert arm["worst_pair"] == {"seed": 1, "fold": 3, "difference": worst[2]}
    assert arm["rarest_excluded"] == pytest.approx(1 - 0.05 ** (1 / 15))


def test_the_worst_pair_is_the_highest_where_less_is_better() -> None:
    study, records = finished_study(paired_values(0.01), goal="minimize")
    result = compare(study, records)
    arm = result.compared[0]
    worst = result.worst_pair(arm)
    assert worst is not None
    assert worst[2] == max(value for *_, value in arm.differences)


def test_secondary_metrics_have_numbers_and_no_words() -> None:
    result = compare(*with_loss(*finished_study(paired_values(0.03, 0.0))))
    (other,) = result.secondary
    table = secondary_table(other)
    assert "verdict" not in table.titles
    assert "p (Holm)" in table.titles
    cells = [cell for row in table.rows for cell in row]
    assert not [cell for cell in cells if cell in VERDICT_MEANINGS]
    assert not [cell for cell in cells if isinstance(cell, Estimate) and cell.is_claim]
    mapping = to_json(result)["secondary"][0]
    assert mapping["headline"] is None
    assert {arm["verdict"] for arm in mapping["arms"]} == {None}
    assert mapping["arms"][1]["delta"] is not None
    assert latex_of(result).count("dagger") == latex_of(replace(result, secondary=())).count(
        "dagger"
    )


def test_one_arm_has_no_simultaneous_interval_and_several_have_one_that_is_wider() -> None:
    one = compare(*finished_study(paired_values(0.03)))
    three = compare(*finished_study(paired_values(0.03, 0.0, 0.01)))
    assert not [title for title in verdict_table(one).titles if "simultaneous" in title]
    assert "simultaneous points [95 %]" in verdict_table(three).titles
    for arm in three.compared:
        assert arm.simultaneous_low is not None
        assert arm.ci_low is not None
        assert arm.simultaneous_low < arm.ci_low


def test_p_is_the_larger_of_its_parts_which_the_page_alone_shows() -> None:
    result = with_recordings(*on_one_fold(0.004, 0.0))
    for arm in to_json(result)["arms"][1:]:
        assert arm["p"] == max(arm["p_units"], arm["p_replicates"])
    page = text_of_html(page_of(result))
    parts = ("p (trainings and recordings)", "p (seeds)")
    assert all(part in page for part in parts)
    assert not any(part in markdown_of(result) for part in parts)
    without = text_of_html(page_of(compare(*on_one_fold(0.004, 0.0))))
    assert not any(part in without for part in parts)


def test_the_scope_stands_on_the_page_and_below_the_papers_table() -> None:
    study, records = on_one_fold(0.03)
    result = compare(study, records)
    assert scope_sentence(result) in text_of_html(page_of(result, study))
    assert scope_sentence(result) in latex_of(result)


def test_comparisons_and_effects_are_said_to_be_two_families() -> None:
    study, records = designed_study(factorial_arms(LEVELS), additive_response, LEVELS, noise=0.004)
    result = compare(study, records)
    said = "Comparisons of arms are one family and the 9 effects of factors another"
    assert said in method_text(result)
    assert "is up to 10 %" in method_text(result)
    alone = compare(*finished_study(paired_values(0.03)))
    assert "family" not in method_text(alone)
    assert "Holm" not in method_text(alone)


def test_a_metric_that_is_not_finite_is_called_that() -> None:
    study, records = finished_study(paired_values(0.03))
    lost = records["arm0-1-3"]
    records["arm0-1-3"] = replace(lost, metrics={"test/accuracy": float("nan")})
    reason = compare(study, records).compared[0].reason
    assert "seed 1 fold 3 (test/accuracy is nan)" in reason


def test_every_key_of_the_json_is_explained() -> None:
    study, records = designed_study(factorial_arms(LEVELS), additive_response, LEVELS, noise=0.004)
    mapping = to_json(compare(*with_loss(study, records)))
    keys = {*mapping, *mapping["arms"][1], *mapping["effects"]["estimates"][0]}
    keys |= {*mapping["effects"]}
    told = set(re.findall(r"`(\w+)`", KEYS.read_text()))
    assert keys - told == set()
    assert "components" not in keys


def test_components_are_told_as_standard_errors_where_they_are_known() -> None:
    study, records = on_one_fold(0.004, 0.0)
    known, unknown = (to_json(each)["arms"][1] for each in _both(study, records))
    assert known["num_recordings"] == 40
    assert known["sd_recordings"] > 0
    assert known["sd_seeds"] == pytest.approx(unknown["sd_seeds"])
    assert known["sd_folds"] is None
    assert (unknown["sd_recordings"], unknown["sd_both"]) == (None, None)
    assert unknown["num_recordings"] is None


def _both(study: Study, records: Records) -> tuple[Comparison, Comparison]:
    return with_recordings(study, records), compare(study, records)


def test_every_verdict_has_one_line_that_says_what_to_do() -> None:
    assert "undecided" not in VERDICT_MEANINGS
    for line in VERDICT_MEANINGS.values():
        assert line[0].isupper()
        assert line.count(". ") == 1


def test_means_of_two_trainings_that_agree_to_the_clip_have_an_interval() -> None:
    study, records = finished_study({"base": [0.35, 0.35], "arm0": [0.4, 0.4]}, (0, 1), (1,))
    for arm in compare(study, records).arms:
        assert arm.mean is not None
        assert arm.mean_ci_low is not None
        assert arm.mean_ci_high is not None
        assert arm.mean_ci_low < arm.mean - 1 / 400
        assert arm.mean_ci_high > arm.mean + 1 / 400


def test_intervals_that_exclude_nothing_are_not_said_to() -> None:
    for arms in ({"arm0": [0.8, 0.4]}, {"arm0": [0.8, 0.4], "arm1": [0.3, 0.7]}):
        study, records = finished_study({"base": [0.5, 0.6], **arms}, (0, 1), (1,))
        said = headline(compare(study, records))
        assert said.endswith("; no effect is excluded yet.")


def test_the_scope_stands_below_the_table_in_every_text() -> None:
    result = with_recordings(*on_one_fold(0.03))
    assert markdown_of(result).count(scope_sentence(result)) == 1
    assert text_of_html(page_of(result)).count(scope_sentence(result)) == 1


def test_arms_without_recordings_are_told_apart_from_those_that_have_them() -> None:
    study, records, influences = recorded_study(0.02, 0.0)
    whole = compare(study, records, influences=influences).method
    assert "not taken into account" not in whole
    del influences["test/accuracy"]["arm1-0-1"]
    mixed = compare(study, records, influences=influences)
    assert mixed.method.startswith(whole)
    assert (
        "for arm1 recordings are not taken into account (no predictions are kept)" in mixed.method
    )
    assert "error over folds alone must be exceeded" in mixed.method
    assert [arm.rule for arm in mixed.compared] == ["two_units", "crossed"]


def test_a_secondary_metric_that_is_judged_otherwise_says_how() -> None:
    study, records, influences = recorded_study(0.02)
    study, records = with_loss(study, records)
    result = compare(study, records, influences=influences)
    assert "Recordings are not taken into account (no predictions are kept)" in markdown_of(result)
