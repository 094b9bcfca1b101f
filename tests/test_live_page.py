"""The live page: it says what `report` and `status` say, and no verdict before it is due."""

import re
import threading
import time
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from helpers.asgi import Answer, get
from helpers.records import drop_records, finished_study, paired_values, write_study

import audiocls
from audiocls.errors import UsageError
from audiocls.live import behind, clips, watched, whole_report
from audiocls.live.app import application
from audiocls.live.rewriting import rewrite
from audiocls.live.trial import tail
from audiocls.store import Failure, StudyFolder, TrialFolder

VERDICTS = re.compile(r"\b(better|worse|equivalent|no evidence|helps|hurts|p \(Holm\))\b")
LAST = "arm1-2-5"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed behind the page is there at once, on a busy machine as well."""
    monkeypatch.setattr(watched.Watched.look, "__defaults__", (60.0,))
    monkeypatch.setattr(clips, "WAIT_S", 60.0)
    monkeypatch.setattr(whole_report, "WAIT_S", 60.0)


@pytest.fixture
def unfinished(tmp_path: Path) -> Iterator[StudyFolder]:
    """A study with an effect that nobody could miss, of which one trial is running."""
    study, records = finished_study(paired_values(0.05, -0.05))
    folder = write_study(tmp_path / "dropout", study, drop_records(records, LAST))
    with folder.trial(LAST).lease():
        yield folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with a study of two trials."""
    study, records = finished_study({"base": [0.5], "arm1": [0.6]}, seeds=[0], folds=[1])
    write_study(tmp_path / "dropout", study, records)
    return tmp_path


def page(runs: Path, path: str = "/studies/dropout", **headers: str) -> Answer:
    return get(application(runs), path, **headers)


def text_of(answer: Answer) -> str:
    """Return what a reader sees."""
    shown = re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
    return unescape(" ".join(shown.split()))


def test_a_study_that_runs_shows_effects_and_their_precision_and_no_verdict(unfinished):
    text = text_of(page(unfinished.path.parent))
    assert "Effects so far" in text
    assert re.search(r"arm0 15 of 15 \+[45]\.", text)
    assert re.search(r"arm1 14 of 15 −[45]\.", text)
    assert "±" in text
    assert "Verdicts are due when all 15 pairs of each arm are in." in text
    assert not VERDICTS.search(text), VERDICTS.search(text)
    assert "arm1, seed 2, fold 5" in text


def test_a_study_that_has_ended_shows_what_report_shows(tmp_path: Path):
    study, records = finished_study(paired_values(0.05, -0.05))
    folder = write_study(tmp_path / "dropout", study, records)
    text = text_of(page(tmp_path))
    headline = next(
        block.text
        for block in audiocls.report(folder.path).document.blocks
        if type(block).__name__ == "Headline"
    )
    assert headline in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Effects so far" not in text
    whole = page(tmp_path, "/studies/dropout/report")
    assert "Learning curves" not in whole.text  # it has no histories
    assert "Paired differences" in whole.text


def test_the_whole_report_and_clips_are_withheld_as_well(unfinished):
    runs = unfinished.path.parent
    for path in ("/studies/dropout/report", "/studies/dropout/clips"):
        assert not VERDICTS.search(text_of(page(runs, path)))
    assert "Verdicts are not due yet" in page(runs, "/studies/dropout/report").text


def test_a_growing_study_has_verdicts_at_looks_alone(tmp_path: Path):
    """The second look is under way: what the first decided stands, and no more is said."""
    study, records = finished_study(paired_values(0.05, 0.0), looks=(10, 15), max_pairs=30)
    of_next_look = [id_ for id_ in records if id_.startswith("arm1-2")]
    write_study(tmp_path / "dropout", study, drop_records(records, *of_next_look))
    text = text_of(page(tmp_path))
    assert "As decided by look 1; look 2 is under way." in text
    assert "arm0 helps" in text
    assert "decided at look 1" in text
    assert "Verdicts are due at the next look, with 15 pairs." in text
    write_study(tmp_path / "dropout", study, records)
    assert "under way" not in text_of(page(tmp_path))


