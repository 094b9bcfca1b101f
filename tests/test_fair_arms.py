"""Fair arms: equal compute, clips and rules, or the reason why not; changes without effect."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.recipes import TINY
from helpers.records import COST, PROVENANCE, drop_records, finished_study, paired_values, verdicts
from helpers.reports import markdown_of
from helpers.trials import make_job

from audiocls.analysis import compare
from audiocls.audio.clips import fingerprint
from audiocls.config import resolve, unused_options
from audiocls.config.layers import check_no_inactive_factors
from audiocls.errors import ConfigError
from audiocls.execution.provenance import digest_of_test
from audiocls.execution.trial import train_trial
from audiocls.execution.worker_cache import WorkerCache
from audiocls.store import Cell, Record, Study
from audiocls.store.same_numbers import SAME_NUMBERS
from audiocls.training.fit import NUM_FIRST, Signal

SAM = {"sam.rho": 0.05}
LATE = {"averaging": {"name": "swa", "start": 0.5}}
IDLE = {"averaging": {"name": "ema", "every_steps": 1000}}
"""An average that no training of eight steps ever begins."""
ARMS: dict[str, dict[str, Any]] = {
    "base": {},
    "sam": SAM,
    "half": {**SAM, "train.epochs": 1},
    "dropout": {"model.dropout": 0.3},
    "late": LATE,
    "idle": IDLE,
    "idle too": {"averaging": {"name": "ema", "every_steps": 2000}},
    "last": {"train.select": "last"},
}
Trained = tuple[Study, dict[str, Record]]


@pytest.fixture(scope="module")
def trained(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Every arm on two seeds, with records as trials leave them."""
    warm, cells, records = WorkerCache(cache), [], {}
    for arm, changes in ARMS.items():
        for seed in (0, 1):
            cell = Cell(f"{arm}-{seed}".replace(" ", "_"), arm, seed, 1)
            config = resolve([TINY, changes, {"seed": seed}], arm)
            known = fingerprint(config.data.table(cache), cache)
            job = make_job(
                tmp_path_factory.mktemp(cell.id),
                cell,
                study="fair",
                config=config.model_dump(mode="json"),
                data_fingerprint=known,
            )
            train_trial(job, warm, lambda event: None, lambda: Signal.CONTINUE)
            record = job.trial.record()
            assert record is not None
            cells.append(cell)
            records[cell.id] = record
    study, _ = finished_study(paired_values(0.0))
    return replace(study, baseline="base", arms=ARMS, cells=tuple(cells)), records


def only(trained: Trained, *arms: str, **options: Any) -> Trained:
    study, records = trained
    cells = tuple(cell for cell in study.cells if cell.arm in arms)
    return replace(study, arms={arm: ARMS[arm] for arm in arms}, cells=cells, **options), records


def reason(study: Study, records: dict[str, Record]) -> str:
    (arm,) = compare(study, records).compared
    assert (arm.verdict == "not_comparable") == bool(arm.delta is None)
    return arm.reason if arm.verdict == "not_comparable" else ""


def test_sam_at_equal_epochs_is_compared_and_its_doubled_gradients_are_told(trained):
    study, records = only(trained, "base", "sam")
    assert reason(study, records) == ""
    told = (
        "At equal epochs, training took the multiplications of base 2 times in sam. With "
        "budget.match: macs that would not be comparable."
    )
    assert told in compare(study, records).notes


def test_sam_at_equal_multiplications_needs_half_the_epochs(trained):
    why = reason(*only(trained, "base", "sam", match="macs"))
    assert why.startswith("unequal compute in 2 of 2 pairs: macs ")
    assert why.endswith(", 2.00 times those of base")
    study, records = only(trained, "base", "half", match="macs")
    assert reason(study, records) == ""
    (note,) = compare(study, records).notes
    assert note.startswith("Recordings are not taken into account (no predictions are kept)")
    assert "0.50 times" in reason(*only(trained, "base", "half"))


def test_a_change_that_nothing_read_is_no_comparison(trained):
    assert reason(*only(trained, "base", "idle")) == (
        "identical to base in all 2 pairs, first losses and test metrics to the last bit: what it "
        "changes had no effect (an inert factor?)"
    )


@pytest.mark.parametrize("arm", ["sam", "dropout", "late"])
def test_a_change_that_acts_is_never_called_inert(trained, arm):
    assert reason(*only(trained, "base", arm)) == ""


