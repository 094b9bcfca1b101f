"""A study that grows until it is decided: its looks, and what may be added to it."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.records import finished_study, paired_values, write_study
from helpers.trials import make_job

from audiocls.analysis import compare
from audiocls.analysis.interim import UNDECIDED, first_look, with_next_look
from audiocls.design import Ablation, plan, widened
from audiocls.errors import UsageError
from audiocls.execution.messages import Done, Failed, Interrupted
from audiocls.render.build.headline import headline
from audiocls.render.build.method import method_text
from audiocls.render.build.verdicts import verdict_table
from audiocls.stats import anytime_errors, half_width, holm, stacked
from audiocls.store import Study, StudyFolder
from audiocls.studies.growth import check_can_extend, check_growth, next_look_fn
from audiocls.studies.launch import Prepared
from audiocls.studies.launch import launch as launch_study
from audiocls.studies.resolve import Resolved
from audiocls.studies.sources.sequential import Looks, SequentialSource

FOLDS = (1, 2)


def whole_of(effects, num_seeds=24, folds=(1,), first=8, most=None, spread=0.01, seed=0):
    """All that may be trained, with an arm for each effect; its first look, and every record."""
    num = num_seeds * len(folds)
    rng = np.random.default_rng(seed)
    common = 0.8 + 0.03 * rng.normal(size=num)
    noise = np.broadcast_to(spread, len(effects))
    drawn = [e + s * rng.normal(size=num) for e, s in zip(effects, noise, strict=True)]
    arms = {f"arm{i}": common + differences for i, differences in enumerate(drawn)}
    study, records = finished_study({"base": common, **arms}, range(num_seeds), folds)
    return replace(study, looks=(first,), max_pairs=most or num, margin=0.004), records


def answer(study, records):
    return compare(study, {c.id: records[c.id] for c in study.cells if c.id in records})


def launched(whole, records, start=None):
    """Every state of a study from its first look to its end."""
    states = [start or first_look(whole)]
    while (after := with_next_look(states[-1], answer(states[-1], records), whole)) is not None:
        states.append(after)
    return states


def test_a_clear_effect_is_decided_at_once_and_nothing_more_is_trained_for_it():
    whole, records = whole_of([0.05, 0.003])
    end = launched(whole, records)[-1]
    clear, faint = answer(end, records).compared
    assert (clear.verdict, clear.look, clear.num_pairs) == ("better", 1, 8)
    assert faint.look > 1
    trained = {arm: sum(cell.arm == arm for cell in end.cells) for arm in end.arms}
    assert trained["arm0"] == 8
    assert trained["arm1"] == trained["base"] == faint.num_pairs == end.looks[-1]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_decided_stays_as_it_was_decided(seed):
    whole, records = whole_of([0.03, 0.02, 0.0, -0.025], num_seeds=16, first=4, seed=seed)
    decided = {}
    for state in launched(whole, records):
        for result in answer(state, records).compared:
            if result.arm in decided:
                assert result == decided[result.arm]
            elif result.verdict not in UNDECIDED:
                decided[result.arm] = result
    assert decided


def test_a_look_follows_after_every_seed_with_all_its_folds():
    whole, records = whole_of([0.002], folds=FOLDS, first=8, most=20)
    assert launched(whole, records)[-1].looks == (8, 10, 12, 14, 16, 18, 20)


def test_a_look_is_the_comparison_of_its_blocks_by_errors_that_hold_at_any_time():
    whole, records = whole_of([0.004], folds=FOLDS, first=8)
    end = launched(whole, records)[-1]
    result = answer(end, records).compared[0]
    size = end.looks[result.look - 1]
    blocks = list(dict.fromkeys(cell.block for cell in whole.cells))[:size]
    cells = tuple(cell for cell in whole.cells if cell.block in blocks)
    fixed = answer(replace(whole, cells=cells, looks=(), max_pairs=0), records).compared[0]
    assert (result.delta, result.differences) == (fixed.delta, fixed.differences)
    half = half_width(anytime_errors(stacked([fixed.components]), 1 / 3), 0.05)[0]
    assert result.ci_high - result.delta == pytest.approx(half)
    assert half > fixed.ci_high - fixed.delta


def test_holms_family_loses_the_effects_that_were_claimed_and_keeps_the_others():
    noise = (0.01, 0.001, 0.05, 0.05)
    whole, records = whole_of([0.05, 0.0, 0.01, 0.02], spread=noise, first=10, num_seeds=14)
    states = launched(whole, records)
    results = {r.arm: r for r in answer(states[-1], records).compared}
    first = [r for r in results.values() if r.look == 1]
    assert {r.verdict for r in first} == {"better", "equivalent"}
    claimed = sum(r.verdict == "better" for r in first)
    second = {r.arm: r for r in answer(states[1], records).compared if r.look == 2}
    family = [r.p for r in second.values()] + [1.0] * (4 - claimed - len(second))
    assert [r.p_holm for r in second.values()] == holm(family)[: len(second)]


def test_a_larger_budget_goes_on_where_a_smaller_one_ended():
    whole, records = whole_of([0.0, 0.001], most=40, seed=3)
    small = launched(replace(whole, max_pairs=14), records)[-1]
    assert small.looks == tuple(range(8, 15))
    reason = answer(small, records).compared[0].reason
    assert reason.endswith("stopped at the pair limit after 14 pairs")
    go_on = launched(whole, records, start=replace(small, max_pairs=40))[-1]
    at_once = launched(whole, records)[-1]
    assert (set(go_on.cells), go_on.looks) == (set(at_once.cells), at_once.looks)
    assert answer(go_on, records).compared == answer(at_once, records).compared


def test_a_missing_pair_ends_its_arm_and_no_other():
    whole, records = whole_of([0.002, 0.002], seed=1)
    failed = next(cell.id for cell in whole.cells if (cell.arm, cell.seed) == ("arm0", 9))
    kept = {key: record for key, record in records.items() if key != failed}
    first, second = answer(launched(whole, kept)[-1], kept).compared
    assert (first.verdict, first.look, first.delta) == ("not_comparable", 3, None)
    assert first.reason == ("1 of 10 pairs missing (0 allowed): seed 9 fold 1; at look 3")
    assert second.look > 3


def test_a_trial_repaired_later_lets_its_arm_catch_up():
    whole, records = whole_of([0.002, 0.002], seed=1)
    failed = next(cell.id for cell in whole.cells if (cell.arm, cell.seed) == ("arm0", 9))
    kept = {key: record for key, record in records.items() if key != failed}
    end = launched(whole, kept)[-1]
    repaired = launched(whole, records, start=end)[-1]
    assert (
        answer(repaired, records).compared == answer(launched(whole, records)[-1], records).compared
    )


def test_an_arm_that_is_open_takes_along_what_it_is_compared_with():
    whole, records = whole_of([0.05, 0.051], num_seeds=12)
    whole = replace(whole, margin=1e-6, references={"arm1": "arm0"})
    states = launched(whole, records)
    new = {cell.arm for cell in states[1].cells} if len(states) > 1 else set()
    assert new
    added = set(states[1].cells) - set(states[0].cells)
    assert {cell.arm for cell in added} == {"arm0", "arm1"}
    first, second = answer(states[-1], records).compared
    assert (first.verdict, first.look, first.num_pairs) == ("better", 1, 8)
    assert (second.against, second.num_pairs) == ("arm0", states[-1].looks[second.look - 1])


def test_effects_rest_on_the_first_look_where_all_arms_have_the_same_blocks():
    whole, records = whole_of([0.05, 0.003])
    end = launched(whole, records)[-1]
    assert answer(end, records).effects == answer(first_look(end), records).effects


def test_a_growing_study_says_so_in_words():
    whole, records = whole_of([0.05, 0.0], most=12, spread=0.02)
    result = answer(launched(whole, records)[-1], records)
    assert "8 pairs, decided at look 1)" in headline(result)
    assert "5 interim analyses, with 8 to 12 pairs; at most 12 are allowed" in result.notes[0]
    assert "at every look" in method_text(result)
    assert [row[-1] for row in verdict_table(result).rows[1:]] == [
        "decided at look 1",
        "stopped at the pair limit after 12 pairs",
    ]
    fixed = compare(*finished_study(paired_values(0.03)))
    assert "look" not in method_text(fixed)
    assert "look" not in headline(fixed)


def test_an_arm_is_given_up_once_the_wanted_effect_is_out_of_sight():
    whole, records = whole_of([0.0, 0.05], spread=0.03, seed=1)
    whole = replace(whole, margin=1e-6)
    dead, clear = answer(launched(whole, records)[-1], records).compared
    assert dead.reason == "stopped at the pair limit after 24 pairs"
    given_up = launched(replace(whole, wanted_effect=0.03), records)[-1]
    result, same = answer(given_up, records).compared
    assert (result.verdict, result.is_futile) == ("no_evidence", True)
    assert result.num_pairs < 24
    assert result.reason == (
        f"given up after {result.num_pairs} pairs: an effect of 3 points is out of sight"
    )
    assert (same.verdict, same.look) == (clear.verdict, clear.look)


def test_giving_arms_up_claims_nothing_that_going_on_would_not():
    """Futility only takes claims away: what is claimed is claimed without it as well."""
    for seed in range(4):
        whole, records = whole_of([0.0, 0.02], spread=0.02, num_seeds=16, seed=seed)
        plain = {r.arm: r for r in answer(launched(whole, records)[-1], records).compared}
        wanted = replace(whole, wanted_effect=0.02)
        for result in answer(launched(wanted, records)[-1], records).compared:
            if result.verdict in ("better", "worse"):
                assert plain[result.arm].verdict == result.verdict


def test_a_study_of_earlier_looks_is_replayed_at_the_looks_it_had():
    whole, records = whole_of([0.0], spread=0.05, most=20)
    earlier = replace(blocks(whole, *range(18)), looks=(8, 12, 18))
    result = answer(earlier, records).compared[0]
    assert result.look == 3
    assert with_next_look(earlier, answer(earlier, records), whole).looks == (8, 12, 18, 19)


def test_a_growing_study_is_read_back_as_it_was_written(tmp_path):
    whole, _ = whole_of([0.01])
    folder = StudyFolder(tmp_path / "s")
    folder.write_study(whole)
    assert folder.study() == whole


class Batches:
    """What a supply is given when it asks for more."""

    def __init__(self, *batches):
        self.batches, self.num_asked = list(batches), 0

    def missing(self):
        self.num_asked += 1
        return self.batches.pop(0) if self.batches else []


class Trial:
    def __init__(self, name):
        self.id = name


@pytest.mark.parametrize("end", [Done("b"), Failed("b", "nan", "NaN")])
def test_the_next_look_is_asked_for_when_every_trial_of_the_last_has_ended(end):
    more = Batches([Trial("a"), Trial("b")], [Trial("c")])
    supply = SequentialSource(more)
    assert [supply.next().id, supply.next().id, supply.next()] == ["a", "b", None]
    supply.tell(Done("a"))
    assert (supply.next(), supply.is_over(), more.num_asked) == (None, False, 1)
    supply.tell(end)
    assert supply.next().id == "c"
    supply.tell(Done("c"))
    assert (supply.next(), supply.is_over(), more.num_asked) == (None, True, 3)


def test_nothing_is_decided_without_a_trial_that_was_interrupted():
    more = Batches([Trial("a")], [Trial("b")])
    supply = SequentialSource(more)
    supply.next()
    supply.tell(Interrupted("a"))
    assert (supply.next(), supply.is_over(), more.num_asked) == (None, False, 1)


class Instant:
    """An executor that has every record at once, and wants to stop after some of them."""

    def __init__(self, folder, records, stop, most):
        self.folder, self.records, self.stopping, self.left = folder, records, stop, most
        self.waiting = []

    kind = "cpu"

    def num_free(self):
        return 2 - len(self.waiting)

    def submit(self, work):
        self.waiting.append(work)

    def poll(self, timeout_s):
        if not self.waiting:
            return []
        work = self.waiting.pop(0)
        self.folder.trial(work.id).finish(self.records[work.id])
        self.left -= 1
        if self.left == 0:
            self.stopping.set()
        return [Done(work.id)]

    def end(self, trial_id):
        raise AssertionError("no trial of an ablation is ended early")

    def stop(self, grace_s):
        return [Interrupted(work.id) for work in self.waiting]


def launch(path, whole, records, most=-1):
    """One launch, its statuses, and how many executors it opened."""
    folder, told, opened = StudyFolder(path), [], []

    def executor(num_missing, stop):
        opened.append(num_missing)
        return Instant(folder, records, stop, most)

    def source(kept):
        def job(cell):
            return make_job(path, cell, trial=folder.trial(cell.id))

        return SequentialSource(Looks(folder, kept, job, next_look_fn(folder, whole)))

    display = SimpleNamespace(watching=lambda: nullcontext(told.append))
    outcome = launch_study(Prepared(folder, first_look(whole), source, executor), display)
    return outcome, told, opened


@pytest.mark.parametrize("most", [1, 7, 16, 24])
def test_interrupted_anywhere_a_study_ends_as_one_that_was_not(tmp_path, most):
    whole, records = whole_of([0.05, 0.003], most=20)
    at_once, told, opened = launch(tmp_path / "whole", whole, records)
    assert (at_once.stopped_by, at_once.exit_code, len(opened)) == (None, 0, 1)
    assert [status.stage for status in told][-1] == f"look {len(at_once.study.looks)}"
    assert at_once.num_trained == len(at_once.study.cells) == told[-1].num_done
    num_trained, outcome = 0, None
    while outcome is None or outcome.stopped_by is not None:
        outcome, *_ = launch(tmp_path / "parts", whole, records, most)
        assert outcome.exit_code == (75 if outcome.stopped_by else 0)
        num_trained += outcome.num_trained
    assert num_trained == at_once.num_trained
    assert outcome.study == at_once.study
    again, _, opened = launch(tmp_path / "parts", whole, records)
    assert (again.num_trained, opened, again.study) == (0, [], outcome.study)


def blocks(study: Study, *seeds: int, looks: tuple[int, ...] = ()) -> Study:
    cells = tuple(cell for cell in study.cells if cell.seed in seeds)
    return replace(study, cells=cells, looks=looks)


def test_a_growing_study_takes_in_nothing_that_its_looks_do_not_foresee():
    whole, _ = whole_of([0.0])
    grew = blocks(whole, *range(12), looks=(8, 12))
    check_can_extend(grew, first_look(whole))
    check_can_extend(grew, blocks(whole, 0, 11))  # a single cell of its own
    with pytest.raises(UsageError, match="grows by itself until it is decided"):
        check_can_extend(grew, blocks(whole, 20))
    with pytest.raises(UsageError, match="first look at other cells"):
        check_can_extend(grew, blocks(whole, *range(9), looks=(9,)))
    with pytest.raises(UsageError, match="cells outside what is requested"):
        check_can_extend(blocks(whole, 0, 23), first_look(whole))
    check_can_extend(blocks(whole, 0, 1), first_look(whole))


@pytest.fixture
def kept(tmp_path):
    """A study of eight seeds in a folder, with all its records."""
    whole, records = whole_of([0.0], spread=0.05)
    study = blocks(whole, *range(8))
    own = {cell.id: records[cell.id] for cell in study.cells}
    return whole, write_study(tmp_path / "s", replace(study, max_pairs=0), own)


def test_a_study_answered_at_full_level_is_not_looked_at_again(kept):
    whole, folder = kept
    with pytest.raises(UsageError, match=r"optional stopping.*--study s-2 --seeds 8\.\.15"):
        check_growth(Resolved(whole, {}, {}, ()), folder)


def test_growth_after_an_answer_is_noted_once(kept):
    whole, folder = kept
    more = check_growth(Resolved(blocks(whole, *range(10)), {}, {}, ()), folder)
    assert more.study.notes == more.notes
    assert more.notes[0].startswith("Grown from 8 to 10 pairs after an answer could be read")
    same = Resolved(blocks(whole, *range(8)), {}, {}, ())
    assert check_growth(same, folder) == same


def test_a_study_that_could_not_answer_may_still_be_decided_look_by_look(kept):
    whole, folder = kept
    folder.write_study(blocks(whole, 0))
    asked = Resolved(replace(first_look(whole), looks=(8,)), {}, {}, ())
    assert check_growth(asked, folder) == asked


def test_the_budget_is_filled_with_seeds_after_the_files_own():
    ablation = Ablation.model_validate(
        {
            "name": "x",
            "question": "Does it?",
            "recipe": "r",
            "factors": {"model.dropout": [0.1]},
            "blocks": {"seed": [0, 4], "fold": [1, 2, 3]},
        }
    )
    own = plan(ablation)
    assert widened(own, 13).seeds == (0, 4, 5, 6)
    assert widened(own, 13).notes == ("--max-pairs 13: whole seeds of 3 folds make 12.",)
    assert widened(own, 12).notes == ()
    assert len(widened(own, None).blocks) == 60
    with pytest.raises(UsageError, match="--max-pairs: got 5; x has 6 blocks"):
        widened(own, 5)
