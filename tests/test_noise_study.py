"""Noise of a baseline: measured on whole grids, kept, found again, and refused when stale."""

import json
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from helpers.display import Notes
from helpers.records import drop_records, finished_study, paired_values, recorded_study
from typer.testing import CliRunner

from audiocls.analysis.evidence import assumed
from audiocls.analysis.noise import Noise, measure
from audiocls.analysis.power import Family, power_of_plan
from audiocls.cli import app
from audiocls.config import digest
from audiocls.errors import NotComparable, UsageError
from audiocls.execution.provenance import code_digest, is_as_now
from audiocls.stats import (
    EvaluationProtocol,
    Spread,
    components,
    detectable_effect,
    spread_of,
    stacked,
)
from audiocls.store import Cell, Provenance, StudyFolder
from audiocls.store.reuse import copy_finished, paired_study
from audiocls.studies.ablation import lender_for, resolved
from audiocls.studies.noise import baseline_alone
from audiocls.studies.noise_estimate import write_noise
from audiocls.studies.options import cache_folder
from audiocls.studies.planning import power_of
from audiocls.studies.reports import load_report
from audiocls.studies.request import ablation_request

VALUES = list(0.8 + 0.03 * np.random.default_rng(0).normal(size=15))


def baseline():
    study, records = finished_study({"base": VALUES})
    return replace(study, name="dropout-noise"), records


def measured(digest="d"):
    return measure(*baseline(), digest)


def test_noise_is_that_of_the_table_of_seeds_and_folds():
    found = measured()
    assert found.sources == components(np.array(VALUES).reshape(3, 5))
    assert (found.seeds, found.folds, found.grid) == (
        (0, 1, 2),
        (1, 2, 3, 4, 5),
        "3 seeds × 5 folds",
    )
    assert found.mean == pytest.approx(np.mean(VALUES))


def test_arms_beside_the_baseline_do_not_count():
    study, records = finished_study(paired_values(0.1, 0.2))
    alone = replace(study, cells=tuple(c for c in study.cells if c.arm == "base"))
    assert measure(study, records, "d") == measure(alone, records, "d")


def test_a_difference_has_twice_the_variance_of_its_trainings():
    study, records, influences = recorded_study(seeds=range(40), noise=0.2)
    found = measure(study, records, "d", influences["test/accuracy"])
    assert (found.num_recordings, found.ratio) == pytest.approx((40, 1 / 3))
    assert found.spread.by_clip == pytest.approx(0.2**2 / 40, rel=0.1)
    assert found.spread.lasting == pytest.approx(found.spread.by_clip / 4)
    assert found.spread.whole < 0.2 * found.spread.by_clip


def test_without_predictions_it_is_all_of_whole_trainings():
    found = measured()
    within = np.array(VALUES).reshape(3, 5).var(axis=0, ddof=1).mean()
    assert (found.spread.by_clip, found.num_recordings) == (0, 0)
    assert found.spread.whole == pytest.approx(2 * within)


def test_one_seed_tells_nothing_of_trainings(tmp_path):
    study, records = finished_study({"base": VALUES[:5]}, seeds=[0])
    found = replace(measure(study, records, digest(dropout()[1])), study="dropout-noise")
    assert found.spread is None
    write_noise(StudyFolder(tmp_path / found.study), found)
    power = power_for(*dropout(), tmp_path, None)
    assert power.evidence.is_assumed
    assert power.note == "dropout-noise has one seed, which cannot tell how much trainings vary"


def test_noise_outlives_its_file():
    found = measured()
    assert Noise.from_mapping(json.loads(json.dumps(found.to_mapping()))) == found


@pytest.mark.parametrize(
    ("missing", "seeds", "folds"),
    [
        (["base-1-3"], (0, 1, 2), (1, 2, 4, 5)),
        ([f"base-2-{fold}" for fold in (2, 3, 4, 5)], (0, 1), (1, 2, 3, 4, 5)),
    ],
)
def test_missing_trials_leave_the_largest_whole_grid_and_what_is_left_out_is_named(
    missing, seeds, folds
):
    study, records = baseline()
    found = measure(study, drop_records(records, *missing), "d")
    assert (found.seeds, found.folds) == (seeds, folds)
    done = {cell.block for cell in study.cells if cell.id not in missing}
    assert set(found.left_out) == done - {(s, f) for s in seeds for f in folds}


def test_a_single_trial_has_no_noise():
    study, records = baseline()
    with pytest.raises(NotComparable, match="two seeds or two folds"):
        measure(study, {"base-0-1": records["base-0-1"]}, "d")


