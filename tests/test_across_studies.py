from dataclasses import replace

import numpy as np
import pytest
from helpers.records import finished_study, paired_values, recorded_study

from audiocls.analysis import compare
from audiocls.analysis.contrasts import cross_study as analysis
from audiocls.analysis.contrasts.cross_study import StudyRecords
from audiocls.errors import NotComparable
from audiocls.render.build import cross_study
from audiocls.render.build.cross_study import as_json, remarks, sentences, tables
from audiocls.render.formats.html import to_html
from audiocls.render.formats.markdown import to_markdown
from audiocls.stats import holm


def compare_studies(known):
    return analysis.compare_studies([StudyRecords(*each) for each in known])


def study(name, values, **options):
    """A study whose trials are its own, and its records."""
    made, records = finished_study(values, **options)
    cells = tuple(replace(cell, id=f"{name}-{cell.id}") for cell in made.cells)
    return (
        replace(made, name=name, cells=cells),
        {f"{name}-{key}": replace(record, id=f"{name}-{key}") for key, record in records.items()},
    )


def with_origin(known, **changes):
    made, records = known
    return made, {
        key: replace(record, provenance=replace(record.provenance, **changes))
        for key, record in records.items()
    }


def shifted(by, **effects):
    """Two arms on common blocks: the whole study moved by `by`, the arm's effect as given."""
    values = paired_values(effects.get("effect", 0.0))
    return {arm: list(np.asarray(metrics) + by) for arm, metrics in values.items()}


def test_a_study_is_no_better_than_itself_under_another_name():
    here, there = study("a", paired_values(0.03)), study("b", paired_values(0.03))
    (across,) = compare_studies([here, there]).across
    for result in across.results:
        assert result.delta == 0
        assert result.verdict == "equivalent"


def test_every_arm_reaches_more_where_the_whole_study_does_and_helps_no_more():
    here, there = study("a", shifted(0.0, effect=0.02)), study("b", shifted(0.03, effect=0.02))
    (across,) = compare_studies([here, there]).across
    assert [result.arm for result in across.levels] == ["base", "arm0"]
    assert [result.delta for result in across.levels] == pytest.approx([0.03, 0.03])
    assert [result.verdict for result in across.effects] == ["equivalent"]


def test_the_difference_of_effects_is_the_effect_there_minus_the_effect_here():
    here, there = study("a", paired_values(0.01, seed=1)), study("b", paired_values(0.06, seed=2))
    joint = compare_studies([here, there])
    mine, theirs = (compare(*known).compared[0].delta for known in (here, there))
    (effect,) = joint.across[0].effects
    assert effect.delta == pytest.approx(theirs - mine)
    assert effect.verdict == "better"
    assert "arm0 helps more there (+" in sentences(joint)[-1]


def test_recordings_are_units_across_studies_too():
    known = []
    for name, draw in (("a", 1), ("b", 2)):
        made, records, influences = recorded_study(0.02, draw=draw)
        cells = tuple(replace(cell, id=f"{name}-{cell.id}") for cell in made.cells)
        own = {f"{name}-{key}": replace(each, id=f"{name}-{key}") for key, each in records.items()}
        of_trials = {f"{name}-{key}": each for key, each in influences["test/accuracy"].items()}
        named = replace(made, name=name, cells=cells)
        known.append((named, own, {"test/accuracy": of_trials}))
    (across,) = compare_studies(known).across
    assert len(across.results) == 3
    assert {result.components.num_recordings for result in across.results} == {200}


def test_swapping_the_studies_mirrors_the_answer():
    here, there = study("a", paired_values(0.01, seed=1)), study("b", paired_values(0.06, seed=2))
    forth, back = (compare_studies(pair).across[0] for pair in ([here, there], [there, here]))
    for one, other in zip(forth.results, back.results, strict=True):
        assert one.delta == pytest.approx(-other.delta)
        assert one.p == pytest.approx(other.p)


def test_other_code_forbids_comparing_levels_but_not_effects():
    here, there = (
        study("a", paired_values(0.02)),
        with_origin(study("b", paired_values(0.02)), code="new"),
    )
    (across,) = compare_studies([here, there]).across
    assert {result.verdict for result in across.levels} == {"not_comparable"}
    assert "different code" in across.levels[0].reason
    assert [result.verdict for result in across.effects] == ["equivalent"]