def test_what_acts_late_has_the_same_first_losses(trained):
    _, records = trained
    assert records["late-0"].first_losses == records["base-0"].first_losses
    assert records["late-0"].metrics != records["base-0"].metrics


def test_arms_that_are_twins_of_each_other_are_named(trained):
    study, records = only(trained, "dropout", "idle", "idle too", baseline="dropout")
    assert any(
        note.startswith("idle too and idle are identical in all 2 blocks")
        for note in compare(study, records).notes
    )


def test_equal_results_of_different_training_are_equivalent_and_not_inert():
    study, records = finished_study({arm: [0.7 + 0.01 * i for i in range(15)] for arm in "ab"})
    known = {
        key: replace(record, first_losses=(key[0], "0x1p+0")) for key, record in records.items()
    }
    assert verdicts(study, known) == ["equivalent"]
    unknown = {key: replace(record, first_losses=()) for key, record in records.items()}
    assert verdicts(study, unknown) == ["equivalent"]


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.71, 0.74], "not_comparable"),
        ([0.71, 0.74, 0.69], "not_comparable"),
        ([1.0, 1.0, 1.0], "equivalent"),  # a metric that saturates is alike everywhere
    ],
)
def test_an_arm_of_a_program_that_mirrors_its_reference_is_inert_by_two_pairs(values, verdict):
    arms, seeds = dict.fromkeys("ab", values), range(len(values))
    study, records = finished_study(arms, seeds, folds=[1], program="train.py")
    assert verdicts(study, records) == [verdict]
    differing = replace(records["b-0-1"], metrics={"test/accuracy": 0.72})
    assert verdicts(study, {**records, "b-0-1": differing}) != ["not_comparable"]


def test_one_pair_that_differs_is_enough_to_have_an_effect():
    study, records = finished_study({arm: [0.7 + 0.01 * i for i in range(15)] for arm in "ab"})
    alike = {key: replace(record, first_losses=("0x1p+0",)) for key, record in records.items()}
    assert verdicts(study, alike) == ["not_comparable"]
    alike["b-0-1"] = replace(alike["b-0-1"], first_losses=("0x1.1p+0",))
    assert verdicts(study, alike) == ["equivalent"]


def test_the_first_losses_are_those_of_the_first_steps_to_the_last_bit(tiny_parts, monkeypatch):
    from audiocls.training import step as module
    from audiocls.training.fit import fit

    seen, step = [], module.update_weights

    def spied(*given, **options):
        seen.append(float((result := step(*given, **options)).loss))
        return result

    monkeypatch.setattr(module, "update_weights", spied)
    progress = fit(tiny_parts(), lambda end: Signal.CONTINUE)
    assert progress.first_losses == seen[:NUM_FIRST]
    assert [float.fromhex(loss.hex()) for loss in progress.first_losses] == seen[:NUM_FIRST]


@pytest.mark.parametrize("batch_size", [8, 16])
def test_a_resumed_trial_keeps_the_first_losses(tiny_parts, batch_size):
    """With batches of 16 the first steps reach into the second epoch."""
    from audiocls.training.fit import fit

    changes = {"train.batch_size": batch_size}
    whole = fit(tiny_parts(changes), lambda end: Signal.CONTINUE)
    ends = []
    fit(tiny_parts(changes), lambda end: ends.append(end.snapshot()) or Signal.STOP)
    resumed = fit(tiny_parts(changes), lambda end: Signal.CONTINUE, ends[0])
    assert resumed.first_losses == whole.first_losses
    assert len(whole.first_losses) == NUM_FIRST


def test_another_rule_of_choice_is_told_where_it_is_the_question_and_refused_where_not(trained):
    study, records = only(trained, "base", "last")
    told = (
        "last selects the tested checkpoint by another rule than base, as its changes say: "
        "train.select=last."
    )
    result = compare(study, records)
    assert "different protocol" not in result.compared[0].reason
    assert told in result.notes
    hidden = replace(study, arms={"base": {}, "last": {"optim.lr": 0.1}})
    assert reason(hidden, records).startswith(
        "different protocol in 2 of 2 pairs: train.select=last train.patience=0, "
        "base train.select=val/accuracy train.patience=0"
    )


