"""Effect against cost, and the pictures of effects and fronts."""

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
from helpers.records import finished_study, paired_values
from helpers.reports import markdown_of, page_of, text_of_html

from audiocls.analysis import compare
from audiocls.analysis.pareto import fronts, is_on_front, sentences
from audiocls.render.build.effects import effect_remarks, effect_table
from audiocls.render.build.values import to_json
from audiocls.render.figures import (
    effect_intervals,
    interactions,
    learning_curves,
    metric_against_cost,
    paired_differences,
)
from audiocls.render.figures.svg import to_svg
from audiocls.stats import FoldDifferences, components_of, half_width, stacked, uncertainties


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_what_no_other_point_beats(seed):
    rng = np.random.default_rng(seed)
    points = [tuple(point) for point in rng.integers(0, 6, (12, 2)).tolist()]

    def is_beaten(point):
        cost, gain = point
        return any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points)

    assert is_on_front(points) == [not is_beaten(point) for point in points]


def priced(costs, goal="maximize", **options):
    """Arms by (mean, parameters); equal times, and MACs that nobody recorded."""
    study, records = finished_study(
        {arm: [mean] * 15 for arm, (mean, _) in costs.items()}, goal=goal
    )
    known = {
        cell.id: replace(
            records[cell.id],
            cost=replace(records[cell.id].cost, num_params=costs[cell.arm][1], macs=None),
        )
        for cell in study.cells
    }
    return replace(study, **options), known


COSTS = {"base": (0.7, 100), "twin": (0.7, 100), "dear": (0.7, 300), "good": (0.8, 200)}


def test_equals_are_on_the_front_together_and_the_cheapest_come_first():
    params, macs, time = fronts(compare(*priced(COSTS)))
    assert params.arms == ("base", "twin", "good")
    assert (macs.arms, macs.values) == ((), {})
    assert not time.costs_differ


def test_every_point_of_the_figure_can_be_named_those_on_the_front_first():
    figure = metric_against_cost(compare(*priced(COSTS)))
    (key,) = figure.legends
    names = [text.get_text() for text in key.get_texts()]
    assert sorted(names) == sorted(COSTS)
    assert names[-1] == "dear"
    assert {text.get_text() for text in figure.axes[0].texts} == {"1", "2", "3", "4"}


def test_a_trial_that_took_a_little_less_time_is_not_cheaper():
    study, records = priced(COSTS)

    def timed(factor):
        return {
            cell.id: replace(
                records[cell.id],
                cost=replace(records[cell.id].cost, wall_s=factor if cell.arm == "dear" else 1.0),
            )
            for cell in study.cells
        }

    for factor, front in ((0.97, ()), (0.9, ("dear", "good"))):
        *_, time = fronts(compare(study, timed(factor)))
        assert time.costs_differ == bool(front)
        assert not front or time.arms == front


def test_what_is_to_be_minimised_is_best_where_it_is_least():
    params, *_ = fronts(compare(*priced(COSTS, goal="minimize")))
    assert params.arms == ("base", "twin")


def test_arms_that_may_not_be_compared_are_named_and_not_placed():
    study, records = priced(COSTS)
    gone = {key: record for key, record in records.items() if key != "good-0-1"}
    comparison = compare(study, gone)
    assert fronts(comparison)[0].left_out == ("good",)
    assert sentences(comparison) == [
        "On the Pareto front of test/accuracy against parameters: base; twin. Not placed: good.",
        "No front of test/accuracy against MACs per clip: "
        "not recorded for any arm that may be compared.",
        "No front of test/accuracy against time of a trial: the same in all arms.",
    ]


def test_one_arm_alone_makes_no_front_and_is_not_said_to_equal_the_others():
    study, records = finished_study(paired_values(0.01))
    dear = {
        key: replace(record, cost=replace(record.cost, epochs=1 + key.startswith("arm0")))
        for key, record in records.items()
    }
    assert sentences(compare(study, dear)) == [
        "No front of test/accuracy against parameters, MACs per clip, time of a trial: "
        "only base can be placed."
    ]


def test_the_front_is_in_every_format():
    study, records = priced(COSTS)
    comparison = compare(study, records)
    said = "On the Pareto front of test/accuracy against parameters: base; twin; good."
    assert said in markdown_of(comparison)
    assert said in text_of_html(page_of(comparison, study))
    assert to_json(comparison)["fronts"][0]["arms"] == ("base", "twin", "good")
    labels = [text.get_text() for text in metric_against_cost(comparison).axes[0].texts]
    assert sorted(labels) == ["1", "2", "3", "4"]  # the one that is not on the front as well


def test_effects_are_in_every_format():
    study, records = designed_study(factorial_arms(LEVELS), additive_response, LEVELS, noise=0.004)
    comparison = compare(study, records)
    page, text = text_of_html(page_of(comparison, study)), markdown_of(comparison)
    table = effect_table(comparison)
    assert len(table.rows) == len(comparison.effects.estimates) == 9
    for effect, shown in zip(
        comparison.effects.estimates, to_json(comparison)["effects"]["estimates"], strict=True
    ):
        assert effect.name in page
        assert effect.name in text
        assert (shown["name"], shown["delta"]) == (effect.name, effect.delta)
    assert "p (Holm) is over 9 effects" in page
    assert "aliased with" not in table.titles
    assert table.rows[0][table.titles.index("verdict")] == "better"