def test_other_data_pairs_nothing_and_the_effects_stand_side_by_side():
    here, there = (
        study("a", paired_values(0.02)),
        with_origin(study("b", paired_values(0.02)), data="esc50"),
    )
    joint = compare_studies([here, there])
    assert {result.verdict for result in joint.across[0].results} == {"not_comparable"}
    assert any("different data" in remark for remark in remarks(joint))
    effects = tables(joint)[0]
    assert effects.rows[0][:3:2] == ("arm0", "better")


def test_trials_that_both_studies_hold_are_named_and_not_compared():
    made, records = finished_study(paired_values(0.02))
    again = replace(made, name="again")
    (across,) = compare_studies([(made, records), (again, records)]).across
    assert across.levels == ()
    assert across.notes == ("The same trials in both: base, arm0.",)
    assert across.effects == ()


def test_a_trial_is_not_compared_with_itself_where_one_study_has_more_seeds():
    made, records = finished_study(paired_values(0.02))
    few = replace(made, name="few", cells=tuple(c for c in made.cells if c.seed < 2))
    (across,) = compare_studies([(few, records), (made, records)]).across
    assert across.results == ()
    assert across.notes == ("The same trials in both: base, arm0.",)


def test_an_arm_of_both_helps_more_or_less_where_its_baseline_is_another():
    values = paired_values(0.02)
    made, records = finished_study(values)
    other, more = study("b", {**values, "base": np.asarray(values["base"]) - 0.03})
    own = [replace(c, id=c.id.removeprefix("b-")) if c.arm == "arm0" else c for c in other.cells]
    (across,) = compare_studies(
        [(made, records), (replace(other, cells=tuple(own)), {**more, **records})]
    ).across
    assert [(r.arm, r.verdict) for r in across.levels] == [("base", "worse")]
    assert [(r.arm, r.verdict) for r in across.effects] == [("arm0", "better")]


def test_all_that_is_asked_of_two_studies_is_one_family():
    here, there = (
        study("a", paired_values(0.01, 0.0, seed=1)),
        study("b", paired_values(0.06, 0.0, seed=2)),
    )
    (across,) = compare_studies([here, there]).across
    assert len(across.results) == 5
    assert [r.p_holm for r in across.results] == holm([r.p for r in across.results])
    assert "p (Holm) is over all 5 comparisons of b with a." in across.notes


def test_the_first_study_sets_level_and_margin_of_what_is_compared_across():
    here, there = (
        study(n, paired_values(0.02, seed=s), alpha=a)
        for n, s, a in (("a", 0, 0.01), ("b", 1, 0.2))
    )
    joint = compare_studies([here, there])
    again = compare_studies(
        [(replace(made, alpha=0.01, margin=0.01), records) for made, records in (here, there)]
    )
    for result, same in zip(joint.across[0].results, again.across[0].results, strict=True):
        assert (result.ci_low, result.ci_high) == (same.ci_low, same.ci_high)
    columns = tables(joint)[0].titles
    assert "Δ points, a [99 %]" in columns
    assert "Δ points, b [80 %]" in columns


def test_of_a_study_that_grew_the_first_look_alone_is_compared():
    here, there = (
        study(n, paired_values(0.0, spread=0.05, seed=s), looks=(10, 15), max_pairs=15)
        for s, n in enumerate("ab")
    )
    fixed = [
        (replace(made, looks=(), cells=tuple(c for c in made.cells if c.seed < 2)), records)
        for made, records in (here, there)
    ]
    grown, plain = (compare_studies(pair).across[0] for pair in ([here, there], fixed))
    assert grown.results == plain.results
    assert {result.num_pairs for result in grown.results} == {10}
    assert any("a grew until it was decided: its first look alone" in n for n in grown.notes)


def test_only_blocks_of_both_count():
    few = {arm: values[:10] for arm, values in paired_values(0.02).items()}
    here, there = study("a", paired_values(0.02)), study("b", few, seeds=(0, 1))
    (across,) = compare_studies([here, there]).across
    assert {result.num_pairs for result in across.results} == {10}
    assert {result.delta for result in across.results} == {0}


