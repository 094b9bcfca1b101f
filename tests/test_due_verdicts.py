"""When verdicts are due: one rule for `report` in every format, its pages, and Python."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.asgi import get
from helpers.records import drop_records, finished_study, paired_values, write_study
from helpers.reports import text_of_html

import audiocls
from audiocls.errors import NotComparable
from audiocls.live.app import application
from audiocls.live.rewriting import page
from audiocls.live.watched import Watched
from audiocls.render.formats import Output
from audiocls.store import Failure, StudyFolder

VERDICTS = re.compile(r"\b(better|worse|equivalent|no evidence|helps|hurts|p \(Holm\))")
SO_FAR = "Verdicts are due when all 15 pairs of each arm are in."
LAST = "arm1-2-5"


def shown(html: str) -> str:
    """Return what a reader of a page sees."""
    text = re.sub(r"<(style|script)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(text_of_html(text).replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.fixture
def stopped(tmp_path: Path) -> StudyFolder:
    """A study with effects that nobody could miss, which was stopped before its last trial."""
    study, records = finished_study(paired_values(0.05, -0.05))
    return write_study(tmp_path / "dropout", study, drop_records(records, LAST))


@pytest.fixture
def running(stopped: StudyFolder) -> Iterator[StudyFolder]:
    with stopped.trial(LAST).lease():
        yield stopped


@pytest.mark.parametrize("format_", ["terminal", "md", "html", "tex"])
@pytest.mark.parametrize("state", ["stopped", "running"])
def test_no_format_has_a_verdict_before_the_planned_pairs_are_in(state, format_, request):
    text = audiocls.report(request.getfixturevalue(state).path).text(format_)
    text = shown(text) if format_ == "html" else " ".join(text.split())
    assert "No verdict is due yet: 44 of 45 trials are finished." in text
    assert SO_FAR in text
    assert not VERDICTS.search(text), VERDICTS.search(text)


def test_json_and_python_say_so_and_keep_the_effects_so_far(running):
    known = audiocls.report(running.path).data()
    assert known["headline"] == "No verdict is due yet: 44 of 45 trials are finished."
    for arm in known["arms"][1:]:
        assert arm["verdict"] == "not_due"
        assert arm["delta"] is not None
        assert {arm[key] for key in ("p", "p_holm", "p_equivalence", "simultaneous_low")} == {None}
    assert [cell["id"] for cell in known["missing"]] == [LAST]
    compared = audiocls.Study(running.path).compare()
    assert compared.verdicts == {"arm0": "not_due", "arm1": "not_due"}
    assert compared.headline == known["headline"]


def test_the_live_page_and_the_page_that_is_rewritten_say_what_report_says(running):
    said = "No verdict is due yet: 44 of 45 trials are finished."
    live = get(application(running.path.parent), "/studies/dropout").text
    rewritten = page(Watched(running).look(60.0), 5.0)
    for html in (live, rewritten):
        text = shown(html)
        assert said in text
        assert SO_FAR in text
        assert not VERDICTS.search(text)


def test_a_script_is_told_by_the_exit_code(stopped):
    with pytest.raises(NotComparable, match="no verdict is due yet") as refused:
        audiocls.report(stopped.path).write(Output("json"))
    assert refused.value.exit_code == 4


def test_a_trial_that_failed_is_not_waited_for(stopped):
    stopped.trial(LAST).begin()
    stopped.trial(LAST).fail(Failure("nan", "the loss became nan", "", 1))
    verdicts = audiocls.Study(stopped.path).compare().verdicts
    assert verdicts == {"arm0": "better", "arm1": "not_comparable"}


def test_a_growing_study_keeps_what_its_looks_decided(tmp_path):
    study, records = finished_study(paired_values(0.05, 0.0), looks=(10, 15), max_pairs=30)
    of_next_look = [id_ for id_ in records if id_.startswith("arm1-2")]
    folder = write_study(tmp_path / "dropout", study, drop_records(records, *of_next_look))
    report = audiocls.report(folder.path)
    assert report.data()["arms"][1]["verdict"] == "better"
    assert "As decided by look 1; look 2 is under way." in report.data()["notes"]
    text = " ".join(report.text("md").split())
    assert "As decided by look 1; look 2 is under way." in text
    assert "Verdicts are due at the next look, with 15 pairs." in text


def test_what_was_imported_is_judged_as_it_is(tmp_path):
    study, records = finished_study(paired_values(0.05, -0.05), kind="import")
    folder = write_study(tmp_path / "dropout", study, drop_records(records, LAST))
    assert audiocls.Study(folder.path).compare().verdicts["arm0"] == "better"


def test_the_command_that_goes_on_and_what_is_missing_are_named(stopped):
    text = audiocls.report(stopped.path).text("md")
    assert "audiocls sweep launch dropout" in text
    assert LAST in text
    assert json.loads(audiocls.report(stopped.path).text("json"))["next"] == []