def test_before_its_first_look_a_growing_study_has_no_verdict(tmp_path: Path):
    study, records = finished_study(paired_values(0.05), looks=(15,), max_pairs=30)
    write_study(tmp_path / "dropout", study, drop_records(records, "arm0-2-5"))
    text = text_of(page(tmp_path))
    assert "Verdicts are due at the next look, with 15 pairs." in text
    assert not VERDICTS.search(text), VERDICTS.search(text)


def test_failures_are_shown_with_the_command_that_mends_them(unfinished):
    trial = unfinished.trial("arm0-0-1")
    (trial.path / "record.json").unlink()
    trial.fail(Failure("out_of_memory", "no room for <8 GiB>", "File net.py", 1))
    trial.log.write_text("epoch 1\n\x1b[31mOOM <here>\x1b[0m\n")
    runs = unfinished.path.parent
    shown = page(runs)
    assert "arm0: 1 failed (out_of_memory): no room for <8 GiB>" in text_of(shown)
    command = f"audiocls sweep retry dropout --runs {runs} && audiocls sweep launch dropout"
    assert command in text_of(shown)
    own = page(runs, "/studies/dropout/trials/arm0-0-1")
    assert "OOM <here>" in text_of(own)
    assert "<here>" not in own.text
    assert "out of memory" in text_of(own)
    assert command in text_of(own)


def test_a_record_that_is_damaged_counts_as_failed(unfinished):
    (unfinished.trial("arm0-0-1").path / "record.json").write_text("{")
    text = text_of(page(unfinished.path.parent))
    assert "failed 1" in text
    assert "damaged" in text


def test_a_page_that_did_not_change_is_not_sent_again(unfinished):
    app = application(unfinished.path.parent)
    etag = get(app, "/studies/dropout").headers["etag"]
    again = get(app, "/studies/dropout", if_none_match=etag)
    assert (again.status, again.content) == (304, b"")
    unfinished.trial(LAST).append_history({"epoch": 1, "val/accuracy": 0.5})
    assert get(app, "/studies/dropout", if_none_match=etag).status == 200


def test_only_names_of_this_machine_are_answered(small):
    """A page of the web may have its own name point to this machine (DNS rebinding)."""
    app = application(small)
    for host in ("evil.example", "127.0.0.1.evil.example:8642", "10.0.0.1", "localhost.evil", ""):
        assert get(app, "/", host=host).status == 400, host
    for host in ("127.0.0.1:8642", "localhost:9000", "localhost", "[::1]:8642"):
        assert get(app, "/", host=host).status == 200, host


def test_pages_load_nothing_from_elsewhere_and_may_not(small):
    for path in ("/", "/studies/dropout", "/studies/dropout/report"):
        shown = page(small, path)
        policy = shown.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert ("unsafe" in policy) == path.endswith("report")
        assert not re.search(r"https?://", shown.text)
    assert "http" not in page(small, "/style.css").text + page(small, "/live.js").text


def test_nothing_but_get_is_answered(small):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert get(application(small), "/studies/dropout", method).status == 405
    assert get(application(small), "/studies/dropout", "HEAD").status == 200


def test_no_part_of_an_address_becomes_a_path(small):
    (small / "secret").mkdir()  # no study
    (small / "secret" / "log.txt").write_text("secret")
    for path in (
        "/studies/..",
        "/studies/%2e%2e%2fsecret",
        "/studies/../secret",
        "/studies/secret",
        "/studies/dropout/trials/..",
        "/studies/dropout/trials/..%2f..%2fstudy.yaml",
        "/studies/dropout/trials/arm9-0-1",
        "/etc/passwd",
    ):
        assert page(small, path).status == 404, path