def test_arms_without_a_common_block_are_named():
    here, there = study("a", paired_values(0.02)), study("b", paired_values(0.02), seeds=(3, 4, 5))
    (across,) = compare_studies([here, there]).across
    assert "No seed and fold in common: base, arm0." in across.notes
    assert [result.verdict for result in across.results] == ["not_comparable"]


def test_studies_decided_by_different_metrics_are_refused():
    here, there = study("a", paired_values(0.02)), study("b", paired_values(0.02))
    other = (replace(there[0], metric="test/loss"), there[1])
    with pytest.raises(
        NotComparable, match=r"one metric; got: a by test/accuracy .* b by test/los"
    ):
        compare_studies([here, other])


def test_studies_without_a_common_arm_are_refused():
    here, there = study("a", paired_values(0.02)), study("b", {"x": [0.5] * 15, "y": [0.6] * 15})
    with pytest.raises(
        NotComparable, match="a and b have no arm in common; a: base, arm0; b: x, y"
    ):
        compare_studies([here, there])


def test_under_no_difference_few_pairs_of_studies_claim_one():
    rng, claimed = np.random.default_rng(0), 0
    for _ in range(200):
        values = [
            {"base": rng.normal(0.8, 0.01, 15), "arm": rng.normal(0.8, 0.01, 15)} for _ in "ab"
        ]
        joint = compare_studies(
            [study(n, v, folds=(1,), seeds=range(15)) for n, v in zip("ab", values, strict=True)]
        )
        claimed += any(r.verdict in ("better", "worse") for r in joint.across[0].effects)
    assert claimed <= 0.05 * 200 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_every_format_tells_of_every_study():
    joint = compare_studies(
        [study("a", paired_values(0.01, seed=1)), study("b", paired_values(0.06, seed=2))]
    )
    page, text, values = (
        to_html(cross_study(joint)),
        to_markdown(cross_study(joint)),
        as_json(joint),
    )
    for name in ("a", "b"):
        assert f"<h2>{name}</h2>" in page
        assert f"verdict, {name}" in text
    assert "src=" not in page
    assert "http" not in page
    assert [answer["study"] for answer in values["studies"]] == ["a", "b"]
    assert values["across"][0]["effects"][0]["verdict"] == "better"


def test_designs_of_changes_alone_and_together_are_compared_across_studies():
    """A pair of arms taken out of such a design has no factors to estimate."""
    arms = {"base": {}, "arm0": {"m.a": 1}, "arm1": {"m.b": 1}, "arm2": {"m.a": 1, "m.b": 1}}
    factors = {"m.a": [1], "m.b": [1]}
    both = [
        (replace(made, arms=arms, factors=factors, design="both"), records)
        for made, records in (study(name, paired_values(0.01, 0.0, 0.02)) for name in "ab")
    ]
    (across,) = compare_studies(both).across
    assert [result.arm for result in across.levels] == list(arms)


@pytest.mark.parametrize(
    ("folds", "scope", "words"),
    [
        ((1, 2, 3, 4, 5), "data", "b against a over all 5 folds:"),
        ((2, 3), "folds", "b against a over the 2 of 5 folds that both have:"),
        ((2,), "clips", "b against a on the test clips that both have:"),
    ],
)
def test_what_is_compared_speaks_of_the_folds_in_both(folds, scope, words):
    rows = {arm: row[: 3 * len(folds)] for arm, row in paired_values(0.03).items()}
    here = study("a", paired_values(0.01))
    there = study("b", rows, folds=folds)
    known = [(replace(made, num_folds=5), records) for made, records in (here, there)]
    joint = compare_studies(known)
    assert sentences(joint)[-1].startswith(words)
    assert as_json(joint)["across"][0]["scope"] == scope


def test_studies_without_a_common_block_speak_of_nothing():
    here, there = study("a", paired_values(0.01)), study("b", paired_values(0.01), seeds=(7, 8, 9))
    joint = compare_studies([here, there])
    assert as_json(joint)["across"][0]["scope"] is None
