"""What another program did not record is shown as unknown, and never assumed."""

import json
import re
from dataclasses import replace

import pytest
from helpers.records import (
    COST,
    PROVENANCE,
    finished_study,
    paired_values,
    recorded_study,
    verdicts,
)
from helpers.reports import markdown_of, page_of

from audiocls.analysis import compare
from audiocls.render.build.values import to_json
from audiocls.render.build.verdicts import verdict_table
from audiocls.render.table import plain_rows
from audiocls.store.record import Cost, Provenance, Record


def changed(records, arm=None, **changes):
    """The records with changes, in one arm or in all."""
    return {
        key: replace(record, **changes) if arm is None or key.startswith(f"{arm}-") else record
        for key, record in records.items()
    }


UNKNOWN = {"num_train": None, "num_val": None, "num_test": None}


@pytest.fixture
def foreign():
    """A study of which nothing but metrics is known."""
    study, records = finished_study(paired_values(0.03))
    return study, changed(records, cost=Cost(), provenance=Provenance(), **UNKNOWN)


def test_a_record_of_unknowns_reads_back_as_it_was(foreign):
    for record in foreign[1].values():
        assert Record.from_mapping(json.loads(json.dumps(record.to_mapping()))) == record


def test_a_record_that_names_everything_reads_as_before():
    record = Record("a", 0, 1, 1, {"test/accuracy": 0.5}, COST, PROVENANCE, 1200, 400, 400)
    assert Record.from_mapping(json.loads(json.dumps(record.to_mapping()))) == record


@pytest.mark.parametrize("match", ["epochs", "steps", "samples", "macs"])
def test_compute_that_neither_side_recorded_is_a_note_and_no_objection(foreign, match):
    study, records = foreign
    comparison = compare(replace(study, match=match), records)
    assert comparison.compared[0].verdict == "better"
    told = f"Compute ({match}) was not recorded in 15 of 15 pairs: equal compute was not checked."
    assert told in comparison.notes
    assert told in markdown_of(comparison).replace("\\", "")


@pytest.mark.parametrize("match", ["epochs", "steps", "samples", "macs"])
def test_compute_that_one_side_recorded_is_an_objection(match):
    study, records = finished_study(paired_values(0.03))
    half = changed(records, "arm0", cost=Cost(num_params=1))
    arm = compare(replace(study, match=match), half).compared[0]
    assert arm.verdict == "not_comparable"
    assert arm.reason == (
        f"unequal compute in 15 of 15 pairs: {match} recorded for base and not for arm0"
    )


def test_an_origin_that_neither_side_recorded_is_a_note_and_one_side_an_objection(foreign):
    study, records = foreign
    assert any("code, torch, device, data" in note for note in compare(study, records).notes)
    half = changed(records, "base", provenance=Provenance(code="c0de"))
    arm = compare(study, half).compared[0]
    assert arm.reason == "different code in 15 of 15 pairs: not recorded, base c0de"


def test_what_was_recorded_is_checked_without_a_note():
    study, records, influences = recorded_study(0.1)
    assert compare(study, records, influences=influences).notes == ()


def test_an_unknown_ratio_is_that_of_folds_tested_once_each_and_says_so(foreign):
    study, records = foreign
    comparison = compare(study, records)
    assert comparison.ratio == 0.25
    told = "5 folds are taken to be tested once each, with 0.25 test clips to a training clip."
    assert any(told in note for note in comparison.notes)


def test_another_programs_seeds_may_be_shared_by_its_folds_and_the_report_says_so(foreign):
    study, records = foreign
    assert any("another program's" in note for note in compare(study, records).notes)
    one_fold, known = finished_study({"a": [0.5] * 3, "b": [0.6] * 3}, folds=(1,))
    alone = compare(one_fold, changed(known, provenance=Provenance(), **UNKNOWN))
    assert not any("another program's" in note for note in alone.notes)


def test_several_folds_of_unknown_ratio_are_never_more_certain_than_known_ones(foreign):
    study, records = foreign
    known = changed(records, num_train=1600, num_test=400)
    wide, narrow = compare(study, records).compared[0], compare(study, known).compared[0]
    assert (wide.ci_low, wide.ci_high) == pytest.approx((narrow.ci_low, narrow.ci_high))


def test_unknown_clips_are_not_counted_as_equal_sets():
    """Only where both sides heard a known number of clips is their ratio told."""
    study, records, influences = recorded_study(0.1)
    records = changed(records, "arm0", cost=replace(COST, samples=None))
    assert compare(study, records, influences=influences).notes == ()
    assert verdicts(study, records) == ["better"]


def test_unknown_costs_are_dashes_and_null(foreign):
    comparison = compare(*foreign)
    table = verdict_table(comparison)
    for row in plain_rows(table):
        cells = dict(zip(table.titles, row, strict=True))
        assert [cells[name] for name in ("params", "MACs", "time")] == ["–", "–", "–"]
    assert {arm["num_params"] for arm in to_json(comparison)["arms"]} == {None}


def test_time_is_averaged_over_the_trials_that_measured_it():
    study, records = finished_study(paired_values(0.03))
    first = "arm0-0-1"
    records[first] = replace(records[first], cost=replace(COST, wall_s=None))
    assert compare(study, records).compared[0].seconds == pytest.approx(12.5)


def test_the_page_of_unknowns_shows_dashes(foreign):
    study, records = foreign
    html = page_of(
        compare(study, records), study, {}, (), [record.provenance for record in records.values()]
    )
    assert "None" not in re.sub(r"<(style|svg).*?</\1>", "", html, flags=re.S)
    assert re.search(r"torch.*?–", html, re.S)
