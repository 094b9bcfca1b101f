"""Arms with an empty list are named in words; files and ids keep the names that they had."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.asgi import get
from helpers.records import finished_study, paired_values, write_study

import audiocls
from audiocls.design import arms_of, load_ablation
from audiocls.live.app import application
from audiocls.store import StudyFolder
from audiocls.studies.labels import labels_of
from audiocls.studies.request import AblationRequest, ablation_request
from audiocls.studies.status import naming

MIXES = {
    "name": "mixing",
    "question": "Does mixing help?",
    "recipe": "convnext1d-logmel",
    "factors": {"augment.mixes": [[], ["mixup"]]},
    "design": "factorial",
}


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    base, gain = paired_values(0.05).values()
    study, records = finished_study(
        {"mixes=": base, "mixes=mixup": gain}, factors={"augment.mixes": [[], ["mixup"]]}
    )
    levels = {"mixes=": [], "mixes=mixup": ["mixup"]}
    study.arms.update({arm: {"augment.mixes": level} for arm, level in levels.items()})
    return write_study(tmp_path / "mixing", study, records)


def requested(arms: str | None = None) -> AblationRequest:
    asked = ablation_request("dropout", arms=arms)
    return replace(asked, ablation=load_ablation(MIXES, "mixing.yaml"))


@pytest.mark.parametrize("format_", ["terminal", "md", "html", "tex", "json"])
def test_every_format_names_the_arm_in_words(folder, format_):
    text = audiocls.report(folder.path).text(format_)
    assert "mixes=none" in text
    assert "mixes= " not in text


def test_the_live_page_and_status_say_the_same(folder):
    assert "mixes=none" in get(application(folder.path.parent), "/studies/mixing").text
    study = folder.study()
    assert {naming(study, folder)(cell) for cell in study.cells} == {"mixes=none", "mixes=mixup"}


def test_names_in_files_and_plans_stay_so_that_studies_go_on(folder):
    assert "mixes=" in folder.study().arms
    assert list(arms_of(requested().ablation)) == ["mixes=", "mixes=mixup"]


def test_an_arm_can_be_asked_for_by_either_name():
    for name in ("mixes=none", "mixes="):
        chosen, _ = requested(arms=name).plan()
        assert list(chosen.arms) == ["mixes="]


def test_labels_of_the_ablation_come_first_and_no_word_is_that_of_another_arm():
    study, _ = finished_study({"mixes=": [0.5], "mixes=none": [0.6]}, seeds=[0], folds=[1])
    study.arms["mixes="] = {"augment.mixes": []}
    assert labels_of(study) == {}
    study.labels["mixes="] = "no mixing"
    assert labels_of(study) == {"mixes=": "no mixing"}