@pytest.mark.parametrize("arm", ["arm0", "base"])
def test_other_test_clips_are_refused(arm):
    study, records = finished_study(paired_values(0.03))
    records[f"{arm}-0-1"] = replace(records[f"{arm}-0-1"], test_clips="other")
    assert reason(study, records).startswith("different test clips in 1 of 15 pairs: ")


def test_the_digest_of_test_clips_is_of_names_and_labels_and_of_the_fold(tiny_config, cache):
    table = tiny_config().data.table(cache)
    slower = tiny_config({"data.sample_rate": 4000}).data.table(cache)
    assert digest_of_test(table, 1) == digest_of_test(slower, 1)
    assert digest_of_test(table, 1) != digest_of_test(table, 2)
    renamed = replace(table, labels=tuple(f"{label}?" for label in table.labels))
    assert digest_of_test(table, 1) != digest_of_test(renamed, 1)


def test_reasons_name_the_reference_and_not_the_baseline():
    study, records = finished_study(paired_values(0.03, 0.06))
    study = replace(study, references={"arm1": "arm0"})
    origin = replace(PROVENANCE, torch="2.12.0")
    for block in range(3):
        key = f"arm1-{block}-1"
        records[key] = replace(records[key], provenance=origin)
    arm = compare(study, records).compared[1]
    assert arm.reason == "different torch in 3 of 15 pairs: 2.12.0, arm0 2.11.0"


def seconds(records: dict[str, Record], arm: str, factor: Callable[[int], float]) -> None:
    keys = [key for key in records if key.startswith(arm)]
    for i, key in enumerate(keys):
        records[key] = replace(records[key], cost=replace(COST, wall_s=12.5 * factor(i)))


def test_seconds_are_compared_in_sum_within_five_percent():
    study, records = finished_study(paired_values(0.03), match="seconds")
    seconds(records, "arm0", lambda i: 1.5 if i % 2 else 0.5)  # 7 slow ones and 8 fast ones
    assert reason(study, records) == ""
    seconds(records, "arm0", lambda i: 1.06)
    assert reason(study, records) == (
        "unequal compute: seconds over all 15 pairs are 1.06 times those of base "
        "(5 % more or less allowed)"
    )
    seconds(records, "arm0", lambda i: 1.04)
    assert reason(study, records) == ""


def test_pairs_that_may_lack_are_named_with_what_befell_them():
    study, records = finished_study(paired_values(0.03, 0.03), max_missing=2)
    known = drop_records(records, "arm0-0-3", "arm0-1-2")
    causes = {"arm0-0-3": "failed: nan"}
    assert (
        "arm0: 13 of 15 pairs, its mean too is over these; missing: seed 0 fold 3 (failed: nan), "
        "seed 1 fold 2."
    ) in compare(study, known, causes).notes
    spoiled = compare(
        study, drop_records(records, "base-2-5"), {"base-2-5": "failed: out_of_memory"}
    )
    missing = [note.partition("missing: ")[2] for note in spoiled.notes if "missing: " in note]
    assert missing == ["seed 2 fold 5 (base failed: out_of_memory)."] * 2
    assert "failed: out" in markdown_of(spoiled).replace("\\", "")


def test_a_mean_beside_a_difference_is_over_the_same_blocks():
    study, records = finished_study(paired_values(0.03, 0.03), max_missing=1)
    spoiled = drop_records(records, "base-2-5")
    first = compare(study, spoiled).compared[0]
    kept = [r.metrics["test/accuracy"] for k, r in spoiled.items() if k.startswith("arm0")]
    of_folds = [[kept[5 * seed + fold] for seed in range(3)] for fold in range(5)]
    of_folds[4].pop()  # seed 2, fold 5
    assert first.num_pairs == 14
    assert first.mean == pytest.approx(sum(sum(fold) / len(fold) for fold in of_folds) / 5)
    assert first.delta == pytest.approx(first.mean - compare(study, spoiled).arms[0].mean)


def test_missing_blocks_leave_the_variance_as_it_was():
    study, records = finished_study(paired_values(0.03), max_missing=5)
    method = compare(study, records).method
    gone = ("arm0-0-1", "arm0-0-2", "arm0-0-3", "base-1-1")
    result = compare(study, drop_records(records, *gone))
    assert result.method == method
    assert result.compared[0].num_pairs == 11
    assert result.compared[0].verdict == "better"


