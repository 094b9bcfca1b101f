"""What next: the command that would decide what a report leaves open, and what it costs."""

import shlex
from dataclasses import replace

import pytest
from helpers.records import drop_records, recorded_study, write_study

from audiocls.analysis import compare
from audiocls.analysis.evidence import of_comparison
from audiocls.analysis.next_step import Surroundings, next_steps, numbers_text
from audiocls.analysis.power import Family
from audiocls.render.build.next_step import next_blocks, next_values
from audiocls.render.document import Command, Section, Text
from audiocls.store.request import Request
from audiocls.studies.options import numbers
from audiocls.studies.reports import surroundings_of

AROUND = Surroundings("dropout-2", first_seed=3)
REQUEST = Request("sweep launch", "dropout")


def asked(*effects, around=AROUND, missing=(), failures=(), verdicts=None, **options):
    """The comparison of a simulated study, and what is next."""
    num_folds = options.pop("num_folds", 5)
    study, records, influences = recorded_study(*effects, **options)
    study = replace(study, request=REQUEST, command=REQUEST.line(), num_folds=num_folds)
    comparison = compare(study, drop_records(records, *missing), influences=influences)
    if verdicts:
        arms = zip(comparison.compared, verdicts, strict=True)
        worded = [replace(arm, verdict=verdict) for arm, verdict in arms]
        comparison = replace(comparison, arms=(comparison.arms[0], *worded))
    return comparison, next_steps(comparison, study, around, failures)


def option(command, name):
    words = shlex.split(command)
    return words[words.index(name) + 1] if name in words else None


def test_an_undecided_question_is_asked_anew_on_seeds_that_were_not_seen():
    _, (step,) = asked(0.0, noise=0.3)
    assert (step.kind, step.arms) == ("new_study", ("arm0",))
    assert option(step.command, "--study") == "dropout-2"
    seeds = numbers(option(step.command, "--seeds"), "--seeds")
    assert seeds == list(range(3, 3 + step.num_seeds))
    assert step.num_trials == 2 * 5 * step.num_seeds
    assert step.seconds == pytest.approx(12.5 * step.num_trials)


def test_it_has_the_fewest_seeds_that_show_twice_the_margin():
    comparison, (step,) = asked(0.0, 0.0, noise=0.3, lasting=0.02)
    family, estimate = Family(2, 3, 0.05), of_comparison(comparison)
    assert step.effect == family.effect_of(estimate, step.num_seeds, 5) <= 2 * comparison.margin
    assert family.effect_of(estimate, step.num_seeds - 1, 5) > 2 * comparison.margin
    assert step.limit is None


def test_only_what_is_open_is_asked_again_with_what_it_is_compared_with():
    _, (step,) = asked(0.15, 0.0, 0.0, noise=0.3)
    assert step.arms == ("arm1", "arm2")
    assert option(step.command, "--arms") == "arm1,arm2"
    assert step.num_trials == 3 * 5 * step.num_seeds


def test_where_all_is_answered_nothing_is_left_to_run():
    _, (step,) = asked(0.15, -0.15)
    assert (step.kind, step.command) == ("none", "")


def test_a_claim_of_one_fold_is_asked_of_all():
    comparison, (step,) = asked(0.15, folds=[1], seeds=range(6))
    assert comparison.compared[0].verdict == "better"
    assert (step.kind, step.is_wider, step.num_folds) == ("new_study", True, 5)
    assert option(step.command, "--folds") == "1..5"


def test_a_claim_of_one_official_split_says_all_that_the_data_can():
    _, (step,) = asked(0.15, folds=[1], seeds=range(6), num_folds=1)
    assert step.kind == "none"


def test_a_study_without_an_answer_grows_itself_and_keeps_its_seeds():
    _, (step,) = asked(0.0, folds=[2], seeds=[4])
    assert step.kind == "extend"
    assert option(step.command, "--study") is None
    assert option(step.command, "--seeds") == "4..6"
    assert option(step.command, "--folds") == "1..5"
    assert step.num_trials == 2 * 3 * 5 - 2