def test_a_study_without_effects_says_nothing_of_them():
    study, records = finished_study(paired_values(0.01, 0.0))
    comparison = compare(study, records)
    assert effect_remarks(comparison) == []
    assert "Effects of the factors" not in page_of(comparison, study)
    assert "Effects of the factors" not in markdown_of(comparison)


def test_pictures_have_a_row_an_effect_and_a_line_a_level():
    comparison = compare(
        *designed_study(factorial_arms(LEVELS), additive_response, LEVELS, noise=0.004)
    )
    labels = [label.get_text() for label in effect_intervals(comparison).axes[0].get_yticklabels()]
    assert labels[:4] == ["x=1", "x=2", "y=q", "z=on"]
    assert labels[4:7] == ["x=1 with y=p", "x=1 with y=q", "x=1 × y=q"]
    panels = interactions(comparison).axes
    assert [len(panel.lines) for panel in panels if panel.get_visible()] == [2, 2, 2]
    lines = [np.array(line.get_ydata()) for line in panels[0].lines]
    gap = lines[1] - lines[0]
    assert gap == pytest.approx([5, 5, 5], abs=0.5)  # points: additive effects are parallel


def test_alone_and_with_the_rest_have_rows_of_their_own():
    comparison = compare(
        *designed_study(
            add_and_leave_one_out(), lambda v: 0.01 * len(v), CHANGES, 0.01, design="both"
        )
    )
    labels = [label.get_text() for label in effect_intervals(comparison).axes[0].get_yticklabels()]
    assert labels[:3] == [
        "dropout=0.1 alone",
        "dropout=0.1 with the rest",
        "dropout=0.1 × the rest",
    ]
    assert comparison.effects.tables == ()


def test_names_of_any_length_leave_room_for_the_pictures():
    """A layout that collapses warns, and a warning is an error here."""
    costs = {
        f"model.width={i * 'very-'}wide,augment=strong": (0.7 + i / 50, i) for i in range(1, 9)
    }
    comparison = compare(*priced(costs))
    assert to_svg(metric_against_cost(comparison), "fronts").startswith("<svg")


@pytest.mark.parametrize("name", ["a", "lr=0.003,label_smoothing=0.0,batch_size=8,n_mels=16"])
def test_what_an_axis_is_of_lies_within_the_picture_however_long_the_baseline(name):
    values = paired_values(0.01)
    figure = paired_differences(
        compare(*finished_study({name: values["base"], "b": values["arm0"]}))
    )
    figure.draw_without_rendering()
    words = figure.axes[0].xaxis.label.get_window_extent()
    assert figure.bbox.x0 <= words.x0
    assert words.x1 <= figure.bbox.x1


def test_epochs_are_whole():
    study, _ = finished_study({"a": [0.5], "b": [0.6]}, seeds=(0,), folds=(1,))
    rows = {c.id: [{"epoch": e, "val/accuracy": e / 4} for e in (1, 2)] for c in study.cells}
    (panel,) = learning_curves(study, rows).axes
    assert all(tick == int(tick) for tick in panel.get_xticks())


def test_the_band_of_a_curve_is_the_interval_of_its_mean():
    study, _ = finished_study({"a": [0.5] * 4, "b": [0.6] * 4}, seeds=(0, 1), folds=(1, 2))
    values = [0.2, 0.4, 0.5, 0.3]
    cells = [cell for cell in study.cells if cell.arm == "b"]
    rows = {c.id: [{"epoch": 1, "val/accuracy": v}] for c, v in zip(cells, values, strict=True)}
    panel = learning_curves(study, rows, ratio=0.5).axes[0]
    outer, inner = (band.get_paths()[0].get_extents() for band in panel.collections[:2])
    by_fold = [FoldDifferences(np.array(each)) for each in ([0.2, 0.5], [0.4, 0.3])]
    errors = uncertainties(stacked([components_of(by_fold)]), 0.5)
    half = float(half_width(errors, 0.05)[0])
    assert (outer.y0, outer.y1) == pytest.approx((0.2, 0.5))
    assert (inner.y0, inner.y1) == pytest.approx((0.35 - half, 0.35 + half))


def test_the_band_on_one_fold_is_that_of_students_t_over_seeds():
    study, _ = finished_study({"a": [0.5] * 4, "b": [0.6] * 4}, seeds=(0, 1, 2, 3), folds=(1,))
    values = [0.2, 0.4, 0.5, 0.3]
    cells = [cell for cell in study.cells if cell.arm == "b"]
    rows = {c.id: [{"epoch": 1, "val/accuracy": v}] for c, v in zip(cells, values, strict=True)}
    _, inner = (
        band.get_paths()[0].get_extents()
        for band in learning_curves(study, rows).axes[0].collections[:2]
    )
    # scipy.stats.ttest_1samp(values, 0).confidence_interval()
    assert (inner.y0, inner.y1) == pytest.approx((0.14457, 0.55543), abs=1e-5)
