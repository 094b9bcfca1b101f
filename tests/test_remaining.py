"""How long a study still takes follows from what its trials took."""

from dataclasses import replace

import pytest
from helpers.records import COST, finished_study

from audiocls.studies.remaining import Underway, seconds_left, seconds_spent

STUDY, RECORDS = finished_study({"base": [0.5] * 4, "slow": [0.5] * 4}, seeds=range(4), folds=[1])


def with_seconds(**seconds: float):
    """Return the records of these trials, `base_0=10.0` for `base-0-1`."""
    known = {f"{name.replace('_', '-')}-1": value for name, value in seconds.items()}
    return {
        id_: replace(RECORDS[id_], cost=replace(COST, wall_s=wall_s))
        for id_, wall_s in known.items()
    }


def left(records, running):
    states = {cell.id: "pending" for cell in STUDY.cells}
    states |= dict.fromkeys(records, "done") | dict.fromkeys(running, "running")
    return seconds_left(STUDY.cells, states, records, running)


def test_a_trial_takes_as_long_as_those_of_its_arm():
    """3 more of base, one of them half through, and 3 more of slow."""
    records = with_seconds(base_0=10.0, slow_0=30.0)
    assert left(records, {"base-1-1": Underway(5, 10)}) == pytest.approx(2.5 * 10 + 3 * 30)


def test_two_at_once_take_half_the_time():
    records = with_seconds(base_0=10.0, slow_0=10.0)
    one = left(records, {"base-1-1": Underway()})
    assert left(records, {"base-1-1": Underway(), "slow-1-1": Underway()}) == pytest.approx(one / 2)


def test_before_any_trial_has_ended_the_running_one_tells():
    """At 3 of 10 epochs after 6 s: 20 s a trial, of which 14 are left, and seven more."""
    running = {"base-0-1": Underway(3, 10, elapsed_s=6.0)}
    assert left({}, running) == pytest.approx(14 + 7 * 20)


def test_nothing_tells_where_nothing_runs_or_nothing_has_begun():
    assert left(with_seconds(base_0=10.0), {}) is None
    assert left({}, {"base-0-1": Underway(0, 10)}) is None


def test_trials_of_one_pack_share_their_seconds():
    """Two that are trained at once took 10 s each of 20: two more pairs of each arm do, too."""
    records = {
        id_: replace(record, cost=replace(record.cost, pack=2))
        for id_, record in with_seconds(base_0=10.0, base_1=10.0).items()
    }
    running = {"base-2-1": Underway(), "base-3-1": Underway()}
    assert left(records, running) == pytest.approx(3 * 20)
    assert seconds_spent(records) == 20.0