def test_seeds_that_cannot_help_are_not_suggested():
    comparison, (step,) = asked(0.0, seeds=range(30), noise=0.02, lasting=0.5)
    assert comparison.compared[0].verdict == "no_evidence"
    assert (step.kind, step.command) == ("more_data", "")
    assert step.limit > 2 * comparison.margin


def test_near_the_limit_of_recordings_it_is_named_beside_what_seeds_would_show():
    comparison, (step,) = asked(0.0, seeds=range(2), noise=0.8, lasting=0.3)
    assert step.kind == "new_study"
    assert 2 * comparison.margin < step.limit < step.effect <= 1.25 * step.limit


def test_what_is_missing_is_trained_first_and_what_failed_is_retried():
    missing = ["arm0-1-2", "base-0-3"]
    comparison, (step,) = asked(0.0, missing=missing)
    assert (step.kind, step.num_trials) == ("finish", 2)
    assert step.command == REQUEST.line()
    _, (step,) = asked(0.0, missing=missing, failures=[(comparison.missing[0], "nan", "it is")])
    assert step.command == f"audiocls sweep retry dropout && {REQUEST.line()}"


def test_what_is_missing_of_imported_results_is_imported_again():
    """Whatever trained them did so elsewhere: nothing of it is launched, retried or timed here."""
    request = Request("import", "results.csv", options={"--arm": "model"})
    study, records, influences = recorded_study(0.0)
    study = replace(study, kind="import", request=request, command=request.line())
    comparison = compare(study, drop_records(records, "base-0-3"), influences=influences)
    for failures in ([], [(comparison.missing[0], "error", "row 3 is without a value of acc")]):
        (step,) = next_steps(comparison, study, replace(AROUND, options=" --runs r"), failures)
        assert step.command == "audiocls import results.csv --arm model --runs r"
        assert (step.kind, step.num_trials, step.seconds) == ("import", 1, None)
        (value,) = next_values(comparison, [step])
        assert "1 trial failed or is missing in what was imported" in value["text"]
        assert "to be trained" not in value["text"]


def test_what_is_not_comparable_is_not_asked_for_more_trials():
    _, steps = asked(0.0, 0.0, noise=0.3, verdicts=["not_comparable", "no_evidence"])
    assert [(step.kind, step.arms) for step in steps] == [
        ("repair", ("arm0",)),
        ("new_study", ("arm1",)),
    ]


def test_a_question_that_was_asked_anew_is_not_asked_a_third_time():
    _, (step,) = asked(0.0, noise=0.3, around=replace(AROUND, later_study="dropout-2"))
    assert (step.kind, step.command) == ("see_new_study", "audiocls report dropout-2")


def test_a_step_that_launches_says_how_and_one_that_reads_or_retries_does_not():
    around = replace(
        AROUND, launch_options=" --wandb offline", options=" --runs r", later_study="a b"
    )
    ending = "--wandb offline --runs r"
    comparison, (step,) = asked(0.0, missing=["base-0-3"], around=around)
    assert step.command == f"{REQUEST.line()} {ending}"
    failed = [(comparison.missing[0], "nan", "it is")]
    _, (step,) = asked(0.0, missing=["base-0-3"], around=around, failures=failed)
    assert step.command == f"audiocls sweep retry dropout --runs r && {REQUEST.line()} {ending}"
    _, (step,) = asked(0.0, noise=0.3, around=around)
    assert step.command == "audiocls report 'a b' --runs r"
    _, (step,) = asked(0.0, noise=0.3, around=replace(around, later_study=""))
    assert step.command.endswith(f" {ending}")
    assert growing(20, around=around).command.endswith(f" {ending}")
    assert growing(15, around=around).command.endswith(f" {ending}")


def growing(max_pairs, folds=(1, 2, 3, 4, 5), around=AROUND):
    request = replace(REQUEST, is_until_decided=True, max_pairs=max_pairs)
    study, records, influences = recorded_study(0.0, noise=0.3, folds=folds)
    sizes = tuple(len(folds) * num for num in (1, 2, 3))
    looks = {"looks": sizes, "max_pairs": max_pairs}
    study = replace(study, request=request, command=request.line(), **looks)
    comparison = compare(study, records, influences=influences)
    return next_steps(comparison, study, around)[0]


