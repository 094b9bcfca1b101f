"""The time that a launch still takes: what is said first is right within 30 %."""

import heapq
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from audiocls.audio.clips import Split
from audiocls.execution.messages import Done, Epoch, Event, Extraction
from audiocls.execution.time_left import TimeLeft, makespan_s, scoring_share

RECORDED = Path(__file__).parent / "golden" / "launch_timings.json"


@dataclass
class Simulated:
    """A launch whose workers start once, and then train one trial after the other."""

    num_trials: int
    num_workers: int
    num_epochs: int
    epoch_s: float
    starting_s: float = 8.0
    scoring_s: float = 0.5
    scoring_share: float = 0.0
    """What workers say that scoring takes, in epochs."""
    spread: float = 0.1
    """Standard deviation of an epoch's logarithm."""
    draw: int = 0

    def events(self) -> Iterator[tuple[float, str, Event | None]]:
        """Yield when each trial begins (no event), ends an epoch, and ends."""
        rng, names = np.random.default_rng(self.draw), map(str, range(self.num_trials))
        found = []
        free = [(0.0, worker, self.starting_s) for worker in range(self.num_workers)]
        for name in names:
            now, worker, extra = heapq.heappop(free)
            found.append((now, name, None))
            now += extra
            for epoch in range(1, self.num_epochs + 1):
                now += self.epoch_s * float(np.exp(self.spread * rng.normal()))
                found.append((now, name, self._epoch(name, epoch)))
            now += self.scoring_s
            found.append((now, name, Done(name)))
            heapq.heappush(free, (now, worker, 0.0))
        return iter(sorted(found, key=lambda each: each[0]))

    def _epoch(self, name: str, epoch: int) -> Epoch:
        return Epoch(name, epoch, self.num_epochs, scoring_share=self.scoring_share)


def estimates_of(
    timeline: Iterator[tuple[float, str, Event | None]], num_trials: int
) -> list[tuple[float, float]]:
    """Return (seconds really left, seconds said to be left) at each event with an estimate."""
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    said, num_missing = [], num_trials
    for at, name, event in timeline:
        now[0] = at
        if event is None:
            left.start(name)
            continue
        left.tell(event)
        num_missing -= isinstance(event, Done)
        said.append((at, left.left_s(num_missing)))
    end = now[0]
    return [(end - at, seconds) for at, seconds in said if seconds is not None]