def test_trials_of_different_origin_are_told_of():
    study, records = baseline()
    assert measure(study, records, "d").mixed == ()
    odd = records["base-1-2"]
    other = replace(odd, provenance=replace(odd.provenance, code="new", device="H200"))
    assert measure(study, {**records, odd.id: other}, "d").mixed == ("code", "device")


def test_golden_5_is_said_of_accuracies_alone():
    study, records = finished_study({"base": [0.95] * 15})
    assert 100 * measure(study, records, "d").sampling == pytest.approx(1.09, abs=0.005)
    as_loss = {key: replace(record, metrics={"test/loss": 0.95}) for key, record in records.items()}
    assert measure(replace(study, metric="test/loss"), as_loss, "d").sampling is None


def power_for(chosen, baseline, runs, wanted):
    return power_of(chosen, baseline, runs, wanted, cache_folder())


def dropout(*changes):
    """Plan and baseline of a question on the shelf: 2 seeds × 5 folds, 3 comparisons."""
    chosen, configs = ablation_request("dropout", assignments=list(changes)).plan()
    return chosen, configs[chosen.baseline]


def kept(runs, **changes):
    found = replace(measured(digest(dropout()[1])), **changes)
    write_noise(StudyFolder(runs / found.study), found)
    return found


def test_a_plan_speaks_in_points_by_the_noise_that_is_known(tmp_path):
    found = kept(tmp_path)
    power = power_for(*dropout(), tmp_path, None)
    expected = detectable_effect(found.spread, 2, EvaluationProtocol(5, 0, found.ratio), num_arms=3)
    assert power.planned.effect == expected
    assert not power.evidence.is_assumed
    assert power.wanted == 2 * dropout()[0].ablation.stats.margin


def test_with_nothing_measured_a_share_is_planned_by_an_assumption_that_is_called_one(tmp_path):
    power = power_for(*dropout(), tmp_path, None)
    assert power.evidence.is_assumed
    assert power.evidence.num_recordings == 80
    assert power.evidence.ratio == pytest.approx(1 / 3)
    spread = power.evidence.spread
    assert spread.lasting + spread.by_clip == pytest.approx(0.1 / 80)
    words = ["sweep", "plan", "dropout", "--runs", str(tmp_path)]
    output = " ".join(CliRunner().invoke(app, words).output.split())
    assert "an assumption: nothing is measured yet" in output
    assert f"you can see {100 * power.planned.effect:.1f} points or more" in output
    assert "after correction for 3 comparisons" in output


def test_of_other_metrics_nothing_is_assumed(tmp_path):
    chosen, baseline = dropout()
    metric = chosen.ablation.metric.model_copy(update={"name": "test/loss", "goal": "minimize"})
    asked = replace(chosen, ablation=chosen.ablation.model_copy(update={"metric": metric}))
    power = power_for(asked, baseline, tmp_path, None)
    assert (power.evidence, power.planned, power.sizes) == (None, None, ())


def test_a_plan_names_the_command_that_measures_its_own_baseline(tmp_path):
    words = ["sweep", "plan", "ablations/dropout.yaml", "--set", "train.epochs=3"]
    result = CliRunner().invoke(app, [*words, "--runs", str(tmp_path)])
    said = "audiocls noise ablations/dropout.yaml --set train.epochs=3"
    assert said in " ".join(result.output.split())


def test_the_seeds_suggested_are_the_fewest_over_all_folds_that_see_the_effect(tmp_path):
    sd = kept(tmp_path).spread.whole ** 0.5
    power = power_for(*dropout(), tmp_path, 1.5 * sd)
    fewest, estimate = power.fewest, power.evidence

    def effect_of(num_seeds):
        return detectable_effect(
            estimate.spread, num_seeds, EvaluationProtocol(5, 0, estimate.ratio), num_arms=3
        )

    assert fewest.num_folds == 5
    assert fewest.num_trials == 4 * 5 * fewest.num_seeds
    assert effect_of(fewest.num_seeds) <= 1.5 * sd < effect_of(fewest.num_seeds - 1)


@pytest.mark.parametrize(("folds", "scope"), [((1, 2), "folds"), ((3,), "split")])
def test_a_part_of_the_folds_is_never_suggested_and_what_it_speaks_of_is_said(
    folds, scope, tmp_path
):
    chosen, baseline = dropout()
    power = power_for(replace(chosen, folds=folds), baseline, tmp_path, 0.05)
    assert power.scope == scope
    assert {size.num_folds for size in (power.whole, power.fewest, *power.sizes)} == {5}
    assert power.whole.effect < power.planned.effect / 2
    words = ["sweep", "plan", "dropout", "--folds", ",".join(map(str, folds))]
    output = " ".join(CliRunner().invoke(app, [*words, "--runs", str(tmp_path)]).output.split())
    assert "all 5 folds would apply to the data: 40 trials" in output