def test_a_growing_study_goes_on_or_gets_a_larger_limit():
    assert growing(20).kind == "finish"
    assert option(growing(20).command, "--max-pairs") == "20"
    step = growing(15)
    assert (step.kind, option(step.command, "--max-pairs")) == ("grow", "30")
    assert (step.num_seeds, step.num_trials) == (3, 2 * 3 * 5)


def test_on_a_part_of_the_folds_all_folds_are_worth_more_than_growth():
    step = growing(6, folds=(1, 2))
    assert (step.kind, step.is_wider) == ("new_study", True)
    assert "--until-decided" not in step.command


def test_the_next_study_has_a_name_and_seeds_of_its_own(tmp_path):
    study, records, _ = recorded_study(0.0)
    folder = write_study(tmp_path / "dropout", study, records)
    around = surroundings_of(folder, study)
    assert (around.name, around.first_seed, around.later_study) == ("dropout-2", 3, "")
    assert around.options == f" --runs {tmp_path}"
    later, more, _ = recorded_study(0.0, seeds=range(3, 9))
    write_study(tmp_path / "dropout-2", replace(later, name="dropout-2"), more)
    around = surroundings_of(folder, study)
    assert (around.name, around.first_seed, around.later_study) == ("dropout-3", 9, "dropout-2")


@pytest.mark.parametrize(
    "options",
    [
        {"noise": 0.3},
        {"folds": [2], "seeds": [4]},
        {"seeds": range(30), "noise": 0.02, "lasting": 0.5},
        {"missing": ["arm0-1-2"]},
        {"around": replace(AROUND, later_study="dropout-2")},
    ],
)
def test_every_step_is_a_sentence_with_its_command_and_stands_in_the_json(options):
    comparison, steps = asked(0.0, **options)
    (section,) = next_blocks(comparison, steps)
    assert isinstance(section, Section)
    (values,) = next_values(comparison, steps)
    texts = [block.text for block in section.blocks if isinstance(block, Text)]
    commands = [block.text for block in section.blocks if isinstance(block, Command)]
    assert texts == [values["text"]]
    assert commands == ([values["command"]] if values["command"] else [])
    assert texts[0].endswith(".")


@pytest.mark.parametrize("given", [[0], [0, 1, 2], [1, 3, 4, 9]])
def test_numbers_are_written_as_the_command_line_reads_them(given):
    assert numbers(numbers_text(given), "--seeds") == given


@pytest.mark.parametrize(
    ("missing", "told"),
    [(["arm0-1-2"], "1 trial is still to be"), (["arm0-1-2", "arm0-1-3"], "2 trials are still")],
)
def test_verbs_agree_with_the_number_of_trials(missing, told):
    comparison, steps = asked(0.0, missing=missing)
    assert told in next_values(comparison, steps)[0]["text"]
    cells = [(cell, "nan", "it is") for cell in comparison.missing]
    comparison, steps = asked(0.0, missing=missing, failures=cells)
    assert f"failed or {told.split()[2]} missing" in next_values(comparison, steps)[0]["text"]


def test_arms_of_a_tuning_study_are_not_asked_again():
    study, records, influences = recorded_study(0.0, noise=0.3)
    comparison = compare(study, records, influences=influences)
    assert next_steps(comparison, study, AROUND)
    assert next_steps(comparison, replace(study, kind="tuning"), AROUND) == ()


def test_what_no_number_of_seeds_shows_is_named_with_what_was_wanted():
    study, records, _ = recorded_study(0.0, folds=(1,), noise=2.0, lasting=0.0)
    comparison = compare(replace(study, num_folds=1), records)
    (step,) = next_steps(comparison, study, AROUND)
    assert (step.kind, step.wanted) == ("more_data", 2 * comparison.margin)
    text = next_values(comparison, (step,))[0]["text"]
    assert "even 100 seeds × 1 fold are too few for 2.0 points, and show" in text
