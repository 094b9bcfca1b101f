"""What the store does with a study, of whatever kind: written, read back, listed, resumed."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.records import search_record

from audiocls import yaml_file
from audiocls.errors import UsageError
from audiocls.store import (
    Cell,
    Choice,
    Failure,
    Proposal,
    Request,
    SearchPlan,
    Study,
    StudyFolder,
    Tuning,
    count_states,
)
from audiocls.store.old_files import with_kind
from audiocls.store.study import open_study

CELLS = tuple(
    Cell(f"{arm}{seed}", arm, seed, 1) for seed in (0, 1) for arm in ("baseline", "a=1,b=2")
)
ARMS = {"baseline": {}, "a=1,b=2": {"a": 1, "b": 2}}


def with_arms(name: str, request: Request, **fields: object) -> Study:
    """Return a study of two arms on two seeds."""
    made = Study(name, "Is it so?", "tiny", "ofat", "test/accuracy", "maximize", "baseline", ARMS)
    made = replace(made, cells=CELLS, identities={arm: f"id of {arm}" for arm in ARMS})
    return replace(made, command=request.line(), request=request, **fields)


def launched(name: str, **options: object) -> Request:
    return Request("sweep launch", name, **options)


SWEEP = {"method": "grid", "parameters": {"lr": {"values": [0.1, 1]}}}
CHOICE = Choice("a=1,b=2", 1, 2, 1, {"optim.lr": 0.1}, 0.5)
STUDIES = {
    "ablation": with_arms("s", launched("s", assignments=("x=1",), arms="a=1,b=2")),
    "growing": with_arms(
        "s",
        launched("q/s.yaml", is_until_decided=True, max_pairs=9, seeds="0..2"),
        looks=(2, 3),
        max_pairs=9,
    ),
    "tuned": with_arms("s", launched("s"), tuning=Tuning(2, "val/accuracy", 1000, (CHOICE,))),
    "single trial": with_arms("tiny", Request("train", recipe="tiny", assignments=("seed=3",))),
    "noise": with_arms("s-noise", Request("noise", "s", folds="1"), kind="noise", of="s"),
    "tuning": with_arms("s.tuning", launched("s"), design="tuning", kind="tuning", of="s"),
    "import": with_arms(
        "s", Request("sweep import", "me/mine", options={"--arm": "a,b"}), kind="import"
    ),
    "search": Study(
        "s",
        kind="search",
        overrides={"optim.lr": 0.1},
        command="audiocls sweep launch s --recipe tiny --set optim.lr=0.1",
        request=launched("s", recipe="tiny", assignments=("optim.lr=0.1",)),
        search=SearchPlan(SWEEP, "recipe tiny", ""),
    ),
}


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> Study:
    return STUDIES[request.param]


@pytest.fixture
def folder(study: Study, tmp_path: Path) -> StudyFolder:
    """The study as written, a search with two proposals."""
    folder = StudyFolder(tmp_path / "runs" / study.name)
    folder.write_study(study)
    if study.kind == "search":
        for number in (1, 2):
            folder.propose(Proposal(f"t{number}", {"lr": number}))
    return folder


class TestStudies:
    """One class of tests, run over every kind of study."""

    def test_a_study_is_read_back_as_it_was_written(self, study, folder):
        assert folder.study() == study
        assert Study.from_mapping(study.to_mapping()) == study

    def test_writing_what_was_read_changes_no_byte(self, study, folder):
        file = folder.path / "study.yaml"
        before = file.read_bytes()
        folder.write_study(folder.study())
        assert file.read_bytes() == before

    def test_its_request_is_the_command_that_launches_it_again(self, study):
        assert study.request.line() == study.command

    def test_a_file_without_kind_and_request_is_read_by_its_command(self, study, folder):
        old = study.to_mapping()
        for name in ("kind", "of", "request"):
            old.pop(name, None)
        assert Study.from_mapping(with_kind(old)) == study

    def test_what_was_launched_is_found_by_its_name_and_by_its_path(self, study, folder):
        runs = folder.path.parent
        assert open_study(study.name, runs).study() == study
        assert open_study(str(folder.path), Path("elsewhere")).study() == study

    def test_its_trials_are_listed_with_their_states(self, folder):
        cells = folder.cells()
        assert count_states(folder.states(cells))["pending"] == len(cells) > 0
        done, failed = cells[0].id, cells[-1].id
        folder.trial(done).finish(search_record(done, 0.5))
        folder.trial(failed).fail(Failure("nan", "diverged", "", 1))
        states = folder.states(cells)
        assert (states[done], states[failed]) == ("done", "failed")
        assert list(folder.records(cells)) == [done]
        assert list(folder.failures(cells)) == [failed]

    def test_a_trial_is_resumed_from_what_another_process_left(self, folder):
        first = folder.trial(folder.cells()[0].id)
        first.begin()
        first.write_resume(b"state")
        again = StudyFolder(folder.path).trial(first.id)
        assert (again.state(), again.resume(), again.begin().number) == ("pending", b"state", 2)

    def test_any_number_of_launches_work_on_it_and_each_is_listed_meanwhile(self, folder):
        with folder.launches.joined("now") as one, folder.launches.joined("then") as other:
            assert folder.launches.alive() == [one, other]
        assert folder.launches.alive() == []

    def test_only_a_search_has_no_arms(self, study, folder):
        assert folder.is_sweep() is (study.kind == "search")
        if study.kind == "search":
            with pytest.raises(UsageError, match="is a sweep"):
                folder.study_with_arms()
        else:
            assert folder.study_with_arms() == study


def test_every_kind_of_study_is_tested():
    kinds = {"ablation", "noise", "tuning", "search", "import"}
    assert {study.kind for study in STUDIES.values()} == kinds


def test_new_fields_follow_the_old_ones_in_the_file():
    """So that an old file and a new one differ in nothing else."""
    for study in STUDIES.values():
        names = list(yaml_file.parse(yaml_file.dump(study.to_mapping()), "s"))
        new = [name for name in names if name in ("kind", "of", "request")]
        assert names[-len(new) :] == new