def test_a_plan_of_one_fold_with_one_recording_speaks_of_its_clips():
    chosen = dropout()[0]
    one = replace(chosen, folds=(1,))
    assert power_of_plan(one, 5, None, None).scope == "split"
    assert power_of_plan(one, 5, None, None, has_recordings=False).scope == "clips"
    assert power_of_plan(chosen, 5, None, None, has_recordings=False).scope == "data"


def test_no_effect_of_a_share_is_promised_above_100_points():
    noisy = replace(assumed("test/accuracy", 80, 1 / 3), spread=Spread(0.5, 1.0, 1.0))
    family = Family(3, 4, 0.05)
    assert family.size_of(noisy, 2, 1).effect is None
    assert family.limit(noisy, 1) is None
    assert family.size_of(replace(noisy, score_range=0.0), 2, 1).effect > 1


def test_what_recordings_limit_is_said(tmp_path):
    power = power_for(*dropout(), tmp_path, 0.001)
    assert power.fewest is None
    assert power.limit > 0.001
    words = ["sweep", "plan", "dropout", "--effect", "0.001", "--runs", str(tmp_path)]
    output = " ".join(CliRunner().invoke(app, words).output.split())
    assert "no number of seeds by this assumption" in output
    assert f"{100 * power.limit:.1f} points is the limit of so few test recordings" in output


def test_a_baseline_without_any_spread_does_not_promise_to_show_every_effect(tmp_path):
    kept(tmp_path, spread=Spread(0.0, 0.0, 0.0), num_recordings=40.0)
    assert power_for(*dropout(), tmp_path, None).planned.effect > 0.005


@pytest.mark.parametrize("change", ["optim.lr=0.02", "train.epochs=3", "features.n_mels=20"])
def test_noise_of_another_baseline_is_stale_and_not_used(tmp_path, change):
    kept(tmp_path)
    power = power_for(*dropout(change), tmp_path, None)
    assert power.evidence.is_assumed
    assert power.note == "dropout-noise is stale: measured of another baseline, so not used"


@pytest.mark.parametrize("change", ["device=cpu", "seed=4", "fold=2"])
def test_what_cannot_change_the_noise_does_not_make_it_stale(change):
    assert digest(dropout(change)[1]) == digest(dropout()[1])


def test_noise_of_another_version_is_measured_again(tmp_path):
    found = kept(tmp_path)
    file = tmp_path / found.study / "noise.json"
    file.write_text(json.dumps({**found.to_mapping(), "pair": {}}))
    power = power_for(*dropout(), tmp_path, None)
    assert power.evidence.is_assumed
    assert "damaged" in power.note


def test_noise_of_another_metric_is_stale(tmp_path):
    kept(tmp_path, metric="test/loss")
    assert "another metric" in power_for(*dropout(), tmp_path, None).note


def launched(runs, config, num_missing=0):
    study, records = finished_study(paired_values(0.01, 0.02, 0.0))
    folder = StudyFolder(runs / "dropout")
    folder.write_study(study)
    for cell in study.cells[: len(study.cells) - num_missing]:
        place = {"seed": cell.seed, "fold": cell.fold}
        folder.trial(cell.id).write_config(config.model_dump(mode="json") | place)
        folder.trial(cell.id).finish(records[cell.id])
    return study, records


def test_finished_pairs_of_the_same_ablation_are_better_evidence_than_its_baseline(tmp_path):
    kept(tmp_path)
    launched(tmp_path, dropout()[1])
    power = power_for(*dropout(), tmp_path, None)
    comparison = load_report(StudyFolder(tmp_path / "dropout")).comparison
    together = stacked([arm.components for arm in comparison.compared])
    assert power.evidence.spread == spread_of(together)
    assert power.evidence.source.startswith("3 comparisons of dropout, 3 seeds × 5 folds")


def test_unfinished_or_other_pairs_are_no_evidence(tmp_path):
    launched(tmp_path / "unfinished", dropout()[1], num_missing=1)
    launched(tmp_path / "other", dropout("optim.lr=0.02")[1])
    for name in ("unfinished", "other"):
        assert power_for(*dropout(), tmp_path / name, None).evidence.is_assumed


