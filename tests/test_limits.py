"""Studies for which error rates were not checked are told so, and no others."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.records import (
    Records,
    drop_records,
    finished_study,
    paired_values,
    recorded_study,
)

from audiocls.analysis import compare
from audiocls.analysis.influences import Influences
from audiocls.analysis.limits import LARGEST_SKEWNESS, _skewness
from audiocls.store.record import Provenance, Study
from audiocls.store.tuning import Choice, Tuning


def notes_of(study: Study, records: Records, **known: object) -> str:
    return " ".join(compare(study, records, **known).notes)  # type: ignore[arg-type]


def test_a_usual_study_has_no_note() -> None:
    study, records, influences = recorded_study(0.01, 0.0, 0.02)
    assert notes_of(study, records, influences=influences) == ""


def test_arms_whose_recordings_are_unknown_are_told_with_what_decides_instead() -> None:
    study, records, influences = recorded_study(0.01, 0.0)
    assert "not taken into account (no predictions are kept): folds alone decide" in notes_of(
        study, records
    )
    del influences["test/accuracy"]["arm1-0-1"]
    said = notes_of(study, records, influences=influences)
    assert "not taken into account for arm1 (no predictions are kept): folds alone decide" in said
    assert "arm0" not in said
    one = recorded_study(0.01, folds=(1,))[:2]
    assert "seeds alone decide" in notes_of(*one)


def test_some_folds_of_several_are_told() -> None:
    values = {arm: row[:6] for arm, row in paired_values(0.01).items()}
    assert "2 of 5 folds were used" in notes_of(*finished_study(values, folds=(1, 2)))


def test_one_seed_with_tuning_for_each_fold_is_told() -> None:
    values = {arm: row[:5] for arm, row in paired_values(0.01).items()}
    study, records = finished_study(values, seeds=(0,))
    choices = tuple(
        Choice(arm, fold, 4, 1, {"optim.lr": 0.1}) for arm in study.arms for fold in study.folds
    )
    tuned = replace(study, tuning=Tuning(4, "val/accuracy", 7, choices))
    assert "One seed, and settings tuned for each fold" in notes_of(tuned, records)
    assert "One seed" not in notes_of(study, records)


@pytest.mark.parametrize(("num_test", "is_told"), [(400, False), (210, False), (150, True)])
def test_folds_of_unlike_size_are_told(num_test: int, is_told: bool) -> None:
    study, records = finished_study(paired_values(0.01))
    unlike = {
        key: replace(each, num_test=num_test) if each.fold == 2 else each
        for key, each in records.items()
    }
    assert ("150 to 400 test clips" in notes_of(study, unlike)) == is_told


def test_pairs_that_were_allowed_to_miss_are_told_where_some_do() -> None:
    study, records = finished_study(paired_values(0.01))
    allowing = replace(study, max_missing=1)
    assert "Missing pairs were allowed" in notes_of(allowing, drop_records(records, "arm0-1-3"))
    assert "Missing pairs were allowed" not in notes_of(allowing, records)


@pytest.mark.parametrize(("num", "is_told"), [(3, True), (4, False)])
def test_few_recordings_are_told(num: int, is_told: bool) -> None:
    study, records = finished_study(paired_values(0.01))
    names = np.array([f"r{index}" for index in range(num)])
    rows = np.random.default_rng(0).normal(scale=0.01, size=(len(records), num))
    found = {
        trial: Influences(names, row - row.mean()) for trial, row in zip(records, rows, strict=True)
    }
    said = notes_of(study, records, influences={study.metric: found})
    assert ("Only 15 recordings were tested" in said) == is_told


def test_an_arm_that_varies_far_more_than_the_others_is_told() -> None:
    values = paired_values(0.01, 0.0, 0.0)
    values["arm1"] = values["base"] + 5 * (values["arm1"] - values["base"])
    said = notes_of(*finished_study(values))
    assert "arm1: its pairs vary" in said
    assert "arm0: its pairs" not in said


def test_seeds_that_another_program_may_share_over_folds_are_told() -> None:
    study, records = finished_study(paired_values(0.01))
    foreign = {key: replace(each, provenance=Provenance()) for key, each in records.items()}
    assert "another program's" in notes_of(study, foreign)


def test_many_arms_that_grow_are_told() -> None:
    study, records = finished_study(paired_values(*[0.01] * 4))
    growing = replace(study, looks=(15,), max_pairs=15)
    assert "4 arms grow until they are decided" in notes_of(growing, records)


@pytest.mark.parametrize(
    ("folds", "is_told"), [((1, 2), True), ((1, 2, 3, 4), False), ((1,), False)]
)
def test_few_folds_of_a_study_that_grows_are_told(folds: tuple[int, ...], is_told: bool) -> None:
    study, records, _ = recorded_study(0.01, folds=folds)
    growing = replace(study, looks=(len(study.blocks),), max_pairs=60)
    assert ("The study grows on" in notes_of(growing, records)) == is_told
    assert "The study grows on" not in notes_of(study, records)


def test_skewed_pairs_are_told_on_one_fold_alone() -> None:
    seeds = range(12)
    base = 0.8 + 0.01 * np.random.default_rng(0).normal(size=12)
    collapsing = base - np.where(np.arange(12) == 3, 0.3, 0.0)
    values = {"base": base, "arm0": base + 0.01, "arm1": collapsing}
    said = notes_of(*finished_study(values, seeds, folds=(1,)))
    assert "arm1: its pairs are skewed, since a few of them lie far below the others" in said
    assert "arm0: its pairs are skewed" not in said
    values = {name: np.tile(row, 5)[:15] for name, row in values.items()}
    assert "skewed" not in notes_of(*finished_study(values))


def test_normal_pairs_are_seldom_called_skewed() -> None:
    rng = np.random.default_rng(3)
    draws = [rng.normal(size=10) for _ in range(2000)]
    assert np.mean([abs(_skewness(draw.tolist())) > LARGEST_SKEWNESS for draw in draws]) < 0.03


def test_clips_of_several_labels_are_told() -> None:
    study, records, _ = recorded_study(0.01)
    several = {
        key: replace(each, metrics={"test/map": each.metrics["test/accuracy"]})
        for key, each in records.items()
    }
    assert "several labels" in notes_of(replace(study, metric="test/map"), several)
    assert "several labels" not in notes_of(study, records)
