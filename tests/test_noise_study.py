"""Noise of a baseline: measured on whole grids, kept, found again, and refused when stale."""

import json
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
from helpers.display import Notes
from helpers.records import drop_records, finished_study, paired_values
from typer.testing import CliRunner

from audiocls.analysis.noise import Noise, measure
from audiocls.analysis.power import test_train_ratio as ratio_of
from audiocls.cli import app
from audiocls.cli.options import cache_folder
from audiocls.config import digest
from audiocls.errors import NotComparable, UsageError
from audiocls.execution.provenance import code_digest, is_as_now
from audiocls.stats import Allocation, components, minimum_detectable_effect, pooled
from audiocls.store import Cell, Provenance, StudyFolder
from audiocls.store.reuse import copy_finished, paired_study
from audiocls.studies.ablation import lender_for, resolved
from audiocls.studies.noise import baseline_alone
from audiocls.studies.planning import power_of
from audiocls.studies.reports import write_noise
from audiocls.studies.request import ablation_request

VALUES = list(0.8 + 0.03 * np.random.default_rng(0).normal(size=15))


def baseline():
    study, records = finished_study({"base": VALUES})
    return replace(study, name="dropout-noise"), records


def measured(digest="d"):
    return measure(*baseline(), digest)


def test_noise_is_that_of_the_table_of_seeds_and_folds():
    found, truth = measured(), components(np.array(VALUES).reshape(3, 5))
    assert (found.sources, found.pair) == (truth.sources, truth.pair)
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


@pytest.mark.parametrize("fold", [1, 3, 5])
def test_the_ratio_of_a_plan_is_that_of_its_trials(tiny_config, cache, fold):
    split = tiny_config().data.table(cache).split(fold)
    assert len(split.test) / len(split.train) == pytest.approx(ratio_of(5))
    assert ratio_of(1) == 0


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


def test_a_plan_speaks_in_points_once_the_noise_is_known(tmp_path):
    without_noise = power_for(*dropout(), tmp_path, None)
    assert without_noise.effect_sd == minimum_detectable_effect(10, 1 / 3, 3)
    assert (without_noise.evidence, without_noise.options) == (None, ())
    found = kept(tmp_path)
    power = power_for(*dropout(), tmp_path, None)
    assert power.in_units(power.effect_sd) == power.effect_sd * found.pair.sd
    low, high = power.interval()
    assert low < power.effect_sd * found.pair.sd < high
    assert power.wanted == 2 * dropout()[0].ablation.stats.margin


def test_a_plan_names_the_command_that_measures_its_own_baseline(tmp_path):
    words = ["sweep", "plan", "ablations/dropout.yaml", "--set", "train.epochs=3"]
    result = CliRunner().invoke(app, [*words, "--runs", str(tmp_path)])
    said = "audiocls noise ablations/dropout.yaml --set train.epochs=3"
    assert said in " ".join(result.output.split())


def test_the_seeds_and_folds_suggested_see_the_effect_that_is_wanted(tmp_path):
    sd = kept(tmp_path).pair.sd
    over_folds, one_fold = power_for(*dropout(), tmp_path, 2.4 * sd).options
    assert over_folds.allocation.num_folds > 1
    assert minimum_detectable_effect(over_folds.allocation.num_pairs, 1 / 3, 3) <= 2.4
    assert one_fold.allocation == Allocation(7, 1)
    below = power_for(*dropout(), tmp_path, 0.9 * sd)
    assert below.options[0].allocation is None
    assert below.wanted < below.in_units(below.limit_sd)


def test_a_baseline_without_any_spread_shows_every_effect(tmp_path):
    still = replace(measured().pair, sd=0.0, low=0.0, high=0.0)
    kept(tmp_path, pair=still)
    power = power_for(*dropout(), tmp_path, None)
    assert power.in_units(power.effect_sd) == 0
    assert power.options[0].allocation.num_pairs in (8, 9)


@pytest.mark.parametrize("change", ["optim.lr=0.02", "train.epochs=3", "features.n_mels=20"])
def test_noise_of_another_baseline_is_stale_and_not_used(tmp_path, change):
    kept(tmp_path)
    power = power_for(*dropout(change), tmp_path, None)
    assert power.evidence is None
    assert power.note == "dropout-noise is stale: measured of another baseline, so not used"


@pytest.mark.parametrize("change", ["device=cpu", "seed=4", "fold=2"])
def test_what_cannot_change_the_noise_does_not_make_it_stale(change):
    assert digest(dropout(change)[1]) == digest(dropout()[1])


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
    study, records = launched(tmp_path, dropout()[1])
    power = power_for(*dropout(), tmp_path, None)
    by_arm = [
        [
            records[f"{arm}-{s}-{f}"].metrics[study.metric]
            - records[f"base-{s}-{f}"].metrics[study.metric]
            for s in (0, 1, 2)
            for f in (1, 2, 3, 4, 5)
        ]
        for arm in ("arm0", "arm1", "arm2")
    ]
    assert power.evidence.spread.sd == pytest.approx(pooled(by_arm).sd)
    assert power.evidence.source == "the 45 pairs of dropout, as launched before"


def test_unfinished_or_other_pairs_are_no_evidence(tmp_path):
    launched(tmp_path / "unfinished", dropout()[1], num_missing=1)
    launched(tmp_path / "other", dropout("optim.lr=0.02")[1])
    for name in ("unfinished", "other"):
        assert power_for(*dropout(), tmp_path / name, None).evidence is None


def test_one_seed_on_one_fold_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="two seeds or two folds"):
        baseline_alone(ablation_request("dropout", seeds="0", folds="1"))


def test_noise_of_a_tuned_ablation_says_that_it_is_of_the_untuned_baseline(tmp_path):
    chosen, baseline = dropout()
    tune = {"tune": {"optim.lr": [0.001, 0.01]}, "tune_trials": 2}
    tuned = replace(chosen, ablation=chosen.ablation.model_copy(update=tune))
    kept(tmp_path)
    assert power_for(tuned, baseline, tmp_path, None).evidence.source.endswith("baseline, untuned")
    assert power_for(chosen, baseline, tmp_path, None).evidence.source.endswith("the baseline")
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
        lender.trial(record.id).finish(replace(record, provenance=HERE))
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