def test_any_name_of_a_study_can_be_opened_and_none_is_markup(tmp_path: Path):
    study, records = finished_study({"base": [0.5], "<i>arm": [0.6]}, seeds=[0], folds=[1])
    name = 'lr & <b>"50 %"?#'
    write_study(tmp_path / name, study, records)
    index = page(tmp_path, "/")
    [address] = re.findall(r'href="(/studies/[^"]+)"', index.text)
    shown = page(tmp_path, address)
    assert shown.status == 200
    assert "<i>arm" in text_of(shown)
    assert "<b>" not in index.text + shown.text.replace('<b class="', "")
    assert "<i>" not in shown.text


def test_studies_are_listed_with_their_counts_and_those_that_cannot_be_read(unfinished):
    runs = unfinished.path.parent
    (runs / "torn").mkdir()
    (runs / "torn" / "study.yaml").write_text("name: [")
    text = text_of(page(runs, "/"))
    assert "Does it help?" in text
    assert "44 done, 1 running" in text
    assert "damaged" in text
    assert page(runs, "/studies/torn").status == 500


class Checked(HTMLParser):
    """Notes what a screen reader would miss."""

    def __init__(self, text: str):
        super().__init__()
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "th" and "scope" not in given and given.get("class") != "text":
            self.faults.append(f"th without scope: {given}")
        if tag == "svg" and not {"aria-label", "aria-hidden"} & given.keys():
            self.faults.append("svg without a name")
        if tag == "progress" and "aria-label" not in given:
            self.faults.append("progress without a name")
        if "id" in given:
            self.ids.append(str(given["id"]))


def test_pages_have_landmarks_names_and_headers(unfinished):
    unfinished.trial(LAST).append_history({"epoch": 1, "val/accuracy": 0.5})
    for path in ("/", "/studies/dropout", f"/studies/dropout/trials/{LAST}"):
        shown = page(unfinished.path.parent, path).text
        for landmark in ("<main", "<nav aria-label=", 'role="status"', "<h1", 'lang="en"'):
            assert landmark in shown
        checked = Checked(shown)
        assert len(set(checked.ids)) == len(checked.ids)
        assert not checked.faults


def test_cells_are_looked_at_again_without_opening_a_folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    values = {f"arm{i}": rng.normal(0.8, 0.01, 20) for i in range(10)}
    study, records = finished_study(values, seeds=range(4))
    folder = StudyFolder(tmp_path / "dropout")
    folder.write_study(study)
    for trial_id in records:
        (folder.path / "trials" / trial_id).mkdir(parents=True)
        (folder.path / "trials" / trial_id / "failure.json").write_text("{}")
    known = watched.Watched(folder)
    known.counts()
    settled = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: settled)
    assert known.counts()["failed"] == 200
    monkeypatch.setattr(Path, "exists", lambda path: pytest.fail(f"{path} is looked at again"))
    started = time.process_time()
    assert known.counts()["failed"] == 200
    assert time.process_time() - started < 0.1  # ten thousand: 0.05 s on a quiet machine


def test_a_page_of_many_cells_is_small(tmp_path: Path):
    values = {f"arm{i}": [0.8] * 500 for i in range(20)}
    study, _ = finished_study(values, seeds=range(100))
    write_study(tmp_path / "dropout", study, {})
    shown = page(tmp_path)
    assert "500" in text_of(shown)
    assert len(shown.text) < 50_000


def test_the_page_of_a_running_study_is_rewritten_until_it_has_ended(tmp_path: Path):
    study, records = finished_study(paired_values(0.05, -0.05))
    folder = write_study(tmp_path / "dropout", study, drop_records(records, LAST))
    written: list[str] = []
    file = tmp_path / "page.html"
    lease = folder.trial(LAST).lease()

    def sleep(seconds: float) -> None:
        written.append(file.read_text())
        folder.trial(LAST).finish(records[LAST])
        lease.__exit__(None, None, None)

    lease.__enter__()
    rewrite(folder, file, 2.0, sleep)
    [shown] = written
    assert '<meta http-equiv="refresh" content="2">' in shown
    assert "Effects so far" in shown
    assert not VERDICTS.search(text_of(Answer(200, {}, shown.encode())))