LAUNCHES = {
    "a, of the first hour: 40 trials": Simulated(40, 1, 6, 2.0, starting_s=12.0),
    "b, of the first hour: 6 trials": Simulated(6, 1, 10, 0.7, starting_s=9.0),
    "two workers": Simulated(30, 2, 5, 3.0),
    "eight workers": Simulated(100, 8, 20, 1.0),
    "more workers than trials": Simulated(3, 8, 20, 2.0),
    "long epochs": Simulated(10, 2, 4, 300.0, starting_s=20.0),
    "epochs shorter than the scoring": Simulated(50, 2, 10, 0.05, scoring_s=0.3, starting_s=5.0),
    "the same, one worker": Simulated(50, 1, 10, 0.05, scoring_s=0.3, starting_s=5.0),
    "a large test set, whose scoring takes less than was said": Simulated(
        20, 2, 3, 10.0, scoring_s=20.0, scoring_share=3.0
    ),
    "a large test set, whose scoring takes more than was said": Simulated(
        20, 2, 3, 10.0, scoring_s=30.0, scoring_share=2.0
    ),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_the_first_estimate_is_right_within_30_percent(name):
    launch = LAUNCHES[name]
    really, said = estimates_of(launch.events(), launch.num_trials)[0]
    assert said == pytest.approx(really, rel=0.3)


@pytest.mark.parametrize("name", LAUNCHES)
def test_once_a_tenth_is_done_every_estimate_is_right_within_20_percent_or_a_trial(name):
    launch = LAUNCHES[name]
    estimates = estimates_of(launch.events(), launch.num_trials)
    whole = launch.num_epochs * launch.epoch_s
    longest = estimates[0][0]
    for really, said in estimates:
        if really < 0.9 * longest:
            assert said == pytest.approx(really, rel=0.2, abs=0.6 * whole + launch.scoring_s)


def test_the_first_estimate_comes_before_the_first_trial_ends():
    launch = Simulated(40, 1, 6, 2.0, starting_s=12.0)
    [(really, _), *_] = estimates_of(launch.events(), 40)
    duration = 12.0 + 40 * (6 * 2.0 + 0.5)
    assert duration - really < 12.0 + 3 * 2.0 * 1.3


def test_trials_shorter_than_their_scoring_may_be_are_told_by_whole_ones():
    launch = Simulated(50, 2, 10, 0.05, scoring_s=0.3, starting_s=5.0)
    ended = [at for at, _, event in launch.events() if isinstance(event, Done)]
    [(left, _), *_] = estimates_of(launch.events(), 50)
    assert ended[0] < ended[-1] - left < ended[5]


def test_scoring_costs_a_third_of_training_for_each_clip():
    clips = {"train": np.arange(60), "val": np.arange(20), "test": np.arange(70)}
    assert scoring_share(Split(**clips)) == pytest.approx(70 / (3 * 60 + 20))
    further = Split(**clips, further={"test:far": np.arange(30)})
    assert scoring_share(further) == pytest.approx(100 / (3 * 60 + 20))
    nothing = np.arange(0)
    assert scoring_share(Split(nothing, nothing, nothing)) == 0  # refused later, with its reason


def test_of_programs_whole_trials_are_counted_as_many_at_a_time_as_run():
    """Thirty programs of ten seconds, two at a time: after the first pair 140 s are left."""

    def timeline():
        events = []
        for number in range(30):
            start = 10.0 * (number // 2)
            events += [(start, str(number), None), (start + 10, str(number), Done(str(number)))]
        return iter(sorted(events, key=lambda each: each[0]))

    estimates = estimates_of(timeline(), 30)
    assert estimates[1] == (140.0, pytest.approx(140.0, rel=0.1))


def test_features_that_are_computed_first_are_no_pace():
    now = itertools.count(0.0, 100.0)
    seen = [next(now)]
    left = TimeLeft(lambda: seen[0])
    left.start("a")
    for event in (Extraction("a", 10, 20), Extraction("a", 20, 20)):
        seen[0] = next(now)
        left.tell(event)
        assert left.left_s(2) is None
    seen[0] += 5.0
    left.tell(Epoch("a", 1, 4))
    assert left.left_s(2) == pytest.approx(3 * 5.0 + 4 * 5.0)


def test_trials_that_stop_early_shorten_what_is_left():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    for name in "ab":
        left.start(name)
        for epoch in (1, 2, 3):
            now[0] += 1.0
            left.tell(Epoch(name, epoch, 100))
        left.tell(Done(name))
    assert left.left_s(4) == pytest.approx(4 * 3.0)


def test_what_other_launches_take_is_done_while_this_one_works():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.start("a")
    now[0] = 10.0
    left.tell(Done("a"))
    assert left.left_s(8, sharing=2.0) == left.left_s(4)


def test_a_resumed_trial_is_no_whole_one():
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    left.start("a")
    for epoch in (9, 10):
        now[0] += 2.0
        left.tell(Epoch("a", epoch, 10))
    left.tell(Done("a"))
    left.start("b")
    now[0] += 2.0
    left.tell(Epoch("b", 1, 10))
    assert left.left_s(1) == pytest.approx(18.0)


@pytest.mark.parametrize("draw", range(20))
def test_the_makespan_is_that_of_taking_the_next_trial_when_free(draw):
    rng = np.random.default_rng(draw)
    whole, num = 5.0, int(rng.integers(0, 30))
    rest = (5.0 * rng.random(int(rng.integers(1, 6)))).tolist()
    free = list(rest)
    for _ in range(num):
        free[free.index(min(free))] += whole
    assert makespan_s(rest, num, whole) == pytest.approx(max(free))


def recorded(name: str, what: object = None, num_epochs: int = 0) -> Event | None:
    """Return an event as it is kept: nothing for a beginning, a word, or an epoch of how many."""
    if isinstance(what, int):
        return Epoch(name, what, num_epochs)
    return {None: None, "done": Done(name), "features": Extraction(name, 1, 2)}[what]


def test_the_first_estimate_of_recorded_launches_is_right_within_30_percent():
    """Events of real launches on two cores, by the clock of their scheduler."""
    for launch in json.loads(RECORDED.read_text()):
        timeline = (
            (at, str(name), recorded(str(name), *what)) for at, name, *what in launch["rows"]
        )
        really, said = estimates_of(timeline, launch["num_trials"])[0]
        assert said == pytest.approx(really, rel=0.3), launch["what"]