def test_one_seed_on_one_fold_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="two seeds or two folds"):
        baseline_alone(ablation_request("dropout", seeds="0", folds="1"))


def test_noise_of_a_tuned_ablation_says_that_it_is_of_the_untuned_baseline(tmp_path):
    chosen, baseline = dropout()
    tune = {"tune": {"optim.lr": [0.001, 0.01]}, "tune_trials": 2}
    tuned = replace(chosen, ablation=chosen.ablation.model_copy(update=tune))
    kept(tmp_path)
    assert "the baseline, untuned;" in power_for(tuned, baseline, tmp_path, None).evidence.source
    assert "the baseline;" in power_for(chosen, baseline, tmp_path, None).evidence.source
    few_clips = ["data.num_sources=5", "data.clips_per_source=1"]
    asked = ablation_request("dropout", assignments=few_clips)
    notes = baseline_alone(replace(asked, ablation=tuned.ablation)).notes
    assert "untuned, with the recipe's optim.lr" in " ".join(notes)


def test_the_noise_study_has_the_trials_of_the_ablations_baseline_and_no_others():
    few_clips = ["data.num_sources=5", "data.clips_per_source=1"]
    asked = ablation_request("dropout", assignments=few_clips, seeds="0..2")
    found, whole = baseline_alone(asked).study, resolved(asked).study
    assert found.cells == tuple(cell for cell in whole.cells if cell.arm == whole.baseline)
    assert (found.name, list(found.arms)) == ("dropout-noise", [whole.baseline])
    words = "--set data.num_sources=5 --set data.clips_per_source=1 --seeds 0..2"
    assert found.command == f"audiocls noise dropout {words}"
    assert (found.kind, found.of) == ("noise", whole.name)


def test_an_ablation_is_paired_with_the_noise_study_of_its_baseline_by_kind_not_by_name(tmp_path):
    study, _ = launched(tmp_path, dropout()[1])
    ablation, noise = StudyFolder(tmp_path / "dropout"), StudyFolder(tmp_path / "dropout-noise")
    of_noise = replace(study, name="dropout-noise", kind="noise", of="dropout")
    assert paired_study(study, ablation) is None
    noise.write_study(of_noise)
    assert paired_study(study, ablation) == noise
    assert paired_study(of_noise, noise) == ablation
    noise.write_study(replace(study, name="dropout-noise"))  # a user's own, of that name
    assert paired_study(study, ablation) is None


HERE = Provenance(code=code_digest(), torch=f"{version('torch')}+cpu", device="cpu")


def test_only_trials_that_could_pair_with_new_ones_are_as_now():
    assert is_as_now(HERE, is_on_cpu=True)
    assert not is_as_now(HERE, is_on_cpu=False)
    assert not is_as_now(replace(HERE, code="c0de"), is_on_cpu=True)
    assert not is_as_now(replace(HERE, torch="1.0"), is_on_cpu=True)


def test_a_twin_lends_nothing_that_could_not_be_compared(tmp_path):
    study, records = launched(tmp_path, dropout()[1])
    lender, folder = StudyFolder(tmp_path / "dropout"), StudyFolder(tmp_path / "dropout-noise")
    noise, notes = replace(study, kind="noise", of="dropout"), Notes()
    assert lender_for(noise, folder, True, notes) is None
    assert "dropout was trained by other code" in notes.texts[0]
    for record in records.values():
        lender.trial(record.id).replace_record(replace(record, provenance=HERE))
    assert lender_for(noise, folder, True, notes) == lender
    assert lender_for(study, StudyFolder(tmp_path / "alone"), True, notes) is None


def test_what_the_twin_has_finished_is_copied_and_what_was_begun_here_stays(tmp_path):
    study, records = launched(tmp_path, dropout()[1], num_missing=58)
    lender, folder = StudyFolder(tmp_path / "dropout"), StudyFolder(tmp_path / "dropout-noise")
    lent, begun, unfinished = study.cells[0], study.cells[1], study.cells[2]
    folder.trial(begun.id).begin()
    before = sorted(lender.path.rglob("*"))
    assert copy_finished([lent, begun, unfinished], lender, folder) == 1
    assert folder.trial(lent.id).record() == records[lent.id]
    assert [folder.trial(cell.id).state() for cell in (begun, unfinished)] == ["pending"] * 2
    assert not list(folder.path.rglob("*.tmp"))
    assert sorted(lender.path.rglob("*")) == before
    assert copy_finished([Cell("x", "a", 0, 1)], StudyFolder(tmp_path / "absent"), folder) == 0