def test_a_value_that_is_no_number_is_told_as_the_cause():
    study, records = finished_study(paired_values(0.03))
    records["arm0-0-1"] = replace(records["arm0-0-1"], metrics={"test/accuracy": float("nan")})
    assert reason(study, records).endswith("seed 0 fold 1 (test/accuracy is nan)")


MASKED = {"augment": {"freq_mask": 4}}
NOISY = {"augment": {"gain_db": 6.0, "noises": ["white"], "transforms": ["neg"]}}
SWITCHED_OFF = {
    "augment.num_masks": ({}, {"augment": {"num_masks": 4}}),
    "augment.gain_db": (
        {"augment": {**NOISY["augment"], "strength": 0.0}},
        {"augment": {**NOISY["augment"], "strength": 0.0, "gain_db": 12.0}},
    ),
    "augment.noises": (
        {"augment": {"noises": ["white"], "noise_p": 0.0}},
        {"augment": {"noises": ["pink"], "noise_p": 0.0}},
    ),
    "augment.mix_from_epoch": (
        {"augment": {"mixes": ["mixup"], "mix_from_epoch": 2}},
        {"augment": {"mixes": ["mixup"], "mix_from_epoch": 3}},
    ),
    "train.label_smoothing": (
        {"augment": {"mixes": ["mixup"]}},
        {"augment": {"mixes": ["mixup"]}, "train.label_smoothing": 0.2},
    ),
    "schedule.gamma": (
        {"schedule": {"name": "step", "every_epochs": 2}},
        {"schedule": {"name": "step", "every_epochs": 2, "gamma": 0.5}},
    ),
    "schedule.factor": (
        {"schedule": {"name": "plateau"}},
        {"schedule": {"name": "plateau", "factor": 0.1}},
    ),
}


@pytest.mark.parametrize("key", SWITCHED_OFF)
def test_what_is_called_idle_changes_no_bit_and_two_arms_of_it_are_refused(
    key, tiny_config, tiny_parts
):
    from audiocls.training.fit import fit

    one, other = SWITCHED_OFF[key]
    assert key in unused_options(tiny_config(other))
    losses = [fit(tiny_parts(each), lambda end: Signal.CONTINUE).best_row for each in (one, other)]
    assert losses[0] | {"seconds": 0} == losses[1] | {"seconds": 0}
    configs = {"one": tiny_config(one), "other": tiny_config(other)}
    with pytest.raises(ConfigError, match=f"'other' would train as arm 'one'.*{key} has no effect"):
        check_no_inactive_factors("a", configs)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MASKED, {"augment": {"freq_mask": 4, "num_masks": 4}}),
        (NOISY, {"augment": {**NOISY["augment"], "gain_db": 12.0}}),
        ({}, {"train.label_smoothing": 0.2}),
        ({"schedule": {"name": "step", "every_epochs": 1}}, {"schedule": {"name": "step"}}),
    ],
)
def test_arms_whose_options_act_are_never_refused(one, other, tiny_config):
    check_no_inactive_factors("a", {"one": tiny_config(one), "other": tiny_config(other)})


def test_releases_that_compute_the_same_numbers_are_the_same_code(monkeypatch):
    study, records = finished_study(paired_values(0.05))
    arm = [cell.id for cell in study.cells if cell.arm == "arm0"]
    for key in arm:
        origin = replace(records[key].provenance, code="renamed")
        records[key] = replace(records[key], provenance=origin)
    assert verdicts(study, records) == ["not_comparable"]
    monkeypatch.setitem(SAME_NUMBERS, "renamed", PROVENANCE.code)
    assert verdicts(study, records) == ["better"]


@pytest.mark.parametrize(
    ("epochs", "stage", "is_told"), [(10, True, True), (10, False, False), (13, True, False)]
)
def test_only_pretraining_is_called_the_cause_of_more_clips(epochs, stage, is_told):
    study, records = finished_study(paired_values(0.0))
    for cell in study.cells:
        if cell.arm == "arm0":
            record = records[cell.id]
            metrics = record.metrics | ({"pretrain/steps": 30.0} if stage else {})
            cost = replace(COST, samples=4 * COST.samples, epochs=epochs)
            records[cell.id] = replace(record, metrics=metrics, cost=cost)
    assert ("after pre-training" in markdown_of(compare(study, records))) == is_told