def test_a_study_that_nobody_works_on_is_not_waited_for(tmp_path: Path):
    study, records = finished_study(paired_values(0.05))
    folder = write_study(tmp_path / "dropout", study, drop_records(records, "arm0-2-5"))
    rewrite(folder, tmp_path / "page.html", sleep=lambda seconds: pytest.fail("it waits"))
    report = audiocls.report(folder.path, watch=True, out=tmp_path / "page.html")
    assert "No verdict is due yet: 29 of 30 trials are finished." in report.text()


def test_options_of_watching_without_effect_are_refused(tmp_path: Path):
    study, records = finished_study(paired_values(0.05))
    folder = write_study(tmp_path / "dropout", study, records)
    with pytest.raises(UsageError, match="out: has an effect with watch alone"):
        audiocls.report(folder.path, out="page.html")
    with pytest.raises(UsageError, match="watch: got 2 studies"):
        audiocls.report(folder.path, folder.path, watch=True)


def test_a_port_that_is_taken_is_named_and_given_back_in_the_end(tmp_path: Path):
    first = audiocls.serve(runs=tmp_path, port=0)
    with pytest.raises(UsageError, match=rf"port {first.port} is taken .* --port"):
        audiocls.serve(runs=tmp_path, port=first.port)
    first.stop()
    audiocls.serve(runs=tmp_path, port=first.port).stop()


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch):
    with pytest.raises(UsageError, match=r"nowhere, which is no folder; .* --runs DIR"):
        audiocls.serve(runs=tmp_path / "nowhere")
    with pytest.raises(UsageError, match="port: got 70000"):
        audiocls.serve(runs=tmp_path, port=70000)
    monkeypatch.setattr(audiocls.extras, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'audiocls\[serve\]'"):
        audiocls.serve(runs=tmp_path)


def test_the_end_of_a_long_log_is_whole_lines(tmp_path: Path):
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    lines = tail(log).splitlines()
    assert lines[-1] == "line 99999"
    assert len(lines) == 200
    assert tail(tmp_path / "absent.txt") == ""


def test_the_same_study_is_seen_by_its_files_as_by_its_records(unfinished):
    """Whatever state a trial is in, a glance and `status` agree, also after it changed."""
    from audiocls.store.glance import Glance

    glance, cells = Glance(unfinished), unfinished.study().cells
    failed = TrialFolder(unfinished.path / "trials" / "arm0-0-1")
    (failed.path / "record.json").unlink()
    (unfinished.path / "trials" / "arm0-0-2" / "record.json").unlink()
    assert glance.states(cells) == unfinished.states(cells)
    failed.fail(Failure("nan", "loss is nan", "", 1))
    assert glance.states(cells) == unfinished.states(cells)
    failed.reset_failure()
    assert glance.states(cells) == unfinished.states(cells)
    assert set(glance.states(cells).values()) == {"done", "running", "pending"}


def test_what_took_long_is_not_waited_for_again(monkeypatch):
    """Each page would be later by the whole wait, as long as a large study is computed."""
    monkeypatch.setattr(behind, "SHARE", 1.0)
    value, waiting = behind.Behind[str](), threading.Event()
    assert value.get(1, lambda: time.sleep(0.05) or "first", 60.0) == "first"
    assert value.get(2, lambda: waiting.wait(60.0) and "second", 0.01) == "first"
    started = time.monotonic()
    assert value.get(3, lambda: "third", 0.04) == "first"
    assert time.monotonic() - started < 0.04
    waiting.set()
    assert value.get(2, lambda: "second", 60.0) == "second"


def test_on_a_phone_verdicts_fold_into_cards_as_in_the_report(small):
    """In a table that scrolls sideways, the verdict was the column that nobody saw."""
    style = page(small, "/style.css").text
    assert ".judged td.verdict { order: -1;" in style
    assert "{%" not in style
